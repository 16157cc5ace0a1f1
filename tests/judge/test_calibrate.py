from __future__ import annotations

import numpy as np
import pytest

from pictaxa.judge.calibrate import fit_temperature
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
