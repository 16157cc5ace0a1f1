"""The journal of a cache: which file has the pixels, and what is known of each decoded picture.

The file is MAGIC, the generation (8 bytes, random: the pixel file's name has them in hex), and then records, which are
only ever appended: the length of what follows and its CRC-32 (two little-endian uint32), and an Arrow record batch with
SCHEMA's columns. A record that is cut short or changed ends the journal: it and what stands behind it is dropped, and
the files it spoke of are decoded again.

As the journal names the pixel file, replacing the one is what puts another in the place of the other, in one step.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..system.files import replacing
from .problems import KIND, SENTENCE, kinds_of_sentences

MAGIC = b"pictaxa\x05"  # the last byte is the version of this format
MAGIC_4 = b"pictaxa\x04"  # its records have no kinds of problems
MAGIC_3 = b"pictaxa\x03"  # the same, and it names no generation: its records are of OLDER_PIXELS, written in place
OLDER_PIXELS = "pixels.u8"
GENERATION_BYTES = 8
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
        (SENTENCE, pa.string()),
        (KIND, pa.string()),
        ("notes", pa.string()),  # what was done to it that its owner should know, a line each
    ]
)
SCHEMA_4 = SCHEMA.remove(SCHEMA.get_field_index(KIND))
OF_THE_FILE = ("path", "bytes", "mtime_ns")  # what the Index knows before anything is decoded


@dataclass(frozen=True)
class Journal:
    """What a journal says: its whole records in the order of writing, and the name of the file that has their squares.

    The name is empty where there is no journal, or none that can be believed.
    """

    pixels: str
    records: pa.Table


def new_generation() -> bytes:
    """A generation that no other journal names, or has named."""
    return os.urandom(GENERATION_BYTES)


def pixels_of(generation: bytes) -> str:
    """The name of a generation's pixel file."""
    return f"pixels-{generation.hex()}.u8"


def read_journal(path: Path) -> Journal:
    """Read a journal; what follows its last whole record is cut off the file.

    One of format 4 is written anew in this one, so that records can be added to it; of format 3 whoever gives its pixel
    file a name does that.
    """
    batches, pixels, good_bytes = [], "", 0
    if not path.exists():
        return Journal("", SCHEMA.empty_table())
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
        generation = file.read(GENERATION_BYTES) if magic in (MAGIC, MAGIC_4) else b""
        if len(generation) == GENERATION_BYTES:
            pixels = pixels_of(generation)
        elif magic == MAGIC_3:
            pixels = OLDER_PIXELS
        if pixels:
            good_bytes = file.tell()
            schema = SCHEMA if magic == MAGIC else SCHEMA_4
            while (batch := _read_record(file, schema)) is not None:
                batches.append(batch)
                good_bytes = file.tell()
    os.truncate(path, good_bytes)
    if pixels and magic != MAGIC:
        records = _with_kinds(pa.Table.from_batches(batches, schema=SCHEMA_4).combine_chunks())
        if generation:
            write_journal(path, generation, records)
        return Journal(pixels, records)
    return Journal(pixels, pa.Table.from_batches(batches, schema=SCHEMA).combine_chunks())


def _with_kinds(records: pa.Table) -> pa.Table:
    """Records of an earlier version as those of this one."""
    kinds = kinds_of_sentences(records[SENTENCE])
    return pa.table({**dict(zip(records.column_names, records.columns, strict=True)), KIND: kinds}).select(SCHEMA.names)


def write_journal(path: Path, generation: bytes, records: pa.Table) -> None:
    """Put a journal of another generation in the place of the one that is there, in one step."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(MAGIC + generation)
        append(file, records)


def _read_record(file: IO[bytes], schema: pa.Schema) -> pa.RecordBatch | None:
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, total = HEAD.unpack(head)
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload) != total:
        return None
    return pa.ipc.read_record_batch(pa.py_buffer(payload), schema)


def append(file: IO[bytes], batch: pa.Table) -> None:
    """Add rows at the end of a journal that is open for it; the caller sees to it that they reach the disk."""
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
