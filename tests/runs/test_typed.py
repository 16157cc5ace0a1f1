from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest

from pictaxa.errors import RunError
from pictaxa.runs.typed import read_json, typed


@dataclass(frozen=True)
class Point:
    """Of two numbers, one with a default."""

    x: float
    y: float = 2.0


class Named(TypedDict):
    """Of one name."""

    name: str


FITS: list[tuple[Any, Any, Any]] = [
    (3, int, 3), (3, float, 3), (None, int | None, None), ("a", Literal["a", "b"], "a"),
    ([1, 2], tuple[int, ...], (1, 2)),
    ([[1], []], list[list[int]], [[1], []]), ({"x": 1}, Point, Point(1, 2.0)), ({"name": "n"}, Named, {"name": "n"}),
    ({"a": {"x": 1, "y": 2}}, dict[str, Point], {"a": Point(1, 2)}), ({"x": None}, dict[str, Any], {"x": None}),
]  # fmt: skip
UNFIT: list[tuple[Any, Any, str]] = [
    (True, int, "a whole number"), (3.5, int, "a whole number"), ("3", float, "a number"), (True, float, "a number"),
    (10**400, float, "a number"), (1, Literal[True], "True"), (None, str, "text"), ({}, tuple[int, ...], "a list"),
    ([1, "2"], list[int], r"\[1\] = '2'"), ({"y": 1}, Point, "no x"), ({"x": 1, "z": 1}, Point, "an unknown z"),
    ({"a": {"x": []}}, dict[str, Point], r"a\.x = \[\]"), ([], dict[str, int], "an object"), ({}, Named, "no name"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "kind", "value"), FITS)
def test_what_fits_becomes_a_value(document: Any, kind: Any, value: Any):
    """Of the type that was asked for, and a whole number where a number may be stays whole."""
    made = typed(document, kind, path=Path("a.json"))
    assert made == value and type(made) is type(value)


@pytest.mark.parametrize(("document", "kind", "told"), UNFIT)
def test_what_does_not_fit_is_told_with_its_place(document: Any, kind: Any, told: str):
    """One line with the file, the place and what would fit."""
    with pytest.raises(RunError, match=rf"a\.json.*{told}"):
        typed(document, kind, path=Path("a.json"))


def test_later_names_may_be_passed_over():
    """Where that is asked for; elsewhere a name that is not known may be a known one misspelt."""
    assert typed({"x": 1, "z": 1}, Point, path=Path("a.json"), passes_over=True) == Point(1)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1, "a": 2}', "[NaN]", "[Infinity]", "[" * 100_000, "1" * 5000, "\ud800", "\x00"]
)
def test_json_is_read_strictly(tmp_path: Path, text: str):
    """Cut, with a name twice, with what is no number, nested without end, or no UTF-8: one line."""
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(RunError, match=r"JSON in a\.json"):
        read_json(tmp_path / "a.json")
