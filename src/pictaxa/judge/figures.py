"""What answers are worth: every figure with its 95% interval and the number of pictures it rests on.

scikit-learn computes the values. Proportions have Wilson's interval, F1 that of TP / (TP + FP + FN), of which it is a
function (Lam et al. 2023); the others are resampled (intervals.py), which needs only three counts of each class: its
pictures, how often it was predicted, and how often rightly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from ..metrics import Predictions
from ..runs.judgement import ClassJudgement, Figure, Figures
from .intervals import Units, nothing, percentiles, proportion
from .ranking import NO_PICTURE, Ranking, rank_class

TOP = (3, 5)  # where there are more classes than that
NEVER = "never predicted"
ONE_CLASS = "all pictures are of one class and were taken for it"
ONE_KIND = "all pictures are of one class, or all were taken for one"


@dataclass(frozen=True)
class _Counts:
    """What resampled validation sets hold of each class: (resamples, classes) float."""

    pictures: np.ndarray
    predicted: np.ndarray
    right: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """(resamples,) pictures in all."""
        return np.asarray(self.pictures.sum(axis=1))


def judge_figures(predictions: Predictions, units: Units, *, classes: tuple[str, ...], weights: np.ndarray) -> Figures:
    """Judge predictions of labelled pictures.

    Args:
        predictions: of one picture or more.
        units: which of them belong together.
        classes: names of the classes, in the order of the probabilities.
        weights: (resamples, N) float32, of `resample`.

    Returns:
        The Figures. What is not defined, such as the precision of a class that nobody predicted, has no value and says
        why.

    Example:
        units = Units.by(range(len(said.labels)))
        judge_figures(said, units, classes=("cat", "dog"), weights=resample(said.labels, units)).kappa.value
    """
    labels, predicted = predictions.labels, predictions.predicted
    right, every = predicted == labels, np.arange(len(classes))
    present = np.unique(labels)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=present, average="macro", zero_division=0
    )
    counts = _count(labels, predicted, weights, classes=len(classes))
    rankings = [
        rank_class(predictions.probabilities[:, label], labels == label, weights, classes=len(classes))
        for label in every
    ]
    accuracy = proportion(right, units)
    assert accuracy.value == accuracy_score(labels, predicted)
    count = len(labels)
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN where a drawn set has no such value
        drawn_recall = counts.right / counts.pictures
        drawn_precision = counts.right / np.maximum(counts.predicted, 1)
        drawn_f1 = 2 * counts.right / np.maximum(counts.pictures + counts.predicted, 1)
        kappas, correlations = _kappas(counts), _correlations(counts)
    return Figures(
        accuracy=accuracy,
        balanced_accuracy=percentiles(float(recall), _mean(drawn_recall, present), pictures=count),
        top={str(k): _top(predictions, units, k) for k in TOP if k < len(classes)},
        precision=percentiles(float(precision), _mean(drawn_precision, present), pictures=count),
        f1=percentiles(float(f1), _mean(drawn_f1, present), pictures=count),
        roc_auc=_mean_area([one.roc_auc for one in rankings], [one.auc_draws for one in rankings], count),
        average_precision=_mean_area(
            [one.average_precision for one in rankings], [one.precision_draws for one in rankings], count
        ),
        kappa=_of_all(labels, predicted, kappas, cohen_kappa_score, same=True),
        mcc=_of_all(labels, predicted, correlations, matthews_corrcoef, same=False),
        classes=tuple(
            _judge_class(label, name, labels, predicted, units=units, ranking=rankings[label])
            for label, name in enumerate(classes)
        ),
    )


def _judge_class(
    label: int, name: str, labels: np.ndarray, predicted: np.ndarray, *, units: Units, ranking: Ranking
) -> ClassJudgement:
    of_it, taken_for_it = labels == label, predicted == label
    either = of_it | taken_for_it
    overlap = proportion((of_it & taken_for_it)[either], units.some(either), reason=f"{NO_PICTURE}, and {NEVER}")
    return ClassJudgement(
        name=name,
        pictures=int(of_it.sum()),
        precision=proportion(of_it[taken_for_it], units.some(taken_for_it), reason=NEVER),
        recall=proportion(taken_for_it[of_it], units.some(of_it), reason=NO_PICTURE),
        f1=_f1_of(overlap),
        roc_auc=ranking.roc_auc,
        average_precision=ranking.average_precision,
        roc=ranking.roc,
        precision_recall=ranking.precision_recall,
    )


def _f1_of(overlap: Figure) -> Figure:
    """F1 = 2 x / (1 + x) of x = TP / (TP + FP + FN), and so the ends of its interval."""
    ends = [None if end is None else 2 * end / (1 + end) for end in (overlap.value, overlap.low, overlap.high)]
    return Figure(ends[0], ends[1], ends[2], overlap.pictures, overlap.reason)


def _count(labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray, *, classes: int) -> _Counts:
    def sums(codes: np.ndarray, counted: np.ndarray) -> np.ndarray:
        one_hot = csr_array((counted.astype(np.float32), (codes, np.arange(len(codes)))), shape=(classes, len(codes)))
        return np.asarray((one_hot @ weights.T).T, dtype=np.float64)

    every = np.ones(len(labels))
    return _Counts(sums(labels, every), sums(predicted, every), sums(labels, predicted == labels))


def _mean(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(resamples, classes) -> (resamples,): the mean over the classes that have pictures, in a set that has all."""
    mean: np.ndarray = values[:, present].mean(axis=1)
    return mean


