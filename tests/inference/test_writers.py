from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
from rich.cells import cell_len

from pictaxa.errors import ConfigError, ProblemKind
from pictaxa.inference.predictor import Prediction
from pictaxa.inference.writers import (
    PATH_CELLS,
    CsvWriter,
    JsonLinesWriter,
    TableWriter,
    harmless,
    open_writer,
    write_all,
)

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
    table.write(
        Prediction(
            "y.jpg", CLASSES, probabilities=None, logits=None, problem="empty file", problem_kind=ProblemKind.EMPTY
        )
    )
    _, first, second = out.getvalue().splitlines()
    assert first.endswith("玫瑰 70.0%, rose 20.0%") and second.endswith("not read: empty file")


def written(
    out: Path, predictions: list[Prediction], classes: tuple[str, ...] = CLASSES, **how: Any
) -> list[list[str]]:
    """The cells of a CSV file, as a program reads them."""
    with open_writer(out, classes, **how) as writer:
        assert write_all(predictions, [writer])[0] == sum(not said.problem for said in predictions)
    with out.open(encoding="utf-8" if how.get("spreadsheet") is False else "utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_csv_for_a_spreadsheet(tmp_path: Path):
    """It begins with the mark by which Excel knows UTF-8, and no cell with what a spreadsheet would run."""
    names = ("=1+1", "玫瑰", "-1")
    values = np.array([0.5, 0.25, 0.25], dtype=np.float32)
    said = [Prediction(path, names, probabilities=values, logits=values) for path in ("@a.jpg", "b;=c.jpg", "花.jpg")]
    rows = written(tmp_path / "a.csv", said, names, top=None)
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert rows[0] == ["path", "label", "probability", "problem", "p:=1+1", "p:玫瑰", "p:-1"]
    assert [row[0] for row in rows[1:]] == ["'@a.jpg", "b;=c.jpg", "花.jpg"]
    assert rows[1][1:] == ["'=1+1", "0.500000", "", "0.500000", "0.250000", "0.250000"]
    table = pyarrow.csv.read_csv(tmp_path / "a.csv")
    assert table["probability"].to_pylist() == [0.5] * 3 and table["p:玫瑰"].to_pylist() == [0.25] * 3
    # Also where a semicolon parts cells: each of ours is quoted.
    assert '"b;=c.jpg"' in (tmp_path / "a.csv").read_text(encoding="utf-8-sig")


def test_a_csv_for_programs(tmp_path: Path):
    """The names as they are, bytes that are no UTF-8 as escapes, and no mark before them."""
    paths = ["=1.jpg", "a\nb.jpg", "\udcff.jpg", "\ud800.jpg"]
    rows = written(tmp_path / "a.csv", [said(path, 0.7, 0.2, 0.1) for path in paths], top=None, spreadsheet=False)
    assert (tmp_path / "a.csv").read_bytes().startswith(b"path,label")
    assert [row[0] for row in rows[1:]] == ["=1.jpg", "a\nb.jpg", "\\xff.jpg", "\\ud800.jpg"]
    assert all(row[1] == "玫瑰" and float(row[2]) == pytest.approx(0.7) for row in rows[1:])


@pytest.mark.parametrize("spreadsheet", [True, False])
def test_top_in_a_csv(tmp_path: Path, spreadsheet: bool):
    """The best few classes with their probabilities, no more of them than there are; blank where nothing was read."""
    bad = Prediction(
        "y.jpg", CLASSES, probabilities=None, logits=None, problem="empty file", problem_kind=ProblemKind.EMPTY
    )
    for top, more in ((1, []), (2, ["rose", "0.200000"]), (9, ["rose", "0.200000", CLASSES[2], "0.100000"])):
        rows = written(tmp_path / "a.csv", [said("x.jpg", 0.7, 0.2, 0.1), bad], top=top, spreadsheet=spreadsheet)
        places = range(2, 2 + len(more) // 2)
        heads = [f"{what}_{place}" for place in places for what in ("label", "probability")]
        assert rows[0] == ["path", "label", "probability", "problem", *heads]
        assert rows[1] == ["x.jpg", "玫瑰", "0.700000", "", *more]
        assert rows[2] == ["y.jpg", "", "", "empty file", *[""] * len(more)]


@pytest.mark.parametrize("text", ["=1", "+a", "-a", "@a", "\ta", "\ra", "\na", "＝1", "＠a", "-1+1", "-", "+1.2.3"])
def test_no_cell_is_a_formula(text: str):
    """OWASP's list: an apostrophe makes them text."""
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "rose", "-1", "+1.5", "-.5", "a=1", "1-1", "玫瑰"])
def test_other_cells_stay(text: str):
    """Numbers with a sign, and what begins with something else."""
    assert harmless(text) == text


