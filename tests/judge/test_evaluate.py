from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.errors import DataError
from pictaxa.judge.evaluate import evaluate_run
from pictaxa.judge.evaluation import Evaluation, evaluation_lines
from pictaxa.metrics import Predictions, summarise

Make = Callable[..., Path]
Trained = tuple[Path, Path]


def test_the_runs_own_validation_pictures(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Without a folder the run's validation pictures are judged, with the figures that the training kept."""
    _, run = trained
    assert main(["evaluate", str(run), "--json", str(tmp_path / "figures.json")]) == 0
    said = capsys.readouterr().out
    kept = json.loads((run / "metrics.json").read_text())
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["confusion"] == kept["confusion"] and figures["log_loss"] == pytest.approx(
        kept["log_loss"], abs=1e-4
    )
    assert f"accuracy  {kept['accuracy']:.1%} (95% interval" in said and "precision" in said


def test_another_folder_is_matched_by_name(trained: Trained, tmp_path: Path, make_photos: Make):
    """Classes are matched by name, not by place; absent ones are fine, unknown ones are told."""
    _, run = trained
    make_photos(tmp_path / "new", {"red": 6, "green": 5}, first=100)
    evaluation = evaluate_run(run, tmp_path / "new")
    assert evaluation.metrics["pictures"] == 11 and evaluation.metrics["accuracy"] > 0.8
    make_photos(tmp_path / "new", {"purple": 1})
    with pytest.raises(DataError, match="purple"):
        evaluate_run(run, tmp_path / "new")


def test_the_test_split_is_preferred(trained: Trained, tmp_path: Path, make_photos: Make):
    """Of a folder with splits the test pictures are judged; bad ones are named."""
    _, run = trained
    make_photos(tmp_path / "new" / "test", {"red": 3, "green": 3}, first=100)
    make_photos(tmp_path / "new" / "val", {"red": 5}, first=200)
    (tmp_path / "new" / "test" / "red" / "bad.png").write_bytes(b"")
    evaluation = evaluate_run(run, tmp_path / "new")
    assert evaluation.what.startswith("the test pictures") and evaluation.metrics["pictures"] == 6
    assert [str(problem) for _, problem in evaluation.set_aside] == ["empty file"]


def test_the_lines_by_hand():
    """Three of four right; a class that was never said has no precision, one without pictures no recall."""
    labels = np.array([0, 0, 0, 1])
    said = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.6, 0.4, 0.0], [0.7, 0.3, 0.0]], dtype=np.float32)
    predictions = Predictions(rows=np.arange(4), labels=labels, probabilities=said)
    classes = ("a", "b", "猫")
    evaluation = Evaluation(
        classes, paths=[], predictions=predictions, metrics=summarise(predictions, classes), set_aside=[], what="these"
    )
    lines = evaluation_lines(evaluation)
    assert lines[0] == "evaluated these: 4 pictures"
    assert "accuracy  75.0% (95% interval 30.1% to 95.4%), 3 right" in lines
    rows = {line.split()[0]: re.sub(r" \(.*?\)", "", line).split()[1:] for line in lines[-9:-5]}
    assert rows["a"] == ["3", "75.0%", "100.0%", "0.857"]
    assert rows["b"] == ["1", "-", "0.0%", "0.000"] and rows["猫"] == ["0", "-", "-", "-"]
    assert lines[-3].split() == ["a", "3", "0", "0", "|", "100%", "0%", "0%"]


def test_a_row_without_a_label_is_set_aside(trained: Trained, tmp_path: Path, make_photos: Make):
    """A readable picture whose label is missing in the table is named with the reason; the others are judged."""
    data, run = trained
    rows = [f"{data / name / f'{number}.png'},{name}" for name in ("red", "green") for number in range(3)]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows, f"{data / 'red' / '5.png'},"]) + "\n")
    evaluation = evaluate_run(run, tmp_path / "table.csv")
    assert evaluation.metrics["pictures"] == 6
    assert [str(problem) for _, problem in evaluation.set_aside] == ["it has no label"]
