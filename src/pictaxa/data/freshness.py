"""Whether what a cache's journal knows is of files as they are now, by their size and time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ProblemKind
from .file_names import find_on_disk
from .index import Index
from .journal import places_of
from .problems import KIND


def fresh_places(index: Index, records: pa.Table) -> np.ndarray:
    """Find which record is of each row's file as it is now.

    Args:
        index: the pictures, with the sizes and times of their files.
        records: of the journal (journal.SCHEMA), one for each path at most.

    Returns:
        (rows,) int64 places among the records; -1 where none is of the file as it is.
    """
    places = places_of(index.table["path"], records)
    fresh = places >= 0
    known = records.take(pa.array(places[fresh]))
    same = np.ones(len(known), dtype=bool)
    for name in ("bytes", "mtime_ns"):
        same &= known[name].to_numpy() == index.column(name)[fresh]
    # What could not be read for a reason outside the file (permissions, a network share) is tried again.
    same &= pc.not_equal(known[KIND], ProblemKind.UNREADABLE.value).to_numpy(zero_copy_only=False).astype(bool)
    fresh[fresh] = same
    return np.where(fresh, places, -1)


def is_of_another(index: Index, records: pa.Table, *, used: np.ndarray) -> np.ndarray:
    """Find records that only another index of the folder may use: their files are as they were.

    Args:
        index: the pictures.
        records: of the journal.
        used: (records,) bool, those that this index uses.

    Returns:
        (records,) bool.
    """
    true = np.zeros(len(records), dtype=bool)
    columns = (records.filter(pa.array(~used))[name].to_pylist() for name in ("path", "slot", "bytes", "mtime_ns"))
    for row, path, slot, size_bytes, mtime_ns in zip(np.flatnonzero(~used).tolist(), *columns, strict=True):
        try:
            status = find_on_disk(index.root / path.partition("#")[0]).stat()
        except OSError:
            continue
        true[row] = slot >= 0 and (status.st_size, status.st_mtime_ns) == (size_bytes, mtime_ns)
    return true
