from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from pictaxa.cli.main import main
from pictaxa.errors import ConfigError, DataError
from pictaxa.judge.evaluate import Selection, evaluate_run
from pictaxa.judge.evaluation import Evaluation, as_json, evaluation_lines
from pictaxa.metrics import Predictions, summarise
from pictaxa.runs.folder import open_run
from pictaxa.runs.names import TEST_LOOKS
from pictaxa.runs.test_looks import read_test_looks

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


def test_test_pictures_are_judged_only_where_they_are_asked_for(trained: Trained, tmp_path: Path, make_photos: Make):
    """Of data with test pictures a split must be named; bad ones are named; a split that is not there is told."""
    _, run = trained
    make_photos(tmp_path / "new" / "test", {"red": 3, "green": 3}, first=100)
    make_photos(tmp_path / "new" / "val", {"red": 5}, first=200)
    (tmp_path / "new" / "test" / "red" / "bad.png").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"--split, .* found 7 under .* Use --split test"):
        evaluate_run(run, tmp_path / "new")
    assert not (run / TEST_LOOKS).exists()
    evaluation = evaluate_run(run, tmp_path / "new", select=Selection(split="test"))
    assert evaluation.what.startswith("the test pictures") and evaluation.metrics["pictures"] == 6
    assert [str(problem) for _, problem in evaluation.set_aside] == ["empty file"]
    assert [look.data for look in evaluation.test_looks] == [str((tmp_path / "new").resolve())]
    assert evaluate_run(run, tmp_path / "new", select=Selection(split="val")).metrics["pictures"] == 5
    with pytest.raises(DataError, match="5 val, 7 test under"):
        evaluate_run(run, tmp_path / "new", select=Selection(split="train"))
    with pytest.raises(DataError, match="test pictures among those of"):
        evaluate_run(run, select=Selection(split="test"))


def test_each_look_at_the_test_pictures_is_counted(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """By --split test, and where they are given as other data; the run's files are still those of its list."""
    data, run = make_photos(tmp_path / "photos" / "train", {"red": 10, "green": 10}).parent, tmp_path / "run"
    make_photos(data / "test", {"red": 3, "green": 3}, first=50)
    shutil.copy(data / "train" / "red" / "0.png", data / "test" / "red" / "leak.png")
    assert main(["train", str(data), *tiny, "--epochs", "1", "--out", str(run)]) == 0
    assert main(["evaluate", str(run)]) == 0  # the validation pictures
    assert not (run / TEST_LOOKS).exists()
    capsys.readouterr()
    assert main(["evaluate", str(run), "--split", "test", "--json", str(tmp_path / "figures.json")]) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[0].startswith("test      this is the first look at these test pictures")
    assert first[1].startswith("seen      1 of 7 pictures are training pictures of this run (the same bytes)")
    (look,) = json.loads((tmp_path / "figures.json").read_text())["test_looks"]
    assert look["pictures"] == 7 and look["data"] == ""
    assert main(["evaluate", str(run), str(data / "test")]) == 0  # by their bytes
    before = f"this is look 2 at these test pictures with this run (before: {look['right'] / 7:.1%}"
    assert before in capsys.readouterr().out
    looks = read_test_looks(open_run(run))
    assert len(looks) == 2 and looks[0].digest == looks[1].digest
    assert main(["train", "--resume", str(run)]) == 0  # which makes the list anew
    assert len(read_test_looks(open_run(run))) == 2


def test_pictures_that_were_trained_on_are_told(trained: Trained):
    """Where the training pictures are asked for; of validation pictures that are no others nothing is said."""
    _, run = trained
    evaluation = evaluate_run(run, select=Selection(split="train"))
    assert evaluation_lines(evaluation)[0].startswith("seen      30 of 30 pictures are training pictures of this run")
    assert as_json(evaluation)["split"] == "train" and len(as_json(evaluation)["seen"]) == 30
    assert not evaluate_run(run).familiarity.seen


def test_a_training_never_touches_test_pictures(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]):
    """Whatever they are and however they are labelled, the weights are the same."""
    found = []
    for number, names in enumerate((("red", "green"), ("green", "red"))):
        data, run = tmp_path / f"photos-{number}", tmp_path / f"run-{number}"
        make_photos(data / "train", {"red": 10, "green": 10})
        make_photos(data / "test", dict.fromkeys(names, 4), first=100 * (number + 1))
        words = [*tiny, "--epochs", "2", "--threads", "1", "--out", str(run)]
        assert main(["train", str(data), *words]) == 0
        found.append(load_file(run / "model.safetensors"))
    assert all(found[0][name].equal(found[1][name]) for name in found[0])


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
