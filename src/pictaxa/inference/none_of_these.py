"""Whether a picture is like those that a run was trained on, or shows none of its classes.

A softmax over known classes must answer one of them, also for a picture of something else. The network's features tell
better: a picture is as close to the training pictures as its cosine similarity to the NEIGHBOURS-th nearest of them
(Sun et al. 2022). docs/measured/trust.md compares it with the maximum softmax, the energy and Mahalanobis' distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..data.index import Index
from ..runs.vectors import Vectors

NEIGHBOURS = 5  # k
ACCEPTED = 0.95  # of validation pictures


@dataclass(frozen=True)
class Bank:
    """Training pictures' vectors, as a search takes them.

    Args:
        units: (n, d) float32, as `Vectors.units`.
        rows: (n,) int64 rows of the run's index.
    """

    units: np.ndarray
    rows: np.ndarray

    def nearest(self, vectors: np.ndarray, *, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the training pictures that are most alike.

        Args:
            vectors: (q, d) float32, as `Vectors.project` gives them.
            count: how many for each, at most all.

        Returns:
            (q, count) int64 places in the bank, the most alike first, and (q, count) float32 cosine similarities.

        Example:
            places, similarities = bank.nearest(vectors.project(raw), count=5)
        """
        count = min(count, len(self.units))
        similarities = vectors @ self.units.T  # (q, n)
        places = np.argpartition(-similarities, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(similarities, places, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        return np.take_along_axis(places, order, axis=1), np.take_along_axis(found, order, axis=1)

    def closeness(self, vectors: np.ndarray) -> np.ndarray:
        """(q, d) -> (q,) float32: the cosine similarity to the NEIGHBOURS-th nearest training picture."""
        closeness: np.ndarray = self.nearest(vectors, count=NEIGHBOURS)[1][:, -1]
        return closeness


def bank_of(vectors: Vectors, index: Index) -> Bank:
    """The training pictures among a run's vectors."""
    train = vectors.of(index, "train")
    return Bank(vectors.units[train].astype(np.float32), vectors.rows[train])


def threshold_of(closeness: np.ndarray, *, accepted: float = ACCEPTED) -> float | None:
    """Choose below which closeness a picture is of none of the classes.

    Args:
        closeness: (m,) float32, of validation pictures, which are not in the bank.
        accepted: the share of new pictures of the classes that must not fall below it, on average over validation
            sets: the threshold is the k-th least of theirs with k = floor((1 - accepted) (m + 1)), as in conformal
            prediction.

    Returns:
        The threshold; None where the validation pictures are too few to say (19 for 95%).

    Example:
        threshold_of(vectors.closeness)
    """
    place = math.floor((1 - accepted) * (len(closeness) + 1) + 1e-9)
    return float(np.partition(closeness, place - 1)[place - 1]) if place else None
