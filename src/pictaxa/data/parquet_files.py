"""Parquet read within limits: a file of a kilobyte can stand for gigabytes, by packing and by dictionaries.

What a part takes when it is unpacked stands in the file's own footer and is compared first. A dictionary holds a value
once however many rows have it, so texts and bytes are kept as dictionaries until it is known what they come to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        cells = sum(group.column(leaf).num_values for group in groups for leaf in leaves)
        _check(max(cells, metadata.num_rows), MAX_CELLS, "cells")
        for group in groups:
            check_group(group, leaves)
        size = sum(group.column(leaf).total_uncompressed_size for group in groups for leaf in leaves)
        _check(size, MAX_TABLE_BYTES, "bytes when unpacked")
        table = opened.read(columns=None if columns is None else list(columns))
    _check(sum(_expanded(chunk) for column in table.columns for chunk in column.chunks), MAX_TABLE_BYTES, "bytes")
    for place, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(place, table.column_names[place], column.cast(column.type.value_type))
    return table


def check_group(group: pq.RowGroupMetaData, leaves: Iterable[int]) -> None:
    """Compare what parts of a row group take with what row groups take.

    Args:
        group: from the file's metadata.
        leaves: numbers of its columns there.

    Raises:
        ValueError: it is a bomb.
    """
    parts = [group.column(leaf) for leaf in leaves]
    packed = sum(part.total_compressed_size for part in parts)
    unpacked = sum(part.total_uncompressed_size for part in parts)
    _check(unpacked, min(MAX_GROUP_BYTES, max(BOMB_BYTES, BOMB_PART * packed)), "bytes of a row group when unpacked")


def leaves_of(metadata: pq.FileMetaData, column: str) -> list[int]:
    """The numbers of a column's parts among those that a file stores."""
    paths = (metadata.schema.column(leaf).path for leaf in range(metadata.num_columns))
    return [leaf for leaf, path in enumerate(paths) if path == column or path.startswith(f"{column}.")]


def _leaves(metadata: pq.FileMetaData, columns: Sequence[str] | None) -> list[int]:
    if columns is None:
        return list(range(metadata.num_columns))
    return sorted({leaf for column in columns for leaf in leaves_of(metadata, column)})


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
