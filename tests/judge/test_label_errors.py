from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.cli.main import main
from pictaxa.config.training import TrainConfig
from pictaxa.data.reading import PLAIN
from pictaxa.errors import RunError
from pictaxa.inspection.inspect import inspect_data
from pictaxa.judge.label_errors import doubt_by_run

Make = Callable[..., Path]


@pytest.fixture
def mislabelled(tmp_path: Path, make_photos: Make) -> Path:
    """Two classes told apart by colour, with two pictures in the wrong one."""
    data = make_photos(tmp_path / "photos", {"red": 24, "green": 24})
    for number in (3, 8):
        (data / "red" / f"{number}.png").rename(data / "green" / f"wrong-{number}.png")
    return data


def suspects(file: Path) -> list[str]:
    document = json.loads(file.read_text(encoding="utf-8"))
    return [p["path"] for f in document["findings"] if f["kind"] == "label" for p in f["pictures"]]


def test_by_a_run(mislabelled: Path, tmp_path: Path, tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    """A run's backbone, probed across folds, points at the wrong ones; a run of other classes is refused."""
    run = tmp_path / "run"
    assert main(["train", str(mislabelled), *tiny, "--epochs", "6", "--lr", "0.02", "--out", str(run)]) == 0
    assert main(["inspect", str(mislabelled), "--run", str(run), "--json", str(tmp_path / "a.json")]) == 0
    assert set(suspects(tmp_path / "a.json")[:2]) == {"green/wrong-3.png", "green/wrong-8.png"}
    assert main(["classes", str(run), "--rename", "red=blue", "--out", str(tmp_path / "other")]) == 0
    assert main(["inspect", str(mislabelled), "--run", str(tmp_path / "other")]) == 2
    assert "the classes of the data" in capsys.readouterr().err


def test_by_folds(mislabelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Trainings on the other parts say it without any run."""
    words = ["inspect", str(mislabelled), "--folds", "2", "--fold-epochs", "10", "--size", "64"]
    assert main([*words, "--json", str(tmp_path / "a.json")]) == 0
    assert {"green/wrong-3.png", "green/wrong-8.png"} <= set(suspects(tmp_path / "a.json"))
    assert "fold      2 of 2" in capsys.readouterr().out


def test_what_is_no_run_is_told_before_any_work(mislabelled: Path, tmp_path: Path):
    """The folder of pictures itself, given for the run."""
    inspection = inspect_data(mislabelled, PLAIN, root=tmp_path / "cache", threads=1)
    with pytest.raises(RunError, match="a run folder"):
        list(doubt_by_run(inspection, TrainConfig(data=mislabelled), mislabelled))
