from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictaxa.cli.main import main
from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.errors import MissingExtraError
from pictaxa.reporting.board_mlflow import EXPERIMENT
from pictaxa.reporting.board_tensorboard import MAX_CURVES
from pictaxa.reporting.boards import following, require_boards, tell_end
from pictaxa.runs.folder import open_run

Make = Callable[..., Path]


def read_events(folder: Path) -> Any:
    """What TensorBoard itself reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0, "tensors": 0})
    events.Reload()
    return events


def test_tensorboard_has_the_curves_and_pictures(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]):
    """Those of log.csv, epoch by epoch; augmented pictures, settings, and the result's figures."""
    data = make_photos(tmp_path / "photos", {"red": 8, "green": 8})
    words = ["train", str(data), *tiny, "--epochs", "3", "--out", str(tmp_path / "run")]
    assert main([*words, "--tensorboard", str(tmp_path / "board")]) == 0
    run = open_run(tmp_path / "run")
    events = read_events(tmp_path / "board" / "run")
    for column, name in (("train_loss", "loss/training"), ("val_accuracy", "accuracy/validation"), ("lr", "lr")):
        told = events.Scalars(name)
        assert [one.step for one in told] == [1, 2, 3]
        expected = [float(row[column]) for row in run.log_rows()]
        assert [one.value for one in told] == pytest.approx(expected, rel=1e-4)
    assert [one.value for one in events.Scalars("result/accuracy")] == pytest.approx([run.metrics["accuracy"]])
    images = events.Tags()["images"]
    assert "training pictures" in images and "result/confusion" in images
    assert "settings/text_summary" in events.Tags()["tensors"]
    assert len(run.classes) < MAX_CURVES
    assert any(name.startswith("precision-recall/red") for name in events.Tags()["tensors"])


@pytest.mark.slow
def test_mlflow_has_the_same(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    """Parameters, metrics by epoch, and the figures as files."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    data = make_photos(tmp_path / "photos", {"red": 8, "green": 8})
    place = (tmp_path / "mlruns").as_uri()
    words = ["train", str(data), *tiny, "--epochs", "2", "--out", str(tmp_path / "run"), "--mlflow", place]
    assert main(words) == 0
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (told,) = client.search_runs([experiment.experiment_id])
    assert told.info.status == "FINISHED" and told.data.params["epochs"] == "2"
    steps = client.get_metric_history(told.info.run_id, "loss/training")
    rows = open_run(tmp_path / "run").log_rows()
    assert [one.value for one in steps] == pytest.approx([float(row["train_loss"]) for row in rows], rel=1e-4)
    assert {one.path for one in client.list_artifacts(told.info.run_id, "result")} >= {"result/confusion.png"}


def test_a_row_is_told_once(tmp_path: Path, judged_run: Make):
    """Epochs that are known already are not told again; one that is validated later is."""
    run = open_run(judged_run(tmp_path, ["a", "b"]))
    config = with_words(TrainConfig(data=tmp_path / "photos"), {"tensorboard": tmp_path / "board"})
    row = {"epoch": 2, "train_loss": 0.5, "val_loss": None, "train_accuracy": 0.5, "val_accuracy": None}
    row |= {"lr": 0.1, "pictures_per_second": 1.0, "waiting_share": 0.0}
    with following(run, config, told=1) as tell:
        tell([{**row, "epoch": 1}, row])
        tell([{**row, "epoch": 1}, row])
        tell([{**row, "epoch": 1}, {**row, "val_loss": 0.25, "val_accuracy": 1.0}])
    events = read_events(tmp_path / "board" / "run")
    assert [(one.step, one.value) for one in events.Scalars("loss/validation")] == [(2, 0.25)]
    assert {one.step for one in events.Scalars("loss/training")} == {2}


def test_a_board_that_fails_stops_nothing(tmp_path: Path, judged_run: Make, capsys: pytest.CaptureFixture[str]):
    """It is told in a line, once."""
    run = open_run(judged_run(tmp_path, ["a", "b"]))
    (tmp_path / "file").write_text("no folder")
    config = with_words(TrainConfig(data=tmp_path / "photos"), {"tensorboard": tmp_path / "file"})
    with following(run, config, told=0) as tell:
        tell([])
    told = capsys.readouterr()
    assert (told.out + told.err).count("can't be written to") == 1


def test_without_boards_nothing_is_loaded(tmp_path: Path, judged_run: Make):
    """A training that nobody follows pays nothing."""
    run = open_run(judged_run(tmp_path, ["a", "b"]))
    before = set(sys.modules)
    with following(run, TrainConfig(data=tmp_path), told=0) as tell:
        tell([{"epoch": 1}] * 0)
    tell_end(run)
    assert not {name for name in set(sys.modules) - before if name.startswith(("tensorboard", "mlflow"))}


def test_a_board_that_is_not_installed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the command that installs it, before the training."""
    for name in ("tensorboard", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingExtraError, match=rf"pictaxa\[{name}\]"):
            require_boards(with_words(TrainConfig(data=tmp_path), {name: str(tmp_path)}))
