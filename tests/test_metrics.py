from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from pictaxa.metrics import Predictions, confusion_matrix, log_loss, softmax, summarise, wilson_interval


def random_predictions(count: int = 300, classes: int = 4) -> Predictions:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, classes - 1, count)  # the last class has no picture
    logits = generator.normal(0, 1, (count, classes)) + 1.5 * np.eye(classes)[labels]
    return Predictions(rows=np.arange(count), labels=labels, probabilities=softmax(logits))


def test_figures_agree_with_scikit_learn():
    """Accuracy, confusion, precision, recall, F1 and log loss are scikit-learn's, for absent classes too."""
    predictions = random_predictions()
    names = tuple("abcd")
    summary = summarise(predictions, names)
    truth, guess = predictions.labels, predictions.predicted
    assert summary["accuracy"] == sk.accuracy_score(truth, guess)
    assert np.array_equal(confusion_matrix(predictions), sk.confusion_matrix(truth, guess, labels=range(4)))
    expected = sk.precision_recall_fscore_support(truth, guess, labels=range(4), zero_division=0)
    for row, precision, recall, f1, support in zip(summary["classes"], *expected, strict=True):
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision, recall, f1))
        assert row["pictures"] == support
    assert log_loss(predictions) == pytest.approx(sk.log_loss(truth, predictions.probabilities, labels=range(4)))


def test_softmax_is_safe_and_sums_to_one():
    """Huge logits give no overflow, and every row sums to 1."""
    probabilities = softmax(np.array([[1000.0, 0.0], [-1000.0, -1001.0]]))
    assert np.allclose(probabilities.sum(axis=1), 1) and probabilities[0, 0] == 1


def test_the_interval_is_wilsons():
    """Known values: 0 of 10, 10 of 10, 81 of 263 (Newcombe 1998, table I), and nothing at all."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 10)[0] == 0 and wilson_interval(0, 10)[1] == pytest.approx(0.2775, abs=1e-4)
    assert wilson_interval(10, 10)[1] == pytest.approx(1)
    assert wilson_interval(0, 0) == (0, 1)
