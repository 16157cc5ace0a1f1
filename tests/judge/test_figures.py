from __future__ import annotations

import time

import numpy as np
import pytest

from pictaxa.judge.figures import NEVER, ONE_CLASS, ONE_KIND, judge_figures
from pictaxa.judge.intervals import ALL_RIGHT, Units, resample
from pictaxa.judge.ranking import NO_PICTURE
from pictaxa.metrics import Predictions, softmax
from pictaxa.runs.judgement import Figures


def judged(labels: np.ndarray, shares: np.ndarray, units: Units | None = None) -> Figures:
    """The figures of predictions whose classes are called by their numbers."""
    units = units or Units.by(np.arange(len(labels)))
    classes = tuple(map(str, range(shares.shape[1])))
    predictions = Predictions(np.arange(len(labels)), labels, shares)
    return judge_figures(predictions, units, classes=classes, weights=resample(labels, units))


def of_matrix(matrix: list[list[int]]) -> Figures:
    """The figures of predictions with this confusion matrix."""
    pairs = [(true, said) for true, row in enumerate(matrix) for said, count in enumerate(row) for _ in range(count)]
    labels, said = np.array(pairs).T
    return judged(labels, (0.7 * np.eye(len(matrix)) + 0.3 / len(matrix))[said])


def test_a_textbook_example():
    """Cohen's kappa of 20 and 15 agreements of 50 (5 and 10 other) is 0.4; the rest by hand."""
    found = of_matrix([[20, 5], [10, 15]])
    assert found.kappa.value == pytest.approx(0.4) and found.accuracy.value == pytest.approx(0.7)
    assert found.balanced_accuracy.value == pytest.approx((20 / 25 + 15 / 25) / 2)
    assert found.mcc.value == pytest.approx((20 * 15 - 5 * 10) / np.sqrt(30 * 25 * 25 * 20))
    first = found.classes[0]
    assert (first.precision.value, first.recall.value, first.f1.value) == pytest.approx((20 / 30, 20 / 25, 40 / 55))
    assert (first.pictures, first.precision.pictures, first.recall.pictures, first.f1.pictures) == (25, 30, 25, 35)
    assert found.f1.value == pytest.approx((40 / 55 + 30 / 45) / 2)
    assert found.precision.value == pytest.approx((20 / 30 + 15 / 20) / 2)


def test_the_true_class_among_the_first():
    """Only k below the number of classes; the first three hold the class of four of five pictures here."""
    shares = np.array([[0.4, 0.3, 0.2, 0.1]] * 5)
    found = judged(np.array([0, 1, 2, 3, 0]), shares)
    assert set(found.top) == {"3"} and found.top["3"].value == pytest.approx(0.8)


def test_what_is_not_defined_says_why():
    """A class without pictures, one that nobody predicted, one class alone, one answer for all: never NaN."""
    found = of_matrix([[3, 0, 0], [2, 0, 0], [0, 0, 0]])
    never, absent = found.classes[1], found.classes[2]
    assert (never.precision.value, never.precision.reason) == (None, NEVER) and never.recall.value == 0
    assert (absent.recall.value, absent.recall.reason) == (None, NO_PICTURE) and absent.f1.value is None
    assert found.mcc.value is None and found.mcc.reason == ONE_KIND and found.kappa.value == 0
    alone = of_matrix([[4, 0], [0, 0]])
    assert (alone.kappa.value, alone.kappa.reason) == (None, ONE_CLASS) and alone.roc_auc.value is None
    one = judged(np.array([1]), np.array([[0.6, 0.4]]))
    assert one.accuracy.value == 0 and one.accuracy.high is not None and one.accuracy.high > 0.5


def test_where_all_is_right_resampling_has_no_interval():
    """That of the accuracy, which is Wilson's, holds; others would be from 1 to 1."""
    found = of_matrix([[5, 0], [0, 5]])
    assert found.accuracy.low is not None and found.accuracy.low < 0.75
    assert (found.kappa.value, found.kappa.low, found.kappa.reason) == (1, None, ALL_RIGHT)
    first = found.classes[0].f1
    assert first.value == 1 and first.low is not None and 0.6 < first.low < 0.9


def test_intervals_cover():
    """Of 60 sets drawn from a known rule, nearly all intervals of macro F1 and kappa hold the value of a huge set."""
    random = np.random.default_rng(5)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(3), count // 3)
        return labels, softmax(random.normal(0, 1, (count, 3)) + 1.5 * np.eye(3)[labels])

    truth = judged(*drawn(3000))
    inside = {"f1": 0, "kappa": 0, "roc_auc": 0}
    for _ in range(60):
        found = judged(*drawn(150))
        for name in inside:
            figure, true = getattr(found, name), getattr(truth, name).value
            inside[name] += figure.low <= true <= figure.high
    assert all(50 <= count <= 60 for count in inside.values()), inside


def test_groups_widen_intervals():
    """Ten pictures of each of 30 persons, who are got right or wrong as a whole, know less than 300."""
    random = np.random.default_rng(6)
    labels = np.repeat(np.arange(30) % 2, 10)
    scores = np.repeat(random.normal(0, 1, 30), 10) + 1.5 * labels
    shares = softmax(np.stack([-scores, scores - 1.5], axis=1))
    alone, together = judged(labels, shares), judged(labels, shares, Units.by(np.repeat(np.arange(30), 10)))

    def width(found: Figures, name: str) -> float:
        figure = getattr(found, name)
        return float(figure.high - figure.low)

    for name in ("accuracy", "f1", "kappa", "roc_auc"):
        assert width(together, name) > 1.8 * width(alone, name), name


@pytest.mark.slow
@pytest.mark.parametrize(("count", "classes", "seconds"), [(250, 5, 1), (10_000, 100, 10)])
def test_it_is_quick(count: int, classes: int, seconds: float):
    """A usual validation set in a second, a large one in several."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % classes
    shares = softmax(random.normal(0, 1, (count, classes)) + 3 * np.eye(classes)[labels])
    before = time.monotonic()
    judged(labels, shares)
    assert time.monotonic() - before < seconds
