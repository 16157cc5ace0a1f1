from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pictaxa
from pictaxa.cli.main import main
from pictaxa.judge.complete import STEPS, complete_run
from pictaxa.runs.folder import open_run
from pictaxa.runs.judgement import read_judgement
from pictaxa.runs.names import DERIVED, MANIFEST, METRICS

Trained = tuple[Path, Path]


def test_a_training_ends_with_all_of_it(trained: Trained, capsys: pytest.CaptureFixture[str]):
    """Each file that can be made of a run is there after a training, and each step has one of them and says a line."""
    _, run = trained
    complete_run(run)
    assert len(capsys.readouterr().out.splitlines()) == len(STEPS)
    assert {step.file for step in STEPS} <= set(DERIVED)
    assert all((run / step.file).is_file() for step in STEPS) and read_judgement(open_run(run)) is not None


def test_python_and_resuming_complete_too(make_photos: Callable[..., Path], tmp_path: Path):
    """A training from Python, and one that has ended and is resumed."""
    data = make_photos(tmp_path / "photos", {"red": 8, "green": 8})
    trained = pictaxa.train(data, model="lenet5", size=28, epochs=1, out=tmp_path / "run")
    for step in STEPS:
        (trained.run.path / step.file).unlink()
    assert main(["train", "--resume", str(trained.run.path)]) == 0
    assert all((trained.run.path / step.file).is_file() for step in STEPS)


def test_what_cannot_be_made_is_one_line(trained: Trained, capsys: pytest.CaptureFixture[str]):
    """A run whose figures are damaged is as finished as before: a note with the file, and no error."""
    _, run = trained
    (run / MANIFEST).unlink()
    for step in STEPS:
        (run / step.file).unlink()
    (run / METRICS).write_text("[]")
    complete_run(run)
    told = capsys.readouterr().err.splitlines()
    assert told and all(line.startswith("note      ") for line in told) and METRICS in told[0]
