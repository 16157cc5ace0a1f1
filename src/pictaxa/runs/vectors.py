"""vectors.npz: what a run's own network makes of its training and validation pictures, and what follows from that.

A vector is what the head takes, made one long and turned so that a few hundred numbers of it say nearly everything
(inference/own_vectors.py). The inner product of two is then their cosine similarity.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.index import Index
from ..errors import RunError
from .contents import read_arrays
from .derived import changed_since, digests, find_derived, keep_derived, tell_made_again
from .folder import Run
from .names import MODEL, PICTURES, VECTORS
from .typed import damaged

MADE_FROM = (MODEL, PICTURES)
KINDS: dict[str, type[np.generic]] = {
    "rows": np.int64, "val": np.bool_, "units": np.float16, "axes": np.float16, "closeness": np.float32,
    "map": np.float32, "made_from": np.uint8,
}  # fmt: skip
ROUNDING = 2e-2  # by which vectors of half precision may be longer than one


@dataclass(frozen=True)
class Vectors:
    """Vectors of a run's own pictures.

    Args:
        rows: (n,) int64 rows of the run's index, ascending.
        val: (n,) bool, which of them are validation pictures; the others are training pictures.
        units: (n, d) float16, the vector of each, at most one long.
        axes: (width, d) float16, square to each other, onto which the network's vectors of length one are turned.
        closeness: (m,) float32, how close each validation picture among the rows, in their order, comes to a training
            picture, as inference/none_of_these.py measures it.
        places: (m, 2) float32 in [0, 1], where each of them lies on a map of two dimensions.

    Example:
        vectors = read_vectors(run, index=read_index(run))
        similarities = vectors.units.astype(np.float32) @ vectors.units[0].astype(np.float32)
    """

    rows: np.ndarray
    val: np.ndarray
    units: np.ndarray
    axes: np.ndarray
    closeness: np.ndarray
    places: np.ndarray

    def of(self, index: Index, split: str) -> np.ndarray:
        """(n,) bool: those of a split, train or val."""
        chosen: np.ndarray = index.column("split")[self.rows] == split
        return chosen

    def project(self, raw: np.ndarray) -> np.ndarray:
        """(n, width) vectors as the network gives them -> (n, d) float32, as `units` has those of the run's own."""
        projected: np.ndarray = unit_vectors(raw) @ self.axes.astype(np.float32)
        return projected


def unit_vectors(raw: np.ndarray) -> np.ndarray:
    """(n, width) vectors of any length -> float32 ones that are one long; one of zeros stays."""
    largest = np.abs(raw).max(axis=1, keepdims=True)
    scaled = raw / np.where(largest > 0, largest, 1)  # the squares of large numbers would overflow
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    units: np.ndarray = (scaled / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return units


def keep_vectors(run: Run, vectors: Vectors) -> bool:
    """Write the vectors into their run.

    Args:
        run: the run.
        vectors: of its own pictures, by its best weights.

    Returns:
        Whether they are kept; a folder that can't be written to is no fault.
    """
    made_from = digests(run, MADE_FROM)
    hashes = np.array([list(bytes.fromhex(made_from[name])) for name in MADE_FROM], dtype=np.uint8)

    def write(path: Path) -> None:
        with path.open("wb") as file:  # numpy would add a suffix to the path
            np.savez(
                file, rows=vectors.rows, val=vectors.val, units=vectors.units, axes=vectors.axes,
                closeness=vectors.closeness, map=vectors.places, made_from=hashes,
            )  # fmt: skip

    return keep_derived(run, VECTORS, write)


def read_vectors(run: Run, *, index: Index | None = None) -> Vectors | None:
    """Read what is kept of the vectors of a run's own pictures.

    Args:
        run: the run.
        index: its pictures, to compare the rows with; None for whoever needs no rows.

    Returns:
        The Vectors; None where there are none, or some that are not of this run as it is now, which is said.

    Example:
        vectors = read_vectors(run, index=read_index(run))
    """
    path = find_derived(run, VECTORS)
    try:
        vectors = None if path is None else _read(path, run, index)
    except RunError:  # torn, or of another version
        vectors = None
    if vectors is None:
        tell_made_again(run, VECTORS)
    return vectors


def vectors_in(path: Path) -> Vectors:
    """Read a file of vectors, whatever run it is of.

    Args:
        path: of a file that is there, as `keep_vectors` writes it.

    Returns:
        The Vectors.

    Raises:
        RunError: it is damaged, or holds something else.
    """
    arrays = read_arrays(path, KINDS)
    vectors = Vectors(*(arrays[name] for name in (*list(KINDS)[:5], "map")))
    if not _fits(vectors):
        raise damaged(path, f"vectors of the run's pictures in {VECTORS}", "others")
    return vectors


def _read(path: Path, run: Run, index: Index | None) -> Vectors | None:
    vectors, hashes = vectors_in(path), read_arrays(path, {"made_from": np.uint8})["made_from"]
    if hashes.shape == (len(MADE_FROM), 32):
        made_from = {name: bytes(line).hex() for name, line in zip(MADE_FROM, hashes, strict=True)}
        if changed_since(run, made_from):
            return None
        if index is None or _is_of(vectors, index):
            return vectors
    raise damaged(path, f"vectors of the run's pictures in {VECTORS}", "others")


def _fits(vectors: Vectors) -> bool:
    """Whether arrays fit each other and are what they should be."""
    rows, val, units, axes = vectors.rows, vectors.val, vectors.units, vectors.axes
    if rows.ndim != 1 or val.shape != rows.shape or units.ndim != 2 or axes.ndim != 2 or not units.size:
        return False
    if len(units) != len(rows) or units.shape[1] != axes.shape[1] or val.all():
        return False
    if vectors.closeness.shape != (val.sum(),) or vectors.places.shape != (val.sum(), 2):
        return False
    ascending = rows[0] >= 0 and (np.diff(rows) > 0).all()
    short = np.linalg.norm(units.astype(np.float32), axis=1).max() <= 1 + ROUNDING
    return bool(ascending and short and (np.abs(vectors.places - 0.5) <= 0.5).all())


def _is_of(vectors: Vectors, index: Index) -> bool:
    """Whether they are of usable pictures of an index, to train with and to validate."""
    if vectors.rows[-1] >= len(index):
        return False
    splits = np.where(index.usable, index.column("split"), "")[vectors.rows]
    return bool((splits == np.where(vectors.val, "val", "train")).all())
