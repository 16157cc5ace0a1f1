"""Whether a picture is like those that a run was trained on, or shows none of its classes.

A softmax over known classes must answer one of them, also for a picture of something else. The network's features tell
better: a picture is as close to the training pictures as its cosine similarity to the nearest of them. That is the
distance to a nearest neighbour of Sun et al. 2022, with k = 1; docs/measured/trust.md compares it with more neighbours,
the maximum softmax (Hendrycks and Gimpel 2017), the energy (Liu et al. 2020) and Mahalanobis' distance (Lee et al.
2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..runs.vectors import Vectors

ACCEPTED = 0.95  # of new pictures of the classes


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
            count: how many for each; all where there are fewer.

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
        """(q, d) -> (q,) float32: the cosine similarity to the nearest training picture."""
        closeness: np.ndarray = (vectors @ self.units.T).max(axis=1)
        return closeness


@dataclass(frozen=True)
class Likeness:
    """How like the training pictures of a run a picture must be, for one of the run's classes.

    Args:
        vectors: of the run's own pictures.
        bank: the training pictures among them.
        least: the closeness below which a picture is of none of the classes, from -1 to 1.

    Example:
        likeness = likeness_of(vectors)
        known = likeness.closeness(raw) >= likeness.least
    """

    vectors: Vectors
    bank: Bank
    least: float

    def closeness(self, raw: np.ndarray) -> np.ndarray:
        """(n, width) vectors as the network gives them -> (n,) float32, how close each comes to a training picture."""
        return self.bank.closeness(self.vectors.project(raw))


def bank_of(vectors: Vectors) -> Bank:
    """The training pictures among a run's vectors."""
    return Bank(vectors.units[~vectors.val].astype(np.float32), vectors.rows[~vectors.val])


def likeness_of(vectors: Vectors) -> Likeness | None:
    """What a run's vectors say of other pictures; None where its validation pictures are too few to say."""
    least = least_closeness(vectors.closeness)
    return None if least is None else Likeness(vectors, bank_of(vectors), least)


def least_closeness(closeness: np.ndarray, *, accepted: float = ACCEPTED) -> float | None:
    """Choose the closeness below which a picture is of none of the classes.

    Args:
        closeness: (m,) float32, of validation pictures, which are not in the bank.
        accepted: the share of new pictures of the classes that are not to fall below it, on average over validation
            sets: it is the k-th least of theirs with k = floor((1 - accepted) (m + 1)), as in conformal prediction.

    Returns:
        The closeness; None where the validation pictures are too few to say, 18 or fewer for 95%.

    Example:
        least_closeness(vectors.closeness)
    """
    place = math.floor((1 - accepted) * (len(closeness) + 1) + 1e-9)
    return float(np.partition(closeness, place - 1)[place - 1]) if place else None
