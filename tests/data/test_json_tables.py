"""The one label of a picture that was labelled several times, and records of several shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pictaxa.data import json_tables
from pictaxa.data.columns import is_known
from pictaxa.data.json_tables import one_of, read_json, read_json_lines, with_attributes
from pictaxa.errors import Problem, ProblemKind

FILE = Path("a.json")


def test_one_label_of_many():
    """The same one again is one, none is none, two are a problem that names them."""
    assert one_of(["cat", "cat", ""]) == ("cat", None) and one_of([]) == ("", None)
    assert one_of(["cat", "dog", "cat"]) == ("", Problem(ProblemKind.SEVERAL_LABELS, "it has several labels: cat, dog"))


def test_records_need_not_have_the_same_keys():
    """A key that a record lacks is nothing there; pairs are path and label."""
    table = read_json_lines('{"path": "a", "label": 1}\n{"path": "b", "more": true}\n', file=FILE, notes=())
    assert {name: table.words(name) for name in table.columns} == {
        "path": ["a", "b"], "label": ["1", ""], "more": ["", "true"],
    }  # fmt: skip
    table = read_json('[["a.jpg", 3.0], ["b.jpg", null]]', file=FILE, notes=())
    assert table.words("path") == ["a.jpg", "b.jpg"] and table.words("label") == ["3", ""]


@pytest.mark.parametrize(
    "document", [[], {}, 3, "x", [1], {"a": 1}, {"images": [], "annotations": [{}], "categories": []}]
)
def test_what_has_no_records_is_an_error(document: object):
    """Of one kind, whatever the document is."""
    with pytest.raises(ValueError, match=r"."):
        read_json(json.dumps(document), file=FILE, notes=())


def test_an_attribute_of_via_that_several_could_be():
    """Of several attributes the one with a usual name, or the one asked for; two values of it are a problem."""
    rows = [
        {"filename": "a.jpg", "file_attributes": '{"mood": "glad", "class": "cat"}'},
        {"filename": "b.jpg", "file_attributes": '{"mood": "sad", "class": "dog"}'},
        {"filename": "b.jpg", "file_attributes": '{"mood": "sad", "class": "cat"}'},
    ]
    plain = read_json(json.dumps(rows), file=FILE, notes=())
    table = with_attributes(plain, known=is_known, label="")
    assert table.roles == {"path": "filename", "label": "class"} and table.words("class") == ["cat", ""]
    assert table.problems == [None, Problem(ProblemKind.SEVERAL_LABELS, "it has several labels: dog, cat")]
    asked = with_attributes(plain, known=is_known, label="mood")
    assert asked.roles["label"] == "mood" and asked.words("mood") == ["glad", "sad"] and not any(asked.problems)


def test_lines_nested_a_hundred_thousand_deep():
    """They are told by their number before anything goes through them by recursion."""
    deep = '{"path": "a.jpg", "label": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(ValueError, match="line 2: brackets nested more than 64 deep"):
        read_json_lines('{"path": "b.jpg", "label": "x"}\n' + deep + "\n", file=FILE, notes=())
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        read_json(deep, file=FILE, notes=())


def test_records_with_keys_of_their_own(monkeypatch: pytest.MonkeyPatch):
    """Each makes a column for all: a megabyte of them would fill the memory."""
    lines = "\n".join(f'{{"k{number}": 1}}' for number in range(2000))
    assert len(read_json_lines(lines, file=FILE, notes=())) == 2000
    monkeypatch.setattr(json_tables, "MAX_CELLS", 10**6)
    with pytest.raises(ValueError, match="2,000 records with 2,000 different keys"):
        read_json_lines(lines, file=FILE, notes=())
