"""vectors.npz: what a run's own network makes of its training and validation pictures, and a map of the latter.

A vector is what the head takes, made one long and turned so that a few hundred numbers of it say nearly everything
(inference/own_vectors.py). The inner product of two is then their cosine similarity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.index import Index
from ..system.files import replacing
from .contents import read_arrays
from .folder import Run
from .manifest import listed_as, read_manifest
from .names import MODEL, VECTORS
from .typed import damaged

AGAIN = "Remove the file: it is made again when it is needed."
ROUNDING = 2e-2  # by which vectors of half precision may be longer than one, and their axes not square to each other
KINDS = {"rows": np.int64, "units": np.float16, "axes": np.float16, "map": np.float32, "weights": np.uint8}


@dataclass(frozen=True)
class Vectors:
    """Vectors of a run's own pictures.

    Args:
        rows: (n,) int64 rows of the run's index, ascending.
        units: (n, d) float16, the vector of each, at most one long.
        axes: (width, d) float16, square to each other: `unit @ axes` is what is kept of a network's unit vector.
        places: (m, 2) float32, where the validation pictures among the rows lie on a map of two dimensions, in their
            order.

    Example:
        vectors = read_vectors(run, index=read_index(run))
        similarity = vectors.units.astype(np.float32) @ vectors.units[0].astype(np.float32)
    """

    rows: np.ndarray
    units: np.ndarray
    axes: np.ndarray
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
    """(n, width) vectors of any length, each one long, as float32; one of zeros stays."""
    largest = np.abs(raw).max(axis=1, keepdims=True)
    scaled = raw / np.where(largest > 0, largest, 1)  # squares of large numbers would overflow
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    units: np.ndarray = (scaled / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return units


def write_vectors(run: Run, vectors: Vectors) -> None:
    """Keep the vectors, and which weights they are of.

    Args:
        run: the run, whose file is replaced.
        vectors: of its own pictures.
    """
    with replacing(run.path / VECTORS) as partial:
        np.savez(
            partial, rows=vectors.rows, units=vectors.units, axes=vectors.axes, map=vectors.places,
            weights=_weights_of(run),
        )  # fmt: skip


def has_vectors(run: Run) -> bool:
    """Whether a run keeps vectors, whatever they are worth."""
    return (run.path / VECTORS).exists()


def read_vectors(run: Run, *, index: Index) -> Vectors | None:
    """Read the vectors of a run's own pictures.

    Args:
        run: the run.
        index: its pictures.

    Returns:
        The Vectors; None where the run has none, or those of other weights, as a training went on since.

    Raises:
        RunError: the file is damaged, or is not of this run's pictures.

    Example:
        vectors = read_vectors(run, index=read_index(run))
    """
    if not has_vectors(run):
        return None
    path = run.existing(VECTORS)
    arrays = read_arrays(path, KINDS)
    if not np.array_equal(arrays["weights"], _weights_of(run)):
        return None
    rows, units, axes, places = (arrays[name] for name in ("rows", "units", "axes", "map"))
    count = len(rows) if rows.ndim else 0
    depth = units.shape[1] if units.ndim == 2 else 0
    fits = rows.shape == (count,) and units.shape == (count, depth) and axes.ndim == 2 and axes.shape[1] == depth
    if not fits or not count or not depth:
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in ("rows", "units", "axes"))
        raise damaged(path, f"rows, units and axes of one number of vectors in {VECTORS}", shapes, fix=AGAIN)
    own = np.isin(np.arange(len(index)), [*index.rows("train"), *index.rows("val")])
    if rows.min() < 0 or rows.max() >= len(index) or (np.diff(rows) <= 0).any() or not own[rows].all():
        raise damaged(path, f"ascending rows of training and validation pictures in {VECTORS}", "others", fix=AGAIN)
    vectors = Vectors(rows, units, axes, places)
    if places.shape != (int(vectors.of(index, "val").sum()), 2):
        raise damaged(path, f"a place on the map for each validation picture in {VECTORS}", str(places.shape), fix=AGAIN)
    long = np.linalg.norm(units.astype(np.float32), axis=1).max()
    turned = axes.astype(np.float32)
    skew = np.abs(turned.T @ turned - np.eye(depth, dtype=np.float32)).max()
    if long > 1 + ROUNDING or skew > ROUNDING:
        raise damaged(path, f"vectors that are at most one long in {VECTORS}", f"{long:.3g}, {skew:.3g}", fix=AGAIN)
    return vectors


def _weights_of(run: Run) -> np.ndarray:
    """(32,) uint8, the SHA-256 of the best weights, as the list of files has it where there is one."""
    listed = (read_manifest(run.path) or {}).get(MODEL) or listed_as(run.existing(MODEL))
    return np.frombuffer(bytes.fromhex(listed.sha256), dtype=np.uint8)
