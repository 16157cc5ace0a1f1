"""What every message about a run that was cut off, or has lost files, advises: each is followed here."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pictaxa.cli.main import main
from pictaxa.errors import RunError, TrainingError
from pictaxa.runs.folder import open_run
from pictaxa.runs.writer import WRITER, only_writer
from pictaxa.system import device
from pictaxa.training import loop, session, setup
from pictaxa.training.checkpoint import Counters
from pictaxa.training.resuming import require_unfinished, restore_results
from pictaxa.weights.files import save_tensors

Make = Callable[..., Path]
Said = pytest.CaptureFixture[str]


def command_in(said: str) -> list[str]:
    """The words after `pictaxa` of the command that a message of one line names, to its end."""
    assert said.count("\n") == 1, said
    named = re.search("pictaxa (train .*)\n", said)
    assert named, said
    return shlex.split(named[1])


def raising(error: BaseException) -> Callable[..., Any]:
    """A function that only raises."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def words(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]) -> list[str]:
    """A training of three steps, its place left out."""
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    return ["train", str(data), *tiny, "--epochs", "1", "--checkpoint-seconds", "0"]


@pytest.fixture
def whole(tmp_path: Path, words: list[str]) -> Path:
    """That training, unbroken."""
    assert main([*words, "--out", str(tmp_path / "a whole run")]) == 0
    return tmp_path / "a whole run"


def weights_of(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


@pytest.mark.parametrize("begun", [False, True])
def test_a_disk_that_is_full_before_the_first_state(
    tmp_path: Path, words: list[str], whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, begun: bool
):
    """With the first state, or with the files before it: what the line says leads to the unbroken run's weights."""
    run = tmp_path / "my run"
    module, name = (session, "save_state") if begun else (setup, "write_index")
    with monkeypatch.context() as patch:
        patch.setattr(module, name, raising(FULL))
        capsys.readouterr()
        assert main([*words, "--out", str(run)]) == 2
    said = capsys.readouterr().err
    if begun:
        assert "Free some space" in said and main(command_in(said)) == 0
    else:
        assert "run the command again" in said and not run.exists()
        assert main([*words, "--out", str(run)]) == 0
    assert weights_of(run) == weights_of(whole)


@pytest.mark.parametrize("left", [(), ("classes.json",), ("classes.json", "pictures.json", "index.parquet", WRITER)])
def test_killed_before_anything_was_saved(
    tmp_path: Path, words: list[str], whole: Path, capsys: Said, left: tuple[str, ...]
):
    """--resume says so and names the command that begins it again, which takes the folder as it was left."""
    run = tmp_path / "my run"
    run.mkdir()
    for name in left:
        (run / name).write_bytes(b"")
    (run / "partial-config.json").write_bytes(b"{")
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 2
    again = command_in(capsys.readouterr().err)
    assert "..." in again
    assert main([*words, *again[again.index("...") + 1 :]]) == 0
    assert weights_of(run) == weights_of(whole)
    assert not {WRITER, "partial-config.json"} & set(os.listdir(run))


def test_a_place_with_something_else_in_it(tmp_path: Path, words: list[str], whole: Path, capsys: Said):
    """--resume is advised for a run alone; of a stranger's folder nothing is touched."""
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "letter.txt").write_text("x")
    capsys.readouterr()
    assert main([*words, "--out", str(strange)]) == 2
    assert "--resume" not in capsys.readouterr().err and os.listdir(strange) == ["letter.txt"]
    assert main([*words, "--out", str(whole)]) == 2
    assert f"--resume '{whole}'" in capsys.readouterr().err
    assert main(["train", "--resume", str(whole)]) == 0