def test_json_lines_of_any_name(tmp_path: Path):
    """Each line is JSON in UTF-8, with the names as they are but for undecodable bytes."""
    with open_writer(tmp_path / "a.jsonl", CLASSES, top=2) as writer:
        write_all([said("a\nb\udcff.jpg", 0.7, 0.2, 0.1)], [writer])
    document = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    assert document["path"] == "a\nb\\xff.jpg" and document["probabilities"] == {"玫瑰": 0.7, "rose": 0.2}


def test_a_tables_names_are_shown():
    """Codes that a terminal obeys are spelt out, in paths and in classes, and the columns still line up."""
    out = io.StringIO()
    names = ("a\x1b[31m", "b\nc")
    table = TableWriter(out, names, top=None)
    for path in ("\x1b]0;x\x07.jpg", "\udcff.jpg"):
        values = np.array([0.75, 0.25], dtype=np.float32)
        table.write(Prediction(path, names, probabilities=values, logits=values))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3 and len({cell_len(line) for line in lines}) == 1 and "\x1b" not in out.getvalue()
    assert r"a\x1b[31m" in lines[1] and r"\xff.jpg" in lines[2] and r"b\nc" in lines[0]


@pytest.mark.parametrize("name", ["answers.txt", "answers", "nowhere/answers.csv"])
def test_places_that_cannot_be_written(tmp_path: Path, name: str):
    """Another suffix, or a folder that is not there, is told before anything is predicted."""
    with pytest.raises(ConfigError, match=r"--out|suffix"), open_writer(tmp_path / name, CLASSES, top=None):
        pass


def text_of(path: Path, *, top: int | None) -> str:
    """What a file holds after a prediction, a file that can't be read and a path that is no UTF-8."""
    predictions = [
        said("a,b.jpg", 0.75, 0.2, 0.05),
        Prediction(
            "y.jpg", CLASSES, probabilities=None, logits=None, problem="empty file", problem_kind=ProblemKind.EMPTY
        ),
        said("caf\udce9.jpg", 0.125, 0.125, 0.75),
    ]
    with (
        open_writer(path, CLASSES, top=top, spreadsheet=False) as writer,
        open_writer(path.with_name("also.JSONL"), CLASSES, top=1) as other,
    ):
        assert write_all(iter(predictions), [writer, other]) == (2, 1)
    return path.read_text(encoding="utf-8")


def test_a_table_for_programs(tmp_path: Path):
    """CSV: a column for every class without --top, nothing where a file was not read, bytes as escapes."""
    assert list(csv.reader(io.StringIO(text_of(tmp_path / "a.csv", top=None)))) == [
        ["path", "label", "probability", "problem", *(f"p:{name}" for name in CLASSES)],
        ["a,b.jpg", "玫瑰", "0.750000", "", "0.750000", "0.200000", "0.050000"],
        ["y.jpg", "", "", "empty file", "", "", ""],
        ["caf\\xe9.jpg", "a very long class name", "0.750000", "", "0.125000", "0.125000", "0.750000"],
    ]


@pytest.mark.parametrize(("top", "count"), [(None, 3), (2, 2), (9, 3)])
def test_lines_of_json(tmp_path: Path, top: int | None, count: int):
    """An object a line, the most probable classes first, as many as asked for."""
    first, second, third = map(json.loads, text_of(tmp_path / "a.jsonl", top=top).splitlines())
    assert list(first) == ["path", "label", "probability", "probabilities"]
    assert (first["path"], first["label"], first["probability"]) == ("a,b.jpg", "玫瑰", 0.75)
    best = {"玫瑰": 0.75, "rose": 0.2, "a very long class name": 0.05}
    assert list(first["probabilities"].items()) == list(best.items())[:count]
    assert second == {"path": "y.jpg", "problem": "empty file", "problem_kind": "empty"}
    assert third["path"] == "caf\\xe9.jpg" and len(third["probabilities"]) == count


def test_probabilities_to_six_places(tmp_path: Path):
    """In JSON and in CSV the same, rounded."""
    with (tmp_path / "a.jsonl").open("w") as lines, (tmp_path / "a.csv").open("w", newline="") as rows:
        writers = [JsonLinesWriter(lines, top=None), CsvWriter(rows, CLASSES, top=None, spreadsheet=False)]
        write_all([said("x.jpg", 0.12345678, 0.87654322, 0.0)], writers)
    (told,) = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert told["probability"] == 0.876543 and list(told["probabilities"].values()) == [0.876543, 0.123457, 0.0]
    assert (tmp_path / "a.csv").read_text().splitlines()[1].split(",")[-3:] == ["0.123457", "0.876543", "0.000000"]


def test_what_is_no_number_is_no_json(tmp_path: Path):
    """NaN has no word in JSON, so it is never written as one."""
    with open_writer(tmp_path / "a.jsonl", CLASSES, top=None) as writer, pytest.raises(ValueError, match="JSON"):
        writer.write(said("a.jpg", float("nan"), 0.0, 0.0))
