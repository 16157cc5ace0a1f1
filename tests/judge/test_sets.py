from __future__ import annotations

import numpy as np
import pytest

from pictaxa.judge.calibrate import deal_folds
from pictaxa.judge.intervals import Units
from pictaxa.judge.sets import least_of_classes, least_probability, make_sets
from pictaxa.metrics import softmax


def alone(count: int) -> Units:
    return Units.by(np.arange(count))


def drawn(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, 4) probabilities and labels; the last class is hard, and rare."""
    random = np.random.default_rng(seed)
    labels = random.choice(4, count, p=[0.3, 0.3, 0.3, 0.1])
    strength = np.array([3.0, 2.0, 2.0, 0.5])[labels, None]
    return softmax(random.normal(0, 1, (count, 4)) + strength * np.eye(4)[labels]), labels


def test_the_quantile_by_hand():
    """Of 20 pictures, 90% needs 19, as ceil(21 * 0.9) is 19; 95% needs all; 98% needs more than there are."""
    true = np.linspace(0.05, 1, 20)
    assert least_probability(true, alone(20), wanted=0.9) == pytest.approx(0.1)
    assert least_probability(true, alone(20), wanted=0.95) == pytest.approx(0.05)
    assert least_probability(true, alone(20), wanted=0.98) == 0
    assert least_probability(true[:0], alone(20), wanted=0.9) == 0
    assert (
        least_probability(np.ones(19), alone(19), wanted=0.95)
        == 1
        > least_probability(np.ones(18), alone(18), wanted=0.95)
    )


def test_groups_count_as_one_in_the_allowance():
    """Two hundred pictures of ten persons are too few for 95%, and for 90% all have to be in."""
    true, units = np.linspace(0.1, 1, 200), Units.by(np.arange(200) // 20)
    assert least_probability(true, units, wanted=0.95) == 0
    assert least_probability(true, units, wanted=0.9) == pytest.approx(0.1)


@pytest.mark.parametrize("wanted", [0.8, 0.9, 0.95])
def test_sets_cover_other_pictures(wanted: float):
    """Over 100 draws of 200 pictures: as often as promised and hardly more, in all, and per class in each class."""
    others, true = drawn(20_000, seed=0)
    covered, each = [], []
    for seed in range(1, 101):
        shares, labels = drawn(200, seed=seed)
        least = least_of_classes(shares, labels, alone(200), wanted=wanted, per_class=False)
        covered.append((others >= least)[np.arange(20_000), true].mean())
        own = least_of_classes(shares, labels, alone(200), wanted=wanted, per_class=True)
        inside = (others >= own)[np.arange(20_000), true]
        each.append([inside[true == label].mean() for label in range(4)])
    assert wanted - 0.005 <= np.mean(covered) <= wanted + 1 / 201 + 0.005
    assert (np.mean(each, axis=0) >= wanted - 0.01).all()


def test_without_classes_of_its_own_the_hard_one_is_left_out():
    """What sets of all pictures together promise holds in all together alone; per class it holds in each."""
    shares, labels = drawn(2000, seed=7)
    others, true = drawn(20_000, seed=8)
    hard = {}
    for per_class in (False, True):
        least = least_of_classes(shares, labels, alone(2000), wanted=0.9, per_class=per_class)
        hard[per_class] = (others >= least)[np.arange(20_000), true][true == 3].mean()
    assert hard[False] < 0.8 and 0.86 < hard[True] < 0.94


def test_the_figures_are_of_other_folds():
    """Coverage near what is promised, a mean size, and the empty ones; a class without pictures is in every set."""
    shares, labels = drawn(600, seed=3)
    rule = make_sets(shares, labels, alone(600), wanted=0.9, per_class=False, fold_of=deal_folds(alone(600)))
    assert len(rule.least) == 1 and rule.coverage.low is not None and rule.coverage.high is not None
    assert rule.coverage.low < 0.9 < rule.coverage.high and rule.coverage.pictures == 600
    assert rule.size.value is not None and 1 < rule.size.value < 2.5 and rule.empty.value == 0
    few = labels < 3
    rule = make_sets(
        shares[few], labels[few], alone(few.sum()), wanted=0.9, per_class=True, fold_of=deal_folds(alone(few.sum()))
    )
    assert len(rule.least) == 4 and rule.least[3] == 0 and all(rule.least[:3])


def test_a_single_picture_has_all_classes():
    """One picture promises nothing less than all classes."""
    rule = make_sets(np.array([[0.6, 0.4]]), np.array([1]), alone(1), wanted=0.9, per_class=False, fold_of=np.zeros(1))
    assert rule.least == (0.0,) and (rule.coverage.value, rule.size.value, rule.empty.value) == (1, 2, 0)
