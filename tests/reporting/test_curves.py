"""reporting/curves.py: several trainings on one plot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import pictaxa
from pictaxa.cli.main import main
from pictaxa.reporting.curves import Curve, curves_figure, labels_of
from pictaxa.reporting.figures import svg
from pictaxa.runs.folder import open_run

Make = Callable[..., Path]
ROW = {
    "epoch": "1", "step": "10", "seconds": "90", "train_loss": "2", "train_accuracy": "0.25", "val_loss": "1",
    "val_accuracy": "0.5",
}  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]) -> list[Path]:
    """Trainings of the same pictures that differ in the learning rate."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8})
    places = [tmp_path / "one", tmp_path / "two"]
    for place, lr in zip(places, ("0.01", "0.001"), strict=True):
        assert main(["train", str(data), *tiny, "--epochs", "2", "--lr", lr, "--out", str(place)]) == 0
    return places


def test_several_runs_are_drawn_and_told_apart(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By the setting in which they differ; equal ones by their folders; a notebook shows the plot."""
    out = tmp_path / "new" / "c.png"
    assert main(["curves", *map(str, runs), "--out", str(out), "--over", "minutes"]) == 0
    assert str(out) in capsys.readouterr().out
    with Image.open(out) as image:
        assert image.width > 1000
    assert labels_of([open_run(run) for run in runs]) == ["lr 0.01", "lr 0.001"]
    shutil.copytree(runs[0], tmp_path / "copy")
    several = [open_run(run) for run in (*runs, tmp_path / "copy")]
    assert labels_of(several) == ["one: lr 0.01", "two: lr 0.001", "copy: lr 0.01"]
    assert labels_of(several[:1]) == ["one"]
    preview = pictaxa.curves([runs[0], pictaxa.load(runs[1])], tmp_path / "d.png", over="steps")
    assert preview.picture.exists() and "<img" in preview._repr_html_()


def test_the_curves_have_the_logs_values():
    """Training and validation of each, over what is asked for; an epoch without validation has no point."""
    later = {**ROW, "epoch": "2", "step": "20", "seconds": "180", "train_loss": "1.5"}
    later |= {"val_loss": "", "val_accuracy": ""}
    curves = [Curve("plain $x$", [ROW, later]), Curve("residual", [ROW])]
    for over, places in (("epochs", [1, 2]), ("steps", [10, 20]), ("minutes", [1.5, 3.0])):
        loss, accuracy = curves_figure(curves, over=over).axes
        training, validation, *_ = loss.get_lines()
        assert list(training.get_xdata()) == places and list(training.get_ydata()) == [2, 1.5]
        assert list(validation.get_ydata()) == [1] and list(accuracy.get_lines()[1].get_ydata()) == [50]
    text = svg(curves_figure(curves))
    assert "plain $x$" in text and "residual" in text and "solid: validation, dashed: training" in text


def test_a_run_without_epochs_is_left_out(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It is told; where no run has one, that is an error of one line, as is a folder that is no run."""
    head = next(line for line in (runs[1] / "log.csv").read_text().splitlines())
    (runs[1] / "log.csv").write_text(head + "\n")
    (runs[1] / "manifest.json").unlink()
    assert main(["curves", *map(str, runs), "--out", str(tmp_path / "c.png")]) == 0
    assert "two has no epoch" in capsys.readouterr().err
    assert main(["curves", str(runs[1]), "--out", str(tmp_path / "c.png")]) == 2
    assert "a run with epochs; found none" in capsys.readouterr().err
    assert main(["curves", str(tmp_path), "--out", str(tmp_path / "c.png")]) == 2
