"""What two classifiers' answers to the same pictures tell of which is better: counts, a test, an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..metrics import wilson_interval

RESAMPLES = 9_999  # of the groups; the ends of an interval then move by a hundredth of its width
METHODS = {
    "newcombe": "Newcombe's interval for paired proportions",
    "bootstrap": "a bootstrap of whole groups",
}


@dataclass(frozen=True)
class Pairing:
    """Two classifiers on the same pictures; the difference is the second's accuracy minus the first's.

    Example:
        pairing = pair_up(np.array([True, True, False]), np.array([True, False, False]))
        pairing.only_first, pairing.difference  # 1, -0.333
    """

    first: int  # place among the runs that are compared
    second: int
    both: int  # pictures that both classify correctly
    only_first: int
    only_second: int
    neither: int
    low: float  # of the difference, 95%
    high: float
    method: str  # of METHODS
    p_value: float  # McNemar's exact test
    p_holm: float = field(default=math.nan)  # corrected for all pairs that are compared

    @property
    def pictures(self) -> int:
        """How many there are."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> float:
        """How much more accurate the second one is, from -1 to 1."""
        return (self.only_second - self.only_first) / self.pictures


def pair_up(
    first: np.ndarray, second: np.ndarray, *, groups: Sequence[str] = (), places: tuple[int, int] = (0, 1)
) -> Pairing:
    """Compare which pictures two classifiers got right.

    Args:
        first: (n,) bool, whether the first one was right; of one picture or more.
        second: likewise.
        groups: (n,) the group of each picture, "" for one by itself; none where there are no groups. Pictures of a
            group resemble each other, so the interval is then one of whole groups; the test takes no account of them.
        places: of the two among all that are compared.

    Returns:
        The Pairing, with the exact test of McNemar (1947) and the interval of Newcombe (1998, Statistics in Medicine
        17, 2635-2650, method 10).

    Example:
        pair_up(np.array([True] * 12 + [False] * 2), np.array([False] * 12 + [True] * 2)).p_value  # 0.013
    """
    from scipy.stats import binomtest

    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    alone, other = int((first & ~second).sum()), int((~first & second).sum())
    test = float(binomtest(other, alone + other).pvalue) if alone + other else 1.0
    if len({group for group in groups if group}) > 1:
        method, (low, high) = "bootstrap", _by_groups(second.astype(float) - first, groups)
    else:
        method, (low, high) = "newcombe", paired_interval(both, alone, other, neither)
    return Pairing(*places, both, alone, other, neither, low, high, method, test)


def paired_interval(both: int, only_first: int, only_second: int, neither: int) -> tuple[float, float]:
    """The 95% interval of the second's accuracy minus the first's, by Newcombe's method 10: Wilson's intervals of the
    two, squared and added, less what their correlation takes away.

    Args:
        both: how many pictures both had right; with the other three, of one picture or more.
        only_first: only the first.
        only_second: only the second.
        neither: none of them.

    Returns:
        Its ends, from -1 to 1.

    Example:
        paired_interval(36, 2, 12, 0)  # (0.057, 0.340)
    """
    total = both + only_first + only_second + neither
    one, two = both + only_second, both + only_first  # the second's right answers, and the first's
    (low_1, high_1), (low_2, high_2) = wilson_interval(one, total), wilson_interval(two, total)
    share_1, share_2 = one / total, two / total
    phi = _correlation(both, only_first, only_second, neither)
    below = _together(share_1 - low_1, high_2 - share_2, phi)
    above = _together(high_1 - share_1, share_2 - low_2, phi)
    return max(-1.0, share_1 - share_2 - below), min(1.0, share_1 - share_2 + above)


def _together(one: float, two: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * two + two * two))


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Phi of the two-by-two table, with Newcombe's correction for continuity where it is positive."""
    sides = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if not sides:
        return 0.0
    cross = float(both * neither - only_first * only_second)
    if cross > 0:
        cross = max(cross - (both + only_first + only_second + neither) / 2, 0.0)
    return cross / math.sqrt(sides)


def _by_groups(differences: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    """Percentiles of the mean difference (n,) when whole groups are drawn again; a picture without one is a group."""
    from scipy.stats import bootstrap

    names = [group or f"\0{place}" for place, group in enumerate(groups)]
    _, of = np.unique(names, return_inverse=True)
    sums, sizes = np.bincount(of, weights=differences), np.bincount(of).astype(float)
    found = bootstrap(
        (sums, sizes), lambda total, size, axis: total.sum(axis=axis) / size.sum(axis=axis), paired=True,
        vectorized=True, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(0), batch=500,
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for how many there are (Holm 1979): of all, the chance of one false finding stays below each.

    Args:
        p_values: from 0 to 1, of some tests.

    Returns:
        The corrected ones in the same order, at most 1.

    Example:
        holm([0.01, 0.04, 0.03])  # [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = largest
    return corrected
