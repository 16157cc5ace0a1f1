from __future__ import annotations

import numpy as np
import pytest

from pictaxa.inference.none_of_these import Bank, least_closeness
from pictaxa.runs.vectors import unit_vectors


def units(count: int, seed: int) -> np.ndarray:
    return unit_vectors(np.random.default_rng(seed).normal(size=(count, 8)))


def test_nearest_are_the_most_alike():
    """As sorting all similarities finds them, the most alike first; no more than there are."""
    bank, queries = Bank(units(50, 0), np.arange(50)), units(7, 1)
    places, similarities = bank.nearest(queries, count=6)
    all_of_them = queries @ bank.units.T
    assert np.array_equal(places, np.argsort(-all_of_them, axis=1)[:, :6])
    np.testing.assert_allclose(similarities, -np.sort(-all_of_them, axis=1)[:, :6])
    assert bank.nearest(queries, count=60)[0].shape == (7, 50)


def test_a_training_picture_is_nearest_to_itself():
    """Its closeness is 1, and that of any other the similarity of the first that is found."""
    bank, queries = Bank(units(50, 0), np.arange(50)), units(7, 1)
    places, similarities = bank.nearest(bank.units, count=3)
    assert np.array_equal(places[:, 0], np.arange(50)) and similarities[:, 0] == pytest.approx(1)
    assert np.array_equal(bank.closeness(bank.units), similarities[:, 0])
    assert np.array_equal(bank.closeness(queries), bank.nearest(queries, count=1)[1][:, 0])


def test_the_threshold_lets_through_what_it_promises():
    """Of new pictures like those of validation 95% are above it, on average over many draws of either."""
    random = np.random.default_rng(0)
    accepted = []
    for _ in range(400):
        threshold = least_closeness(random.normal(size=60).astype(np.float32))
        assert threshold is not None
        accepted.append((random.normal(size=500) >= threshold).mean())
    assert 0.95 <= np.mean(accepted) < 0.97


def test_too_few_pictures_give_no_threshold():
    """18 can't say where 5% lie; of 19 the least is the threshold."""
    assert least_closeness(np.arange(18, dtype=np.float32)) is None
    assert least_closeness(np.arange(19, dtype=np.float32)) == 0
    assert least_closeness(np.zeros(0, np.float32)) is None
