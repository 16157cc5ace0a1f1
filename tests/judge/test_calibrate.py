from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from pictaxa.judge.calibrate import (
    BINS,
    bins_of,
    calibration_error,
    cross_calibrated,
    deal_folds,
    fit_temperature,
    judge_calibration,
)
from pictaxa.judge.intervals import Units, resample
from pictaxa.metrics import cooled, softmax
from pictaxa.runs.judgement import COLDEST, HOTTEST


def drawn(count: int, classes: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, classes) probabilities that are calibrated, as the labels are drawn from them."""
    random = np.random.default_rng(seed)
    shares = softmax(random.normal(0, 2, (count, classes)))
    labels = (shares.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return shares, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_it_undoes_a_known_temperature(temperature: float):
    """Calibrated probabilities that were made colder or hotter get their own temperature back."""
    shares, labels = drawn(20_000, 4, seed=1)
    found = fit_temperature(cooled(shares, 1 / temperature), labels)
    assert found == pytest.approx(temperature, rel=0.05)


def test_what_is_right_in_three_of_four_says_so():
    """Four equal pictures, one wrong, and a fifth whose wrong answer is a quarter of each of theirs: 3.25 of 5."""
    shares = np.array([[0.99, 0.01]] * 4)
    temperature = fit_temperature(shares, np.array([0, 0, 0, 1]))
    assert cooled(shares, temperature)[0, 0] == pytest.approx(3.25 / 5, abs=0.001)


@pytest.mark.parametrize("count", [1, 2, 250])
def test_where_all_is_right_it_stays_finite(count: int):
    """No error is no reason for certainty: the more pictures, the surer."""
    shares = np.tile([[0.9, 0.05, 0.05]], (count, 1))
    temperature = fit_temperature(shares, np.zeros(count, dtype=np.int64))
    assert COLDEST <= temperature <= HOTTEST
    assert cooled(shares, temperature)[0, 0] < 1 - 0.5 / (count + 1)


def test_probabilities_of_0_and_1():
    """Rounded to certainty, right or wrong, they give a temperature all the same."""
    shares = np.eye(3, dtype=np.float32)
    assert COLDEST <= fit_temperature(shares, np.array([0, 1, 2])) <= HOTTEST
    assert COLDEST <= fit_temperature(shares, np.array([1, 2, 0])) <= HOTTEST


def test_the_error_by_hand():
    """Forty pictures in two bins: of 20 that say 0.6, 15 are right (0.15 off), of 20 that say 0.9, 17 (0.05 off)."""
    confidences = np.repeat([0.6, 0.9], 20)
    right = np.concatenate([np.arange(20) < 15, np.arange(20) < 17])
    assert calibration_error(confidences, right, np.ones((1, 40))) == pytest.approx([0.1])
    doubled = np.repeat([2.0, 1.0], 20)[None]
    assert calibration_error(confidences, right, doubled) == pytest.approx([(2 * 0.15 + 0.05) / 3])


def test_bins_have_about_as_many_pictures():
    """As scikit-learn's reliability curve by quantiles has them; equal confidences stay together, few have few bins."""
    confidences = np.random.default_rng(0).beta(5, 1, 600)
    bins = bins_of(confidences)
    assert np.bincount(bins).tolist() == [40] * BINS
    right = np.random.default_rng(1).random(600) < confidences
    accuracies, means = calibration_curve(right, confidences, n_bins=BINS, strategy="quantile")
    assert np.bincount(bins, weights=confidences) / 40 == pytest.approx(means)
    assert np.bincount(bins, weights=right) / 40 == pytest.approx(accuracies)
    assert set(bins_of(np.ones(100))) == {0} and set(bins_of(np.linspace(0, 1, 30))) == {0}
    assert len(set(bins_of(np.repeat([0.5, 0.6, 1.0], 200)))) == 3


def test_folds_never_part_a_unit():
    """Each unit is in one fold; of fewer units than folds there are as many folds."""
    units = Units.by(np.repeat(np.arange(23), 3))
    fold_of = deal_folds(units)
    assert set(fold_of) == set(range(5))
    assert all(len(set(fold_of[units.of == unit])) == 1 for unit in range(23))
    assert set(deal_folds(Units.by([0, 0, 1]))) == {0, 1} and set(deal_folds(Units.by([0, 0]))) == {0}


def test_each_fold_is_calibrated_by_the_others():
    """What a picture is labelled does not change its own probabilities, only those of other folds."""
    shares, labels = drawn(200, 3, seed=2)
    fold_of = np.arange(200) % 5
    before = cross_calibrated(shares, labels, fold_of)
    changed = labels.copy()
    changed[fold_of == 0] = (changed[fold_of == 0] + 1) % 3
    after = cross_calibrated(shares, changed, fold_of)
    assert np.array_equal(before[fold_of == 0], after[fold_of == 0])
    assert (np.abs(before - after)[fold_of == 1] > 1e-3).any()
    alone = cross_calibrated(shares, labels, np.zeros(200, dtype=np.int64))
    assert np.allclose(alone, cooled(shares, fit_temperature(shares, labels)))


def test_calibrating_helps_what_is_too_sure():
    """Error, log loss and Brier score fall; before, the interval of the error is above 0; the bins are the diagram."""
    shares, labels = drawn(600, 4, seed=3)
    sure = cooled(shares, 1 / 3)
    units = Units.by(np.arange(600))
    weights = resample(labels, units)
    before = judge_calibration(sure, labels, units, weights=weights)
    after = judge_calibration(cross_calibrated(sure, labels, deal_folds(units)), labels, units, weights=weights)
    for name in ("log_loss", "brier", "error"):
        one, other = getattr(before, name), getattr(after, name)
        assert other.value < one.value and one.low <= one.value <= one.high and one.pictures == 600, name
    assert before.error.low is not None and before.error.low > 0.1
    assert after.error.low is not None and after.error.low < 0.02
    assert sum(one.pictures for one in before.bins) == 600 and all(b.low <= b.accuracy <= b.high for b in before.bins)


def test_a_single_picture_is_judged():
    """With values, and without a warning; Brier's score of 0.6 and 0.4, wrong, is 0.72."""
    units, labels = Units.by([0]), np.array([1])
    found = judge_calibration(np.array([[0.6, 0.4]]), labels, units, weights=resample(labels, units))
    assert found.brier.value == pytest.approx(0.72) and found.error.value == pytest.approx(0.6)
    assert found.log_loss.low is None and len(found.bins) == 1
