from __future__ import annotations

import math

import numpy as np
import pytest

from pictaxa.judge.paired import holm, pair_up, paired_interval


def of(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) bool each: which pictures the two got right."""
    counts = [both, only_first, only_second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_the_published_interval():
    """Newcombe 1998, table III: 36, 12, 2 and 0 of 50 give 0.0569 to 0.3404 by method 10."""
    assert paired_interval(36, 2, 12, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    low, high = paired_interval(36, 12, 2, 0)
    assert (low, high) == pytest.approx((-0.3404, -0.0569), abs=5e-5)


@pytest.mark.parametrize("table", [(5, 0, 0, 0), (0, 0, 0, 5), (0, 5, 0, 0), (0, 0, 1, 0), (3, 0, 0, 3), (1, 1, 1, 1)])
def test_extreme_tables_have_intervals(table: tuple[int, int, int, int]):
    """All the same, or all different: the interval holds the difference and stays within -1 and 1."""
    pairing = pair_up(*of(*table))
    assert -1 <= pairing.low <= pairing.difference <= pairing.high <= 1
    assert pairing.low < pairing.high and pairing.pictures == sum(table)


def test_the_exact_test():
    """By hand: of 5 pictures that one alone has right none is the other's: 2 / 2**5; equal answers tell nothing."""
    assert pair_up(*of(20, 0, 5, 3)).p_value == pytest.approx(2 / 2**5)
    assert pair_up(*of(20, 4, 2, 3)).p_value == pytest.approx(2 * (1 + 6 + 15) / 2**6)
    assert pair_up(*of(20, 0, 0, 3)).p_value == 1.0
    assert math.isnan(pair_up(*of(1, 1, 1, 1)).p_holm)


def test_groups_widen_the_interval():
    """Ten groups of ten pictures each, in which all have the same answers, say as much as ten pictures."""
    first, second = of(20, 10, 30, 40)
    groups = [str(place // 10) for place in range(100)]
    alone, together = pair_up(first, second), pair_up(first, second, groups=groups)
    assert alone.method == "newcombe" and together.method == "bootstrap"
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.low < together.difference < together.high
    blank = pair_up(first, second, groups=[""] * 100)
    assert blank.method == "newcombe" and blank.low == alone.low


def test_holm_by_hand():
    """The smallest of three counts threefold, the next twice, and none less than one before it."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []
