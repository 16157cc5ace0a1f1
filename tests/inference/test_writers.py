from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from pictaxa.errors import ConfigError
from pictaxa.inference.predictor import Prediction
from pictaxa.inference.writers import PATH_CELLS, TableWriter, open_writer, write_all

CLASSES = ("玫瑰", "rose", "a very long class name")


def said(path: str, *probabilities: float) -> Prediction:
    values = np.array(probabilities, dtype=np.float32)
    return Prediction(path, CLASSES, probabilities=values, logits=values)


def test_columns_line_up_in_any_script():
    """Chinese names and paths take two cells a character; the columns still start at the same place."""
    out = io.StringIO()
    table = TableWriter(out, CLASSES, top=None)
    table.write(said("照片/花.jpg", 0.7, 0.2, 0.1))
    table.write(said("a" * 90 + "/end.jpg", 0.1, 0.2, 0.7))
    table.write(said("new\nline.jpg", 0.1, 0.8, 0.1))
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert len({cell_len(line) for line in lines}) == 1
    assert cell_len(lines[1][: lines[1].index("玫瑰")]) == PATH_CELLS + 2
    assert "/end.jpg" in lines[2] and "new\\nline.jpg" in lines[3]


def test_top_and_problems_in_the_table():
    """--top shows the best few, and a file that was not read its reason."""
    out = io.StringIO()
    table = TableWriter(out, CLASSES, top=2)
    table.write(said("x.jpg", 0.7, 0.2, 0.1))
    table.write(Prediction("y.jpg", CLASSES, probabilities=None, logits=None, problem="empty file"))
    _, first, second = out.getvalue().splitlines()
    assert first.endswith("玫瑰 70.0%, rose 20.0%") and second.endswith("not read: empty file")


@pytest.mark.parametrize("name", ["answers.txt", "answers", "nowhere/answers.csv"])
def test_places_that_cannot_be_written(tmp_path: Path, name: str):
    """Another suffix, or a folder that is not there, is told before anything is predicted."""
    with pytest.raises(ConfigError, match=r"--out|suffix"), open_writer(tmp_path / name, CLASSES, top=None):
        pass


def written(path: Path, *, top: int | None) -> str:
    """What a file holds after a prediction, a file that can't be read and a path that is no UTF-8."""
    predictions = [
        said("a,b.jpg", 0.75, 0.2, 0.05),
        Prediction("y.jpg", CLASSES, probabilities=None, logits=None, problem="empty file"),
        said("caf\udce9.jpg", 0.125, 0.125, 0.75),
    ]
    with (
        open_writer(path, CLASSES, top=top) as writer,
        open_writer(path.with_name("also.JSONL"), CLASSES, top=1) as other,
    ):
        assert write_all(iter(predictions), [writer, other]) == (2, 1)
    return path.read_text(encoding="utf-8")


def test_a_table_for_programs(tmp_path: Path):
    """CSV: a column for every class whatever --top says, nothing where a file was not read, bytes as escapes."""
    assert list(csv.reader(io.StringIO(written(tmp_path / "a.csv", top=1)))) == [
        ["path", "label", "probability", "problem", *(f"p:{name}" for name in CLASSES)],
        ["a,b.jpg", "玫瑰", "0.750000", "", "0.750000", "0.200000", "0.050000"],
        ["y.jpg", "", "", "empty file", "", "", ""],
        ["caf\\xe9.jpg", "a very long class name", "0.750000", "", "0.125000", "0.125000", "0.750000"],
    ]


@pytest.mark.parametrize(("top", "count"), [(None, 3), (2, 2), (9, 3)])
def test_lines_of_json(tmp_path: Path, top: int | None, count: int):
    """An object a line, the most probable classes first, as many as asked for."""
    first, second, third = map(json.loads, written(tmp_path / "a.jsonl", top=top).splitlines())
    assert list(first) == ["path", "label", "probability", "probabilities"]
    assert (first["path"], first["label"], first["probability"]) == ("a,b.jpg", "玫瑰", 0.75)
    best = {"玫瑰": 0.75, "rose": 0.2, "a very long class name": 0.05}
    assert list(first["probabilities"].items()) == list(best.items())[:count]
    assert second == {"path": "y.jpg", "problem": "empty file"}
    assert third["path"] == "caf\\xe9.jpg" and len(third["probabilities"]) == count


def test_what_is_no_number_is_no_json(tmp_path: Path):
    """NaN has no word in JSON, so it is never written as one."""
    with open_writer(tmp_path / "a.jsonl", CLASSES, top=None) as writer, pytest.raises(ValueError, match="JSON"):
        writer.write(said("a.jpg", float("nan"), 0.0, 0.0))
