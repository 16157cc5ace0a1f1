"""95% intervals. Pictures of a group are alike, so they count for less than as many pictures by themselves.

Proportions (accuracy, recall, precision, coverage) have Wilson's interval, with as many pictures as they are worth: the
design effect, by how much the variance of the groups' sums exceeds that of single pictures (Kish 1965), divides their
number. It holds for few pictures and for shares of 0 and 1, where resampling says that nothing is uncertain.

Everything else is resampled (Efron 1979): whole groups are drawn with replacement, within each class, as the split gave
each class its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import wilson_interval
from ..runs.judgement import Figure

RESAMPLES, FEWEST, CELLS = 1000, 200, 20_000_000  # fewer of many pictures, so that all of them fit into memory
SEED = 7
ALL_RIGHT = "no picture was wrong, so that resampling says nothing of its interval"


@dataclass(frozen=True)
class Units:
    """Which pictures belong together."""

    of: np.ndarray  # (N,) int64: the unit of each picture, counted from 0

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.of.max()) + 1

    @property
    def single(self) -> bool:
        """Whether each picture is by itself."""
        return self.count == len(self.of)

    @classmethod
    def by(cls, names: Sequence[object] | np.ndarray) -> Units:
        """Number the units by their (N,) names."""
        return cls(np.unique(np.asarray(names), return_inverse=True)[1].reshape(-1))

    def some(self, chosen: np.ndarray) -> Units:
        """Those of some of the pictures, by rows (n,) or by truth values (N,)."""
        return self if self.single and chosen.dtype == bool and chosen.all() else Units.by(self.of[chosen])


def worth(right: np.ndarray, units: Units) -> float:
    """How many pictures by themselves would tell as much of a share.

    Args:
        right: (N,) bool, N from 1.
        units: of the same pictures.

    Returns:
        From 1 to N.
    """
    count = len(right)
    if units.single:
        return float(count)
    share = right.mean()
    if share in (0, 1) or units.count < 2:  # nothing varies: the pictures of a group may be as good as one
        return float(units.count)
    errors = np.bincount(units.of, weights=right - share)
    variance = units.count / (units.count - 1) * float((errors**2).sum()) / count**2
    return float(np.clip(count * (share * (1 - share) / count) / max(variance, 1e-12), 1, count))


def proportion(right: np.ndarray, units: Units, *, reason: str = "no picture") -> Figure:
    """A share with Wilson's interval.

    Args:
        right: (N,) bool.
        units: of the same pictures.
        reason: why there is none where N is 0.

    Returns:
        The Figure.

    Example:
        proportion(np.array([True, True, False]), Units.by([0, 1, 2])).value  # 0.667
    """
    if not len(right):
        return nothing(reason)
    share, count = float(right.mean()), worth(right, units)
    low, high = wilson_interval(share * count, count)
    return Figure(share, low, high, len(right))


def mean_of(values: np.ndarray, units: Units) -> Figure:
    """A mean with the interval of a normal distribution; for counts, as it does not end below 0.

    Args:
        values: (N,) float from 0; N from 1.
        units: of the same pictures.

    Returns:
        The Figure; without an interval where there is one unit alone.
    """
    mean, count = float(values.mean()), units.count
    if count < 2:
        return Figure(mean, None, None, len(values), "too few pictures")
    errors = np.bincount(units.of, weights=values - mean)
    half = 1.96 * float(np.sqrt(count / (count - 1) * (errors**2).sum())) / len(values)
    return Figure(mean, max(0.0, mean - half), mean + half, len(values))


def nothing(reason: str, *, pictures: int = 0) -> Figure:
    """A figure that has no value."""
    return Figure(None, None, None, pictures, reason)


def resample(labels: np.ndarray, units: Units, *, seed: int = SEED) -> np.ndarray:
    """Draw validation sets like this one.

    Args:
        labels: (N,) int64 true classes.
        units: of the same pictures.
        seed: the same draws for the same.

    Returns:
        (resamples, N) float32: how often each picture is in each of them.
    """
    random = np.random.default_rng(seed)
    count = int(np.clip(CELLS // len(labels), FEWEST, RESAMPLES))
    counts = np.zeros((count, units.count), dtype=np.float32)
    # The stratum of a unit is the class of most of its pictures, of several the first.
    pairs, pictures = np.unique(np.stack([units.of, labels]), axis=1, return_counts=True)
    order = np.lexsort((-pictures, pairs[0]))
    stratum = pairs[1][order][np.unique(pairs[0][order], return_index=True)[1]]
    for label in np.unique(stratum):
        members = np.flatnonzero(stratum == label)
        counts[:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), size=count)
    return counts[:, units.of]


def percentiles(value: float, draws: np.ndarray, *, pictures: int, about: bool = False) -> Figure:
    """A value with the interval that resampling gives it.

    Args:
        value: of the pictures themselves.
        draws: (resamples,) float, the value of each; NaN where it has none.
        pictures: how many it rests on.
        about: turn the interval around the value (the basic bootstrap): for one that resampling makes larger, like a
            calibration error, which every noise adds to. It ends at 0.

    Returns:
        The Figure; without an interval where resampling says that nothing is uncertain.

    Example:
        percentiles(0.5, np.linspace(0.4, 0.6, 1000), pictures=100)  # from 0.405 to 0.595
    """
    known = draws[np.isfinite(draws)]
    if len(known) < len(draws) / 2:
        return Figure(value, None, None, pictures, "too few pictures to resample")
    low, high = map(float, np.quantile(known, (0.025, 0.975)))
    if high - low < 1e-9:
        return Figure(value, None, None, pictures, ALL_RIGHT)
    if about:
        low, high = min(value, max(0.0, 2 * value - high)), max(value, 2 * value - low)
    return Figure(value, low, high, pictures)
