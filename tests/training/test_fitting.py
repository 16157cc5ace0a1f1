from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from pictaxa.cli import main
from pictaxa.run import open_run
from pictaxa.training import fitting

TINY = ("--size", "32", "--batch-size", "8", "--precision", "float32")


@pytest.mark.parametrize("views", ["1", "0"])  # of no account here
def test_first_the_head_then_all(
    data: Path, body: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], views: str
):
    """--tune head,all begins with a head that is fitted to the body, and then every parameter moves."""
    words = ["--weights", str(body), "--tune", "head,all", "--epochs", "2", "--out", str(tmp_path / "run"), *TINY]
    words += ["--feature-views", views]
    assert main(["train", str(data), *words, "--small-first", "0", "--policy", "none"]) == 0
    said = capsys.readouterr().out
    assert "with the body frozen" in said
    assert float(said.partition("head      ")[2].partition("%")[0]) > 80
    before, after = load_file(body / "model.safetensors"), load_file(tmp_path / "run" / "model.safetensors")
    assert not any(after[name].equal(value) for name, value in before.items() if name.endswith("conv.weight"))


def test_a_head_is_fitted_to_what_training_shows(data: Path, body: Path, tmp_path: Path):
    """A body with batch statistics of quite other pictures: training all of it goes on from the fitted head."""
    state = load_file(body / "model.safetensors")
    for name, value in state.items():
        if name.endswith("running_var"):
            value.mul_(100.0)
    shutil.copytree(body, tmp_path / "body")
    save_file(state, tmp_path / "body" / "model.safetensors")
    words = ["--weights", str(tmp_path / "body"), "--tune", "head,all", "--epochs", "1", "--policy", "none", *TINY]
    assert main(["train", str(data), *words, "--out", str(tmp_path / "run"), "--rate", "0.001"]) == 0
    (row,) = open_run(tmp_path / "run").log_rows()
    assert float(row["train_accuracy"]) > 0.8


def test_a_fitted_head_is_kept_until_an_epoch_is_better(
    data: Path, body: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """--tune head,all at a rate that spoils everything ends with the fitted head's weights and figures."""
    words = ["--weights", str(body), "--tune", "head,all", "--epochs", "1", "--policy", "light", *TINY]
    assert main(["train", str(data), *words, "--rate", "30", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "the fitted head, before epoch 1" in said
    run = open_run(tmp_path / "run")
    fitted = float(said.partition("pictures right after")[2].partition("head      ")[2].partition("%")[0])
    assert run.metrics["accuracy"] == pytest.approx(fitted / 100, abs=0.001)
    (row,) = run.log_rows()
    assert float(row["val_accuracy"]) < run.metrics["accuracy"]


def test_minutes_that_end_with_the_fitted_head(
    data: Path, body: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """--tune head,all with too little time for the rest keeps the head it fitted, says so, and can be reported."""
    words = ["--weights", str(body), "--tune", "head,all", "--minutes", "0.001", "--out", str(tmp_path / "run"), *TINY]
    assert main(["train", str(data), *words, "--policy", "none"]) == 0
    said = capsys.readouterr().out
    assert "no time was left to train the rest" in said and "the fitted head, before epoch 1" in said
    assert open_run(tmp_path / "run").metrics["accuracy"] > 0.8
    assert main(["report", str(tmp_path / "run")]) == 0


def test_a_head_that_diverges_is_told(
    data: Path, body: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """A loss that is not finite while the head is fitted is one line with what to try."""
    monkeypatch.setattr(fitting, "rate_at", lambda *_, **__: float("inf"))
    words = ["--weights", str(body), "--tune", "head,all", "--epochs", "1", "--out", str(tmp_path / "run"), *TINY]
    assert main(["train", str(data), *words]) == 2
    said = capsys.readouterr().err
    assert "a finite loss" in said and "--rate" in said and said.count("\n") == 1
