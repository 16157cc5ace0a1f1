"""The one reader of a run's tables and arrays: each of its type, or an error that says what is amiss."""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .typed import damaged

MAX_ARRAYS = 2**28  # bytes of all arrays of an NPZ: a probe has a few squares


# What zipfile, zlib and NumPy raise of damaged bytes: a packing or a password that zipfile does not know is a
# NotImplementedError or RuntimeError, and NumPy parses headers as Python.
_OF_A_DAMAGED_NPZ = (
    OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError,
    SyntaxError,
)  # fmt: skip


def read_table(path: Path, columns: Mapping[str, pa.DataType], *, optional: Sequence[str] = ()) -> pa.Table:
    """Read a parquet file.

    Args:
        path: of a file that is there.
        columns: types by names; a column of a type that can be cast without loss is taken too.
        optional: names of columns that may be absent.

    Returns:
        The table with these columns that are there, none with nulls.

    Raises:
        RunError: the file is damaged, or a column is missing, of another type, or has nulls.
    """
    name = path.name
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        present = [column for column in columns if column in table.column_names]
        missing = [column for column in columns if column not in present and column not in optional]
        if missing:
            raise damaged(path, f"a column {missing[0]!r} in {name}", "none")
        table = table.select(present).cast(pa.schema([(column, columns[column]) for column in present]))
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise damaged(path, f"a whole parquet table in {name}", str(error) or type(error).__name__) from None
    for column in present:
        if table.column(column).null_count:
            raise damaged(path, f"a value in each row of {name}", f"none in some of column {column!r}")
    return table


def read_arrays(path: Path, kinds: Mapping[str, type[np.generic]]) -> dict[str, np.ndarray]:
    """Read an NPZ file.

    Args:
        path: of a file that is there.
        kinds: the type of each array by its name.

    Returns:
        The arrays by names; floats are finite.

    Raises:
        RunError: the file is damaged or very large, or an array is missing, of another type, or not finite.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(member.file_size for member in archive.infolist())
        if declared > MAX_ARRAYS:
            raise damaged(path, f"at most {MAX_ARRAYS} bytes of arrays in {path.name}", str(declared))
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in kinds}
    except KeyError as error:
        raise damaged(path, f"arrays {', '.join(kinds)} in {path.name}", f"not all of them ({error.args[0]})") from None
    except _OF_A_DAMAGED_NPZ as error:
        raise damaged(path, f"a whole NPZ file in {path.name}", str(error) or type(error).__name__) from None
    for name, array in arrays.items():
        if array.dtype != kinds[name]:
            raise damaged(path, f"{name} of {kinds[name].__name__} in {path.name}", str(array.dtype))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise damaged(path, f"finite {name} in {path.name}", "NaN or infinity")
    return arrays


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file.

    Args:
        path: of a file that is there.

    Returns:
        The head, as if it were a row, and a row for each line, of as many cells as the head has.

    Raises:
        RunError: it is no CSV in UTF-8, has a column twice, or a row has more or fewer cells than the head.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, strict=True)) or [[]]
    except (ValueError, csv.Error, OSError) as error:
        raise damaged(path, f"CSV in {path.name}", str(error)) from None
    head = lines[0]
    if len(set(head)) < len(head):
        raise damaged(path, f"each column of {path.name} once", ", ".join(head))
    for place, cells in enumerate(lines, start=1):
        if len(cells) != len(head):
            raise damaged(path, f"{len(head)} cells in each line of {path.name}", f"{len(cells)} in line {place}")
    return [dict(zip(head, cells, strict=True)) for cells in lines]


def number(text: str) -> float:
    """A cell's number; NaN where it has none that is finite."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