def _kappas(counts: _Counts) -> np.ndarray:
    """Cohen's kappa of each drawn set: (agreement - agreement by chance) / (1 - agreement by chance)."""
    agreed = counts.right.sum(axis=1) / counts.total
    chance = (counts.pictures * counts.predicted).sum(axis=1) / counts.total**2
    return np.asarray((agreed - chance) / (1 - chance))


def _correlations(counts: _Counts) -> np.ndarray:
    """Matthews' correlation of each drawn set, of several classes (Gorodkin 2004)."""
    total, together = counts.total, (counts.pictures * counts.predicted).sum(axis=1)
    spread = (total**2 - (counts.predicted**2).sum(axis=1)) * (total**2 - (counts.pictures**2).sum(axis=1))
    return np.asarray((counts.right.sum(axis=1) * total - together) / np.sqrt(spread))


def _of_all(labels: np.ndarray, predicted: np.ndarray, draws: np.ndarray, score: object, *, same: bool) -> Figure:
    """A coefficient of agreement; there is none where nothing could have been told apart."""
    kinds, answers = np.unique(labels), np.unique(predicted)
    if same and len(kinds) == 1 and np.array_equal(kinds, answers):
        return nothing(ONE_CLASS, pictures=len(labels))
    if not same and min(len(kinds), len(answers)) == 1:
        return nothing(ONE_KIND, pictures=len(labels))
    assert callable(score)
    return percentiles(float(score(labels, predicted)), draws, pictures=len(labels))


def _top(predictions: Predictions, units: Units, k: int) -> Figure:
    """How often the true class is among the k most probable ones."""
    shares, labels = predictions.probabilities, predictions.labels
    value = float(top_k_accuracy_score(labels, shares, k=k, labels=np.arange(shares.shape[1])))
    best = np.argsort(shares, axis=1, kind="stable")[:, ::-1][:, :k]  # ties as scikit-learn takes them
    found = proportion((best == labels[:, None]).any(axis=1), units)
    assert found.value is not None and abs(found.value - value) < 1e-9
    return found


def _mean_area(areas: list[Figure], draws: list[np.ndarray], pictures: int) -> Figure:
    """The mean over the classes that have such an area."""
    known = [number for number, area in enumerate(areas) if area.value is not None]
    if not known:
        return nothing(areas[0].reason, pictures=pictures)
    value = float(np.mean([areas[number].value for number in known]))
    return percentiles(value, np.mean([draws[number] for number in known], axis=0), pictures=pictures)
