"""Predictions to numbers. Everything is counted from one confusion matrix; numpy only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

TINY = float(np.finfo(np.float32).smallest_subnormal)  # what a probability of 0 in float32 counts as


@dataclass(frozen=True)
class Predictions:
    """What a model says of labelled pictures.

    Example:
        answers = np.array([[0.9, 0.1], [0.6, 0.4]], dtype=np.float32)
        predictions = Predictions(rows=np.arange(2), labels=np.array([0, 1]), probabilities=answers)
        predictions.predicted  # [0, 0]
    """

    rows: np.ndarray  # (N,) int64 rows of the index
    labels: np.ndarray  # (N,) int64 true classes
    probabilities: np.ndarray  # (N, classes) float32, each row sums to 1

    @property
    def predicted(self) -> np.ndarray:
        """(N,) int64: the most probable class."""
        winners: np.ndarray = self.probabilities.argmax(axis=1)
        return winners


class ClassFigures(TypedDict):
    """What predictions are worth for one class; shares from 0 to 1."""

    name: str
    pictures: int
    precision: float
    recall: float
    f1: float


class Metrics(TypedDict):
    """What predictions are worth; `summarise` says what each is."""

    pictures: int
    right: int
    accuracy: float
    accuracy_95_low: float
    accuracy_95_high: float
    log_loss: float
    macro_f1: float
    classes: list[ClassFigures]
    confusion: list[list[int]]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities.

    Args:
        logits: (N, classes) float.

    Returns:
        (N, classes) float32, each row sums to 1.

    Example:
        softmax(np.zeros((1, 4), dtype=np.float32))  # [[0.25, 0.25, 0.25, 0.25]]
    """
    shifted = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    probabilities: np.ndarray = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def cooled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logarithms of probabilities by a temperature: above 1 they become more equal, below 1 less.

    Args:
        probabilities: (N, classes) float, each row sums to 1.
        temperature: above 0; 1 leaves them as they are.

    Returns:
        (N, classes) float64, each row sums to 1, none below 1e-300.

    Example:
        cooled(np.array([[0.8, 0.2]]), 2.0)  # [[0.667, 0.333]]
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY)) / temperature
    logs -= logs.max(axis=1, keepdims=True)
    shares = np.exp(logs)
    shares = np.maximum(shares / shares.sum(axis=1, keepdims=True), 1e-300)
    return np.asarray(shares)


def wilson_interval(right: float, total: float, *, z: float = 1.959964) -> tuple[float, float]:
    """Compute the interval of a proportion (Wilson 1927); it stays in [0, 1] and holds for few and for extreme counts.

    Args:
        right: how many were right; less than whole ones where pictures are worth less (judge/intervals.py).
        total: of how many; of 0 nothing is known.
        z: half its width in standard deviations; the default is for 95%.

    Returns:
        Its ends, from 0 to 1.

    Example:
        wilson_interval(237, 250)  # (0.913, 0.969)
    """
    if total == 0:
        return 0.0, 1.0
    share = right / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, centre - half), min(1.0, centre + half)


def confusion_matrix(predictions: Predictions) -> np.ndarray:
    """Count how often each class was taken for each.

    Args:
        predictions: of labelled pictures.

    Returns:
        (classes, classes) int64: row the true class, column the predicted one.

    Example:
        right = confusion_matrix(predictions).trace()
    """
    classes = predictions.probabilities.shape[1]
    pairs = predictions.labels * classes + predictions.predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def log_loss(predictions: Predictions) -> float:
    """Compute the mean negative log probability of the true class, in nats.

    Args:
        predictions: of one labelled picture or more.

    Returns:
        The loss, from 0; a probability below 1e-12 counts as 1e-12.
    """
    chosen = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def summarise(predictions: Predictions, classes: tuple[str, ...]) -> Metrics:
    """Compute the metrics of predictions, as in metrics.json.

    Args:
        predictions: of labelled pictures.
        classes: names of the classes, in the order of the probabilities.

    Returns:
        `pictures`, `right`, `accuracy` with the ends of its 95% interval (`accuracy_95_low`, `accuracy_95_high`),
        `log_loss`, `macro_f1` (the mean over classes that have pictures), `classes` (name, pictures, precision, recall
        and f1 of each) and `confusion` (rows the true classes). A ratio of nothing is 0.

    Example:
        summarise(predictions, ("cat", "dog"))["accuracy"]
    """
    matrix = confusion_matrix(predictions)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    truths, guesses, hits = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    precision = _ratio(hits, guesses)
    recall = _ratio(hits, truths)
    f1 = _ratio(2 * hits, truths + guesses)
    low, high = wilson_interval(right, total)
    return {
        "pictures": total,
        "right": right,
        "accuracy": right / total if total else 0.0,
        "accuracy_95_low": low,
        "accuracy_95_high": high,
        "log_loss": log_loss(predictions) if total else 0.0,
        "macro_f1": float(f1[truths > 0].mean()) if total else 0.0,
        "classes": [
            {
                "name": name,
                "pictures": int(truths[label]),
                "precision": float(precision[label]),
                "recall": float(recall[label]),
                "f1": float(f1[label]),
            }
            for label, name in enumerate(classes)
        ],
        "confusion": matrix.tolist(),
    }


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Element by element, 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