@pytest.mark.parametrize("mistake", [TrainingError("x", found="y", fix="z"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_training_that_did_not_begin(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, mistake: BaseException
):
    """An error or Ctrl-C while pictures are decoded: no folder stays, but one that was there before does."""
    monkeypatch.setattr(setup, "decode", raising(mistake))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    for out in ([], ["--out", str(tmp_path / "new")], ["--out", str(tmp_path / "empty")]):
        assert main([*words, *out]) in (2, 130)
    assert sorted(os.listdir(tmp_path)) == ["empty", "photos", "runs"] and not os.listdir("runs")
    assert not os.listdir("empty")


@pytest.mark.parametrize("damage", ["removed", "empty"])
def test_a_model_that_is_lost_after_the_end(tmp_path: Path, whole: Path, capsys: Said, damage: str):
    """`evaluate` says to resume, and resuming writes the very same weights again where the last epoch was the best."""
    before = weights_of(whole)
    (whole / "model.safetensors").unlink()
    if damage == "empty":
        (whole / "model.safetensors").write_bytes(b"")
    capsys.readouterr()
    assert main(["evaluate", str(whole)]) == 2
    said = capsys.readouterr().err
    if damage == "empty":
        assert "or remove it and" in said
        (whole / "model.safetensors").unlink()
    assert main(command_in(said)) == 0
    assert weights_of(whole) == before and "no longer" not in capsys.readouterr().out
    assert main(["evaluate", str(whole)]) == 0


def test_best_weights_that_are_lost_and_were_not_the_last(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Said
):
    """Those of the saved state are kept instead, which is said, with the command that trains all of it again."""
    run = tmp_path / "my run"
    words = ["2" if word == "1" else word for word in words]  # epochs
    scores = iter([{"val_accuracy": 0.9, "val_loss": 0.1}, {"val_accuracy": 0.8, "val_loss": 0.2}])
    with monkeypatch.context() as patch:
        patch.setattr(session, "evaluate", lambda *_: next(scores))
        assert main([*words, "--out", str(run)]) == 0
    first = weights_of(run)
    (run / "model.safetensors").unlink()
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 0
    said = capsys.readouterr().out
    assert "the weights of epoch 1, which were the best, are no longer in" in said and "(epoch 2)" in said
    assert main(["evaluate", str(run)]) == 0 and weights_of(run) != first
    again = shlex.split(re.search("pictaxa (train --config .*)", said)[1])  # type: ignore[index]
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        scores = iter([{"val_accuracy": 0.9, "val_loss": 0.1}, {"val_accuracy": 0.8, "val_loss": 0.2}])
        patch.setattr(session, "evaluate", lambda *_: next(scores))
        assert main(again) == 0
    assert weights_of(next(Path("runs").iterdir())) == first


@pytest.mark.parametrize("name", ["metrics.json", "predictions-val.parquet", "probe.npz", "log.csv"])
def test_results_that_are_lost_after_the_end(whole: Path, name: str, capsys: Said):
    """Each is written again as it was, which is said."""
    before = (whole / name).read_bytes()
    (whole / name).unlink()
    capsys.readouterr()
    assert main(["train", "--resume", str(whole)]) == 0
    assert (whole / name).read_bytes() == before and f"note      {name}: lost since" in capsys.readouterr().out
    assert main(["train", "--resume", str(whole)]) == 0 and "lost since" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["cut", "removed"])
def test_states_that_are_lost(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, damage: str):
    """None is whole: the line's command trains again into a new folder, with the same end; the old one stays."""
    for path in (whole / "state").iterdir():
        if damage == "cut":
            os.truncate(path, 100)
        else:
            path.unlink()
    capsys.readouterr()
    assert main(["train", "--resume", str(whole)]) == 2
    monkeypatch.chdir(tmp_path)
    assert main(command_in(capsys.readouterr().err)) == 0
    (again,) = Path("runs").iterdir()
    assert weights_of(again) == weights_of(whole)


def test_pictures_that_have_changed(
    tmp_path: Path,
    words: list[str],
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
    draw: Callable[..., Any],
):
    """The line's command trains on them as they are now."""
    draw(0, 500).save(Path(words[1]) / "a" / "0.png")
    capsys.readouterr()
    assert main(["train", "--resume", str(whole)]) == 2
    monkeypatch.chdir(tmp_path)
    assert main(command_in(capsys.readouterr().err)) == 0


def test_a_backbone_that_is_lost(tmp_path: Path, make_photos: Make, backbone: Path, capsys: Said):
    """Before the first state the given weights are taken again; a head's states without it are refused with a way."""
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    flags = [str(data), "--size", "32", "--batch-size", "8", "--precision", "float32", "--weights", str(backbone)]
    flags += ["--tune", "head", "--solve-head", "no", "--epochs", "1"]
    whole, broken = tmp_path / "a whole run", tmp_path / "broken"
    assert main(["train", *flags, "--out", str(whole)]) == 0
    broken.mkdir()
    for name in ("classes.json", "pictures.json", "index.parquet", "config.json"):
        shutil.copy(whole / name, broken / name)
    assert main(["train", "--resume", str(broken)]) == 0
    assert weights_of(broken) == weights_of(whole)
    (whole / "state" / "backbone.safetensors").unlink()
    capsys.readouterr()
    assert main(["train", "--resume", str(whole)]) == 2
    assert command_in(capsys.readouterr().err)[:2] == ["train", "--config"]


def test_a_second_training_or_resume_is_told_at_once(
    tmp_path: Path, words: list[str], whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
):
    """Before anything is read: who trains there; what the first writes stays as it is; afterwards it goes on."""
    run = tmp_path / "my run"
    run.mkdir()
    told = []
    with only_writer(run), only_writer(whole), monkeypatch.context() as patch:
        for module, name in ((setup, "read_data"), (loop, "prepare_again")):
            patch.setattr(module, name, raising(AssertionError("something was read")))
        for command in (
            [*words, "--out", str(run)], [*words, "--out", str(whole)], ["train", "--resume", str(whole)],
            ["train", "--resume", str(run)],
        ):  # fmt: skip
            capsys.readouterr()
            assert main(command) == 2
            told.append(capsys.readouterr().err)
    assert all(f"process {os.getpid()} on this machine" in said and said.count("\n") == 1 for said in told), told
    assert main(["train", "--resume", str(whole)]) == 0 and main([*words, "--out", str(run)]) == 0
    assert not {WRITER, "writer.lock"} & {*os.listdir(run), *os.listdir(whole)}


def test_trainings_at_once_without_a_place_take_different_ones(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
):
    """A second training that begins while the first decides on its pictures has the next number."""
    monkeypatch.chdir(tmp_path)
    prepare = loop.prepare

    def after_another(*given: Any) -> Any:
        monkeypatch.setattr(loop, "prepare", prepare)
        assert main(words) == 0
        return prepare(*given)

    monkeypatch.setattr(loop, "prepare", after_another)
    assert main(words) == 0
    assert sorted(os.listdir("runs")) == ["photos-lenet5-1", "photos-lenet5-2"]


def test_another_machine_is_no_longer_bitwise(
    tmp_path: Path, words: list[str], whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
):
    """Other threads, precision or device than it began with: one line names each; with the same ones none does."""
    assert main(["train", "--resume", str(whole)]) == 0
    assert "bitwise" not in capsys.readouterr().out
    before = open_run(whole).chosen.machine["threads"]
    monkeypatch.setattr(device, "usable_cores", lambda: before + 1)
    assert main(["train", "--resume", str(whole)]) == 0
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "bitwise" in line]
    assert said.startswith(f"note      threads {before + 1} instead of {before}: ")


def test_a_run_that_never_had_states_is_not_trained_over(tmp_path: Path, whole: Path, capsys: Said):
    """A run of renamed classes has none: resuming is refused, and its model stays."""
    renamed = tmp_path / "renamed"
    assert main(["classes", str(whole), "--rename", "a=z", "--out", str(renamed)]) == 0
    before = weights_of(renamed)
    assert main(["train", "--resume", str(renamed)]) == 2
    assert weights_of(renamed) == before
    job: Any = SimpleNamespace(run=open_run(renamed))
    with pytest.raises(RunError, match="of a training that had begun"):
        require_unfinished(job)


@pytest.mark.parametrize(("best_epoch", "lost"), [(-1, False), (0, True), (2, True)])
def test_the_best_weights_that_are_lost(tmp_path: Path, capsys: Said, best_epoch: int, lost: bool):
    """Those of a solved head, before epoch 1, too: the next validation keeps its own; where none were kept, no word."""
    (tmp_path / "log.csv").write_text("")
    job: Any = SimpleNamespace(run=SimpleNamespace(path=tmp_path, log_path=tmp_path / "log.csv"))
    counters = Counters(best_epoch=best_epoch, best_accuracy=0.7, best_loss=0.6, pictures=8)  # within an epoch
    going: Any = SimpleNamespace(counters=counters, learner=SimpleNamespace(best_path=tmp_path / "model.safetensors"))
    restore_results(job, going)
    said = capsys.readouterr().out
    if lost:
        assert (counters.best_accuracy, counters.best_loss, counters.best_epoch) == (-1.0, None, -1)
        assert f"the weights of epoch {best_epoch}, which were the best, are no longer" in said
    else:
        assert counters.best_accuracy == 0.7 and not said
    save_tensors({"weight": torch.ones(1)}, tmp_path / "model.safetensors")
    counters.best_epoch, counters.best_accuracy = 1, 0.7
    restore_results(job, going)
    assert (counters.best_epoch, counters.best_accuracy) == (1, 0.7) and not capsys.readouterr().out
