"""The Index: a row per picture, and nothing about pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

SPLITS = ("train", "val", "test")

SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the root, with forward slashes
        ("label", pa.int32()),
        ("split", pa.string()),  # train, val, test, or "" where it is not decided yet
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("width", pa.int32()),  # upright, in pixels; 0 until decoded
        ("height", pa.int32()),
        ("hash", pa.string()),  # of the file's bytes; "" until read
        ("problem", pa.string()),  # why the picture is set aside; "" when it is fine
    ]
)


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
        return self.column("problem") == ""

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split's usable pictures, int64, in table order."""
        return np.flatnonzero((self.column("split") == split) & self.usable)

    def path(self, row: int) -> Path:
        """Where a row's file is."""
        return self.root / self.table.column("path")[int(row)].as_py()

    def set_aside(self) -> list[tuple[str, str]]:
        """(relative path, problem) of every picture that is not used."""
        paths, problems = self.column("path"), self.column("problem")
        return [(paths[row], problems[row]) for row in np.flatnonzero(~self.usable)]

    def with_columns(self, columns: dict[str, Iterable[object] | np.ndarray]) -> Index:
        """The same rows with some columns replaced."""
        table = self.table
        for name, values in columns.items():
            place = table.schema.get_field_index(name)
            field = table.schema.field(place)
            table = table.set_column(place, field, pa.array(values, type=field.type))
        return replace(self, table=table)

    def with_notes(self, *notes: str) -> Index:
        """The same rows with more said about them."""
        return replace(self, notes=self.notes + notes)


def index_from_rows(rows: list[dict[str, object]], *, root: Path, classes: tuple[str, ...]) -> Index:
    """An Index from dictionaries with path, label, split, bytes, mtime_ns and problem."""
    blank = {"width": 0, "height": 0, "hash": ""}
    table = pa.Table.from_pylist([blank | row for row in rows], schema=SCHEMA)
    return Index(root=root, classes=classes, table=table)
