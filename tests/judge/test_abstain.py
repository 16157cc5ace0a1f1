from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from pictaxa.judge.abstain import choose_threshold, vouched_for
from pictaxa.judge.intervals import Units


def alone(count: int) -> Units:
    return Units.by(np.arange(count))


def test_what_counts_vouch_for():
    """The lower end of Clopper and Pearson's one-sided interval, as SciPy has it."""
    for right, count in ((59, 59), (58, 59), (0, 10), (95, 100)):
        expected = binomtest(right, count, alternative="greater").proportion_ci(0.95, method="exact").low
        assert vouched_for(np.array([right]), np.array([count])) == pytest.approx([expected])


def test_the_threshold_by_hand():
    """Of 100 pictures the surest 60 are right, the others wrong: 59 right ones vouch for 95%, and so do 60 of 60."""
    confidences = np.linspace(1.0, 0.5, 100)
    rule = choose_threshold(confidences, np.arange(100) < 60, alone(100), wanted=0.95)
    assert rule.threshold == pytest.approx((confidences[59] + confidences[60]) / 2)
    assert (rule.coverage.value, rule.accuracy.value, rule.accuracy.pictures) == (0.6, 1.0, 60)
    assert rule.coverage.low is not None and 0.5 < rule.coverage.low < 0.6


def test_equally_sure_pictures_are_answered_together():
    """A threshold is not between equal confidences, although it would do better there."""
    confidences, right = np.array([0.9] * 60 + [0.8] * 40), np.array([True] * 80 + [False] * 20)
    rule = choose_threshold(confidences, right, alone(100), wanted=0.9)
    assert rule.threshold == pytest.approx(0.85) and rule.accuracy.pictures == 60


@pytest.mark.parametrize("right", [np.ones(20, dtype=bool), np.zeros(500, dtype=bool)])
def test_too_few_or_too_wrong_vouch_for_nothing(right: np.ndarray):
    """Twenty right ones could be of 86%; there is no threshold then, and the reason is said."""
    rule = choose_threshold(np.linspace(0.5, 1, len(right)), right, alone(len(right)), wanted=0.95)
    assert rule.threshold is None and rule.coverage.value is None and rule.coverage.reason


def test_groups_vouch_for_less():
    """A hundred pictures of ten persons, all right, are not a hundred."""
    confidences, right = np.linspace(0.5, 1, 100), np.ones(100, dtype=bool)
    assert choose_threshold(confidences, right, alone(100), wanted=0.95).threshold is not None
    assert choose_threshold(confidences, right, Units.by(np.arange(100) // 10), wanted=0.95).threshold is None


def test_the_answers_are_right_on_other_pictures():
    """Of 200 runs with 300 pictures each, at least nine in ten give answers that are right as often as asked."""
    random = np.random.default_rng(8)
    kept = tried = 0
    for _ in range(200):
        sure = random.beta(4, 1, 300)
        rule = choose_threshold(sure, random.random(300) < sure, alone(300), wanted=0.9)
        if rule.threshold is not None:
            others = random.beta(4, 1, 20_000)
            kept += others[others >= rule.threshold].mean() >= 0.9
            tried += 1
    assert tried > 100 and kept / tried >= 0.9
