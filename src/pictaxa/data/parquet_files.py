"""Parquet read within limits: a file of a kilobyte can stand for gigabytes, by packing and by dictionaries.

What a part takes when it is unpacked stands in the file's own footer and is compared first. A dictionary holds a value
once however many rows have it, so texts and bytes are kept as dictionaries until it is known what they come to.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..limits import BOMB_BYTES, BOMB_PART, MAX_CELLS, MAX_GROUP_BYTES, MAX_TABLE_BYTES


def open_parquet(file: Path, columns: Sequence[str] | None = None) -> pq.ParquetFile:
    """Open a parquet file so that texts and bytes are read as dictionaries.

    Args:
        file: the file.
        columns: of which columns; None for all.

    Returns:
        The open file.

    Raises:
        OSError, ValueError, pa.ArrowException: it is none.
    """
    with pq.ParquetFile(file) as opened:
        leaves = [opened.metadata.schema.column(leaf) for leaf in _leaves(opened.metadata, columns)]
    names = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(file, memory_map=True, read_dictionary=names)


def read_columns(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table's columns, if they take no more memory than tables do.

    Args:
        file: a parquet file.
        columns: their names; None for all.

    Returns:
        The table, its texts as plain ones.

    Raises:
        ValueError: it would take too much memory; what is there is compared before anything of its size is made.
        OSError, pa.ArrowException: it is no whole parquet file.
    """
    with open_parquet(file, columns) as opened:
        metadata = opened.metadata
        leaves = _leaves(metadata, columns)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        lists = [leaf for leaf in leaves if metadata.schema.column(leaf).max_repetition_level]
        cells = metadata.num_rows * (len(leaves) - len(lists)) + (_values(file, lists) if lists else 0)
        _check(max(cells, metadata.num_rows), MAX_CELLS, "cells")
        packed_bytes = file.stat().st_size
        for group in groups:
            check_group(group, packed_bytes=packed_bytes)
        # Beside the columns that are asked for there may be pictures, which hardly pack.
        most = MAX_TABLE_BYTES if columns is None else max(MAX_TABLE_BYTES, BOMB_PART * packed_bytes)
        _check(sum(group.total_byte_size for group in groups), most, "bytes when unpacked")
        table = opened.read(columns=None if columns is None else list(columns))
    _check(sum(_expanded(chunk) for column in table.columns for chunk in column.chunks), MAX_TABLE_BYTES, "bytes")
    for place, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(place, table.column_names[place], column.cast(column.type.value_type))
    return table


def check_group(group: pq.RowGroupMetaData, *, packed_bytes: int) -> None:
    """Compare what a row group takes with what row groups take.

    Args:
        group: from the file's metadata.
        packed_bytes: of the file that it is in.

    Raises:
        ValueError: it is a bomb.
    """
    most = min(MAX_GROUP_BYTES, max(BOMB_BYTES, BOMB_PART * packed_bytes))
    _check(group.total_byte_size, most, "bytes of a row group when unpacked")


# Where a column's metadata contradicts itself pyarrow ends the process (found by damaging files): another one asks.
_COUNT = """
import sys
import pyarrow.parquet as pq
metadata = pq.read_metadata(sys.argv[1])
groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
print(sum(group.column(int(leaf)).num_values for group in groups for leaf in sys.argv[2:]))
"""
_COUNT_SECONDS = 60


def _values(file: Path, leaves: Sequence[int]) -> int:
    """How many values lists in a table have, which stands in their columns' metadata alone."""
    words = [sys.executable, "-c", _COUNT, str(file), *map(str, leaves)]
    counted = subprocess.run(words, capture_output=True, text=True, timeout=_COUNT_SECONDS, check=False)
    if counted.returncode:
        raise ValueError("its footer is damaged")
    return int(counted.stdout)


def _leaves(metadata: pq.FileMetaData, columns: Sequence[str] | None) -> list[int]:
    """The numbers of the parts that a file stores of its columns; a nested one has several."""
    paths = [metadata.schema.column(leaf).path for leaf in range(metadata.num_columns)]
    return [
        leaf
        for leaf, path in enumerate(paths)
        if columns is None or any(path == column or path.startswith(f"{column}.") for column in columns)
    ]


def _check(found: int, most: int, what: str) -> None:
    if found > most:
        raise ValueError(f"{found:,} {what}, more than {most:,}")


def _expanded(array: pa.Array) -> int:
    """Bytes of an array's texts when each cell has its own."""
    kind = array.type
    if pa.types.is_struct(kind):
        return sum(map(_expanded, array.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _expanded(array.flatten())
    if not pa.types.is_dictionary(kind):
        return int(array.nbytes)
    lengths = pc.binary_length(array.dictionary).cast(pa.int64()).take(array.indices)
    return int(pc.sum(lengths).as_py() or 0)
