"""The generations of a cache's pixel file.

Whoever trains has the pixel file mapped for hours, and has compared each square with its checksum only once. So bytes
that were written are never written again: a file only grows, and new squares go behind whatever is there. What growing
can't do (leaving out squares of files that are gone, going on from a file that was cut short) makes another generation:
a new file, into which squares that are still true are copied, and which takes the old one's place when the journal that
names it does. Readers keep the old file, though it has no name any more; Windows doesn't remove what is open, so there
the next build tries again.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..system.files import sync_file
from .journal import OLDER_PIXELS, new_generation, newest, pixels_of, read_journal, write_journal

JOURNAL = "journal"


@dataclass(frozen=True)
class Generation:
    """The newest record of each path that can be believed, and the file that has their squares."""

    pixels_path: Path
    records: pa.Table  # journal.SCHEMA
    slots: int  # places for squares that are taken, those that nobody knows of too


def open_generation(folder: Path, *, square_bytes: int) -> Generation:
    """The generation that a cache is at; the caller holds the cache's lock.

    Args:
        folder: the cache's folder.
        square_bytes: of one square; 0 for a cache that keeps none.

    Returns:
        The Generation, empty where there was none. Its files are there.

    Raises:
        OSError: the disk is full, or the folder can't be written.
    """
    journal = read_journal(folder / JOURNAL)
    path = folder / journal.pixels
    if not square_bytes:
        if journal.pixels in ("", OLDER_PIXELS):
            write_journal(folder / JOURNAL, new_generation(), journal.records)
        return Generation(path, newest(journal.records, slots=0), 0)
    if not journal.pixels or not path.exists():
        return new_generation_of(folder, Generation(path, journal.records.slice(0, 0), 0), square_bytes=square_bytes)
    if journal.pixels == OLDER_PIXELS:
        path = _renamed(folder, journal.records)
    whole, rest = divmod(path.stat().st_size, square_bytes)
    told = int(journal.records["slot"].to_numpy().max(initial=-1)) + 1
    generation = Generation(path, newest(journal.records, slots=whole), whole + (rest > 0))
    if whole < told:  # cut short: growing would put other squares where a reader still looks for the old ones
        return new_generation_of(folder, generation, square_bytes=square_bytes)
    return generation


def new_generation_of(folder: Path, old: Generation, *, square_bytes: int) -> Generation:
    """Copy squares into a new file, which from then on is the cache's.

    Args:
        folder: the cache's folder.
        old: the generation with the squares to copy; what its records don't name stays behind, and so does a square
            that is not what its record says.
        square_bytes: of one square.

    Returns:
        The new Generation, with the records in the same order.

    Raises:
        OSError: the disk is full; the old generation stays.
    """
    generation = new_generation()
    path = folder / pixels_of(generation)
    records = old.records
    old_slots, sums = records["slot"].to_numpy(), records["sum"].to_numpy()
    slots, kept, count = np.full(len(records), -1), np.ones(len(records), dtype=bool), 0
    try:
        with path.open("xb") as copy:
            if (old_slots >= 0).any():
                before = np.memmap(old.pixels_path, dtype=np.uint8, mode="r")
                for row in np.flatnonzero(old_slots >= 0)[np.argsort(old_slots[old_slots >= 0])].tolist():
                    square = before[old_slots[row] * square_bytes :][:square_bytes]
                    kept[row] = zlib.crc32(square.data) == sums[row]
                    if kept[row]:
                        copy.write(square.data)
                        slots[row], count = count, count + 1
        sync_file(path)
        place = records.schema.get_field_index("slot")
        records = records.set_column(place, records.schema.field("slot"), pa.array(slots, pa.int64()))
        records = records.filter(pa.array(kept)).combine_chunks()
        write_journal(folder / JOURNAL, generation, records)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Generation(path, records, count)


def remove_others(folder: Path, generation: Generation) -> None:
    """Remove the pixel files of other generations, as far as the system lets us; the caller holds the cache's lock."""
    for path in folder.glob("pixels*.u8"):
        if path != generation.pixels_path:
            with suppress(OSError):
                path.unlink()


def _renamed(folder: Path, records: pa.Table) -> Path:
    """The pixel file of an earlier version under a name of its own, under which that version can't write into it."""
    generation = new_generation()
    path = folder / pixels_of(generation)
    (folder / OLDER_PIXELS).rename(path)
    write_journal(folder / JOURNAL, generation, records)
    return path
