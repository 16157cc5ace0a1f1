"""A file with a table in it to its columns: CSV and its like, lines of text, JSON, JSON lines, parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from ..errors import DataError, one_line
from ..limits import MAX_TABLE_BYTES
from .encoding import decode_text, guess_encoding
from .json_tables import read_json, read_json_lines, with_attributes
from .layout import check_kind
from .parquet_files import read_columns
from .table import Table
from .text_tables import LINES_SUFFIXES, TSV_SUFFIXES, read_text, starts_as_table

JSON_SUFFIXES, JSON_LINES_SUFFIXES = (".json",), (".jsonl", ".ndjson")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
SUFFIXES = (".csv", *TSV_SUFFIXES, *JSON_SUFFIXES, *JSON_LINES_SUFFIXES, ".parquet", *WORKBOOKS)
SEEN_BYTES = 2**16  # of a text, to know whether it is a table


def read_table(
    file: Path, encoding: str = "", *, known: Callable[[str], bool] = lambda name: False, label: str = ""
) -> Table:
    """A file's table; DataError with the reason.

    Args:
        file: the file.
        encoding: of a text, by Python's name; "" guesses it.
        known: says of a word whether a column is usually called so.
        label: the attribute that is the label, where a tool (VIA) keeps several in a cell.

    Example:
        read_table(Path("photos.csv")).words("label")
    """
    suffix = file.suffix.lower()
    if suffix in WORKBOOKS:
        raise DataError(
            "a text table", found=f"the workbook {file.name!r}",
            fix="Save the sheet as CSV (UTF-8) and give that file.",
        )  # fmt: skip
    try:
        check_kind(file)
        if file.stat().st_size > MAX_TABLE_BYTES:
            raise ValueError(f"{file.stat().st_size:,} bytes, more than {MAX_TABLE_BYTES:,}")
        if suffix == ".parquet":
            table = read_columns(file)
            check_text(table)
            return Table(file, dict(zip(table.column_names, table.columns, strict=True)))
        text, note = decode_text(file.read_bytes(), name=file.name, asked=encoding)
        notes = (note,) if note else ()
        if suffix in JSON_SUFFIXES or suffix in JSON_LINES_SUFFIXES:
            read = read_json if suffix in JSON_SUFFIXES else read_json_lines
            return with_attributes(read(text, file=file, notes=notes), known=known, label=label)
        return with_attributes(read_text(text, file=file, notes=notes, known=known), known=known, label=label)
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"a table of pictures in {file.name!r}", found=one_line(str(error))[:200],
            fix="Correct the file, or save it again as CSV in UTF-8.",
        ) from None  # fmt: skip


def check_text(table: pa.Table) -> None:
    """ValueError where names of columns or words are no UTF-8: Arrow takes them as they come."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column.validate(full=True)
        elif pa.types.is_dictionary(column.type):
            column.cast(column.type.value_type).validate(full=True)
        name.encode()


def is_table(file: Path, *, known: Callable[[str], bool]) -> bool:
    """Whether a file has a table in it, by its suffix; a .txt or .lst by its first line."""
    suffix = file.suffix.lower()
    if suffix not in LINES_SUFFIXES:
        return suffix in SUFFIXES
    try:
        with file.open("rb") as stream:
            data = stream.read(SEEN_BYTES)
    except OSError:
        return False
    if len(data) == SEEN_BYTES:  # of the last line a part, which may end within a character
        data = data.rpartition(b"\n")[0]
    encoding = guess_encoding(data)
    return bool(encoding) and starts_as_table(data.decode(encoding, "replace"), suffix, known=known)
