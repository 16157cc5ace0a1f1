from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pictaxa.judge.intervals import Units, resample
from pictaxa.judge.ranking import ALL_PICTURES, FEW_POINTS, NO_PICTURE, POINTS, rank_class


def test_the_areas_by_hand():
    """Of three pairs two are in order: 2/3; the class is at ranks 1 and 3: (1 + 2/3) / 2."""
    scores, members = np.array([0.9, 0.6, 0.5, 0.1]), np.array([True, False, True, False])
    found = rank_class(scores, members, np.ones((4, 4), dtype=np.float32), classes=2)
    assert found.roc_auc.value == pytest.approx(3 / 4) and found.average_precision.value == pytest.approx(5 / 6)
    assert found.roc is not None and (found.roc.x[0], found.roc.y[-1]) == (0, 1)


@pytest.mark.parametrize("decimals", [1, 8])
def test_drawn_areas_are_those_of_scikit_learn(decimals: int):
    """With weights as sample weights, with many ties and without."""
    random = np.random.default_rng(1)
    members = random.random(120) < 0.3
    scores = np.round(random.random(120) * 0.6 + members * 0.3, decimals)
    weights = resample(members.astype(np.int64), Units.by(np.arange(120)))[:20]
    found = rank_class(scores, members, weights, classes=2)
    areas = [roc_auc_score(members, scores, sample_weight=weight) for weight in weights]
    precisions = [average_precision_score(members, scores, sample_weight=weight) for weight in weights]
    assert found.auc_draws == pytest.approx(areas, abs=1e-5)
    assert found.precision_draws == pytest.approx(precisions, abs=1e-5)


def test_without_pictures_there_is_no_area():
    """Nor where all pictures are of the class; it says which."""
    weights, scores = np.ones((3, 4), dtype=np.float32), np.linspace(0, 1, 4)
    for members, reason in ((np.zeros(4, dtype=bool), NO_PICTURE), (np.ones(4, dtype=bool), ALL_PICTURES)):
        found = rank_class(scores, members, weights, classes=3)
        assert found.roc_auc.value is None and found.roc_auc.reason == reason and found.roc is None


def test_curves_are_short_and_whole():
    """Few points, fewer where there are many classes, from end to end, and about the area that they enclose."""
    random = np.random.default_rng(2)
    members = random.random(3000) < 0.5
    scores = random.random(3000) + 0.5 * members
    weights = np.ones((2, 3000), dtype=np.float32)
    for classes, points in ((2, POINTS), (1000, FEW_POINTS)):
        found = rank_class(scores, members, weights, classes=classes)
        for curve in (found.roc, found.precision_recall):
            assert curve is not None and len(curve.x) == len(curve.y) <= points + 2
            assert (curve.x[0], curve.x[-1]) == (0, 1) and list(curve.x) == sorted(curve.x)
        assert found.roc is not None and found.roc_auc.value is not None
        assert np.trapezoid(found.roc.y, found.roc.x) == pytest.approx(found.roc_auc.value, abs=0.02)
