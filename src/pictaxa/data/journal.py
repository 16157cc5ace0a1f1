"""The journal of a cache: what is known of each decoded file, in batches that are only ever appended.

The file is MAGIC and then records: the length of what follows and its CRC-32 (two little-endian uint32), and an Arrow
record batch with SCHEMA's columns. A record that is cut short or changed ends the journal: it and what stands behind it
is dropped, and the files it spoke of are decoded again.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAGIC = b"pictaxa\x03"  # the last byte is the version of this format
HEAD = struct.Struct("<II")
SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # as in the Index
        ("bytes", pa.int64()),  # of the file when it was decoded
        ("mtime_ns", pa.int64()),
        ("slot", pa.int64()),  # where its square is, -1 when it could not be decoded
        ("sum", pa.uint32()),  # CRC-32 of the square
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("hash", pa.string()),
        ("problem", pa.string()),
        ("notes", pa.string()),  # what was done to it that its owner should know, a line each
    ]
)
OF_THE_FILE = ("path", "bytes", "mtime_ns")  # what the Index knows before anything is decoded


def read_journal(path: Path) -> pa.Table:
    """All whole records in the order of writing, as one table; what follows the last of them is cut off the file."""
    batches, good_bytes = [], 0
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                good_bytes = len(MAGIC)
                while (batch := _read_record(file)) is not None:
                    batches.append(batch)
                    good_bytes = file.tell()
        os.truncate(path, good_bytes)
    return pa.Table.from_batches(batches, schema=SCHEMA).combine_chunks()


def _read_record(file: IO[bytes]) -> pa.RecordBatch | None:
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, total = HEAD.unpack(head)
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload) != total:
        return None
    return pa.ipc.read_record_batch(pa.py_buffer(payload), SCHEMA)


def append(file: IO[bytes], batch: pa.Table) -> None:
    """Add rows at the end of a journal that is open for appending; the caller sees to it that they reach the disk."""
    if file.tell() == 0:
        file.write(MAGIC)
    for part in batch.combine_chunks().to_batches():
        payload = part.serialize().to_pybytes()
        file.write(HEAD.pack(len(payload), zlib.crc32(payload)) + payload)


def newest(records: pa.Table, *, slots: int) -> pa.Table:
    """The newest record of each path, where its square is still its own; the pixel file has so many whole `slots`.

    Once a pixel file was cut short, a slot is given away anew; then an older record of it no longer tells the truth.
    """
    slot = records["slot"].to_numpy()
    backwards = np.arange(len(slot))[::-1]
    own = (slot < slots) & _is_first(records["path"].combine_chunks().dictionary_encode().indices, backwards)
    with_square = backwards[slot[backwards] >= 0]
    own[with_square] &= _is_first(slot, with_square)[with_square]
    return records.filter(pa.array(own)).combine_chunks()


def _is_first(values: object, order: np.ndarray) -> np.ndarray:
    """(all rows,) bool: whether a row is the first with its value, in an order of (some) rows."""
    taken = np.asarray(values)
    _, places = np.unique(taken[order], return_index=True)
    first = np.zeros(len(taken), dtype=bool)
    first[order[places]] = True
    return first


def places_of(paths: pa.Array | pa.ChunkedArray, records: pa.Table) -> np.ndarray:
    """The record of each path as its number, (paths,) int64; -1 where there is none."""
    found = pc.fill_null(pc.index_in(paths, value_set=records["path"].combine_chunks()), -1)
    places: np.ndarray = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return places
