from __future__ import annotations

import numpy as np
import pytest

from pictaxa.judge.intervals import ALL_RIGHT, Units, mean_of, nothing, percentiles, proportion, resample, worth
from pictaxa.metrics import wilson_interval


def test_pictures_by_themselves_have_wilsons_interval():
    """That of as many pictures; of none there is no share, and it says why."""
    right = np.arange(250) < 237
    figure = proportion(right, Units.by(np.arange(250)))
    assert (figure.low, figure.high) == wilson_interval(237, 250) and (figure.value, figure.pictures) == (0.948, 250)
    none = proportion(np.zeros(0, dtype=bool), Units.by(np.arange(3)), reason="never predicted")
    assert none == nothing("never predicted") and none.value is None


def test_groups_that_agree_count_as_one_picture_each():
    """Ten pictures of each of 40 persons, all right or all wrong: worth 40; a mix like chance: worth all."""
    units = Units.by(np.repeat(np.arange(40), 10))
    whole = np.repeat(np.arange(40) % 4 > 0, 10)
    assert worth(whole, units) == pytest.approx(40, rel=0.05)
    assert worth(np.random.default_rng(0).random(400) < 0.75, units) > 250
    assert worth(np.ones(400, dtype=bool), units) == 40  # nothing varies: no more than that is known
    assert worth(whole, Units.by(np.zeros(400))) == 1


def test_the_interval_of_groups_covers():
    """Of 400 draws of 30 groups, whose pictures are alike, about 95% have the true share in the interval."""
    random = np.random.default_rng(3)
    units, inside = Units.by(np.repeat(np.arange(30), 8)), 0
    for _ in range(400):
        shares = random.beta(2, 1, 30)
        figure = proportion(random.random(240) < np.repeat(shares, 8), units)
        inside += figure.low <= 2 / 3 <= figure.high  # type: ignore[operator]
    assert 0.91 <= inside / 400 <= 0.985


def test_drawn_sets_keep_units_and_classes():
    """Pictures of a unit come as often as each other, each class keeps its units, and the same seed draws the same."""
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    units = Units.by(["a", "a", "b", "b", "c", "d", "e"])
    drawn = resample(labels, units)
    assert drawn.shape == (1000, 7) and np.array_equal(drawn, resample(labels, units))
    assert (drawn[:, 0] == drawn[:, 1]).all() and (drawn[:, 2] == drawn[:, 3]).all()
    assert (drawn[:, [0, 2]].sum(axis=1) == 2).all() and (drawn[:, 4:].sum(axis=1) == 3).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(7), abs=0.1)


def test_a_unit_of_several_classes_is_of_its_most_frequent():
    """A person with two pictures of one class and one of another is drawn among those of the first."""
    drawn = resample(np.array([0, 0, 1, 0, 1, 1]), Units.by(["p", "p", "p", "q", "r", "s"]))
    assert (drawn[:, [0, 3]].sum(axis=1) == 2).all() and (drawn[:, [4, 5]].sum(axis=1) == 2).all()


def test_percentiles_of_draws():
    """The middle 95%; turned around the value where noise adds to it; none where nothing varies or little is known."""
    draws = np.linspace(0, 1, 1001)
    assert percentiles(0.5, draws, pictures=9).low == pytest.approx(0.025)
    turned = percentiles(0.3, draws, pictures=9, about=True)
    assert turned.low == 0 and turned.high == pytest.approx(0.575)
    assert percentiles(1.0, np.ones(1000), pictures=9).reason == ALL_RIGHT
    few = percentiles(0.5, np.where(draws < 0.6, np.nan, draws), pictures=9)
    assert few.low is None and few.value == 0.5


def test_the_mean_of_counts():
    """With the interval of its standard error; of one unit there is none."""
    values = np.array([1.0, 2, 3, 4])
    figure = mean_of(values, Units.by(np.arange(4)))
    half = 1.96 * values.std(ddof=1) / 2
    assert (figure.value, figure.low, figure.high) == pytest.approx((2.5, 2.5 - half, 2.5 + half))
    assert mean_of(values, Units.by(np.zeros(4))).low is None
