"""The Index: a table with one row per picture, without pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import Problem, ProblemKind
from .file_names import find_on_disk
from .problems import KIND, KIND_TYPE, NAMES, SENTENCE, kind_codes, kind_column, problem_columns

SPLITS = ("train", "val", "test")

SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the root, with forward slashes; FILE#INSIDE for a picture inside a file
        ("inside", pa.string()),  # where in the file, such as image/123 or 000123.jpg; "" for a file of its own
        ("label", pa.int32()),  # -1 where there is none (`problem` says so)
        ("split", pa.string()),  # train, val, test, or "" where it is not decided yet
        ("group", pa.string()),  # pictures of a group stay on one side of a split; "" for a picture by itself
        ("bytes", pa.int64()),  # of the file
        ("mtime_ns", pa.int64()),
        ("width", pa.int32()),  # upright, in pixels; 0 until decoded
        ("height", pa.int32()),
        ("hash", pa.string()),  # of the picture's bytes; "" until read
        ("problem", pa.string()),  # why the picture is set aside, for people; "" when it is fine
        ("problem_kind", KIND_TYPE),  # the same for programs, a ProblemKind
    ]
)
BLANK = {"inside": "", "group": "", "width": 0, "height": 0, "hash": "", "problem": "", "problem_kind": "", "split": ""}


@dataclass(frozen=True)
class Index:
    """The pictures of a data set as a table with SCHEMA's columns; `notes` says what the reader passed over."""

    root: Path
    classes: tuple[str, ...]
    table: pa.Table
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.table.schema.equals(SCHEMA), self.table.schema

    def __len__(self) -> int:
        return self.table.num_rows

    def column(self, name: str) -> np.ndarray:
        """A column as a numpy array (numbers) or an array of str."""
        values: np.ndarray = self.table.column(name).to_numpy(zero_copy_only=False)
        return values

    @property
    def labels(self) -> np.ndarray:
        """(rows,) int64 class indices."""
        return self.column("label").astype(np.int64)

    @property
    def usable(self) -> np.ndarray:
        """(rows,) bool: pictures without a problem."""
        usable: np.ndarray = kind_codes(self.table.column(KIND)) == 0
        return usable

    def of_kind(self, *kinds: ProblemKind) -> np.ndarray:
        """(rows,) bool: pictures with a problem of one of these kinds."""
        return np.isin(kind_codes(self.table.column(KIND)), [NAMES.index(kind) for kind in kinds])

    def problem(self, row: int) -> Problem | None:
        """Why a row's picture is set aside; None where it is not."""
        kind, sentence = self.table.column(KIND)[int(row)].as_py(), self.table.column(SENTENCE)[int(row)].as_py()
        return Problem(ProblemKind(kind), sentence) if kind else None

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split's usable pictures, int64, in table order."""
        return np.flatnonzero((self.column("split") == split) & self.usable)

    def name(self, row: int) -> str:
        """A row's path, relative to the root."""
        name: str = self.table.column("path")[int(row)].as_py()
        return name

    def location(self, row: int) -> tuple[Path, str]:
        """The file that a row's picture is in, and where inside; "" when the file is the picture."""
        name, inside = self.name(row), self.table.column("inside")[int(row)].as_py()
        return find_on_disk(self.root / (name.removesuffix(f"#{inside}") if inside else name)), inside

    def files(self) -> np.ndarray | None:
        """(rows,) int64: which file a row's picture is in, counted from 0; None when each is a file of its own."""
        paths, inside = self.column("path"), self.column("inside")
        if not inside.any():
            return None
        holders = [path[: len(path) - len(name) - 1] for path, name in zip(paths, inside, strict=True)]
        numbers: np.ndarray = pa.array(holders).dictionary_encode().indices.to_numpy().astype(np.int64)
        return numbers

    def set_aside(self) -> list[tuple[str, Problem]]:
        """(relative path, problem) of every picture that is not used."""
        rows = np.flatnonzero(~self.usable)
        some = self.table.take(pa.array(rows))
        columns = (some.column(name).to_pylist() for name in ("path", KIND, SENTENCE))
        return [(path, Problem(ProblemKind(kind), sentence)) for path, kind, sentence in zip(*columns, strict=True)]

    def take(self, rows: np.ndarray) -> Index:
        """Some of the rows, (n,) int64, in this order."""
        return replace(self, table=self.table.take(pa.array(rows)))

    def with_columns(self, columns: dict[str, Iterable[object] | np.ndarray]) -> Index:
        """The same rows with some columns replaced."""
        table = self.table
        for name, values in columns.items():
            i = table.schema.get_field_index(name)
            field = table.schema.field(i)
            table = table.set_column(i, field, _as(values, field.type))
        return replace(self, table=table)

    def with_problems(self, problems: Sequence[Problem | None]) -> Index:
        """The same rows with other problems; None for a picture without."""
        return self.with_columns(problem_columns(problems))

    def with_notes(self, *notes: str) -> Index:
        """The same rows with more said about them."""
        return replace(self, notes=self.notes + notes)


def index_from_columns(columns: dict[str, Any], *, root: Path, classes: tuple[str, ...]) -> Index:
    """An Index from columns (lists, numpy's or Arrow's arrays) of equal length; those that BLANK has may be absent."""
    assert (SENTENCE in columns) == (KIND in columns), "a problem is its kind and its sentence"
    rows = len(columns["path"])
    whole = {
        field.name: columns[field.name] if field.name in columns else pa.repeat(BLANK[field.name], rows)
        for field in SCHEMA
    }
    table = pa.table({name: _as(values, SCHEMA.field(name).type) for name, values in whole.items()}, schema=SCHEMA)
    return Index(root=root, classes=classes, table=table)


def _as(values: Any, kind: pa.DataType) -> object:
    if kind == KIND_TYPE:
        return kind_column(values)
    return values.cast(kind) if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, type=kind)
