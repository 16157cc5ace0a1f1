"""One class against the others: areas under the ROC and the precision-recall curve, with intervals, and the curves.

scikit-learn computes the values. For their intervals an area has to be computed for every resampled validation set,
which is products of matrices: how much weight is ranked above each picture of the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ..runs.judgement import Curve, Figure
from .intervals import nothing, percentiles

PRODUCTS = 4e10  # of all resampled areas together, which take a second or two: of many pictures fewer are drawn
FEWEST = 100
BLOCK = 2**24  # numbers of a matrix at a time
POINTS, MANY, FEW_POINTS = 40, 50, 12  # of a curve; with more classes than MANY, of each
DIGITS = 4
ALL_PICTURES, NO_PICTURE = "all pictures are of this class", "no picture of this class"


@dataclass(frozen=True)
class Ranking:
    """The areas of a class, and what they are in each resampled validation set."""

    roc_auc: Figure
    average_precision: Figure
    roc: Curve | None
    precision_recall: Curve | None
    auc_draws: np.ndarray  # (resamples,) float, NaN where there is none
    precision_draws: np.ndarray


def rank_class(scores: np.ndarray, members: np.ndarray, weights: np.ndarray, *, classes: int) -> Ranking:
    """Judge how a class's probabilities rank its pictures above the others.

    Args:
        scores: (N,) float, the class's probability in each picture.
        members: (N,) bool, whether the picture is of the class.
        weights: (resamples, N) float32, of `resample`.
        classes: how many classes there are; of many, curves have fewer points.

    Returns:
        The Ranking; without values where all pictures are of the class, or none.

    Example:
        rank_class(said.probabilities[:, 0], said.labels == 0, weights, classes=5).roc_auc.value
    """
    count = int(members.sum())
    weights = weights[: max(FEWEST, int(PRODUCTS / len(scores) ** 2))]
    if count in (0, len(scores)):
        missing = nothing(ALL_PICTURES if count else NO_PICTURE, pictures=count)
        unknown = np.full(len(weights), np.nan)
        return Ranking(missing, missing, None, None, unknown, unknown)
    areas, precisions = _drawn(scores, members, weights)
    points = POINTS if classes <= MANY else FEW_POINTS
    false_share, found, _ = roc_curve(members, scores)
    precision, recall, _ = precision_recall_curve(members, scores)
    return Ranking(
        roc_auc=percentiles(float(roc_auc_score(members, scores)), areas, pictures=count),
        average_precision=percentiles(float(average_precision_score(members, scores)), precisions, pictures=count),
        roc=_thinned(false_share, found, points),
        precision_recall=_thinned(recall[::-1], precision[::-1], points),
        auc_draws=areas,
        precision_draws=precisions,
    )


def _drawn(scores: np.ndarray, members: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both areas (resamples,) of each resampled validation set."""
    ours, others = scores[members], scores[~members]
    own, other = weights[:, members], weights[:, ~members]  # (resamples, n) and (resamples, N - n)
    all_own, all_other = own.sum(axis=1), other.sum(axis=1)
    pairs, precisions = np.zeros(len(weights)), np.zeros(len(weights))
    ties = len(np.intersect1d(ours, others)) > 0
    step = max(1, BLOCK // len(scores))
    for first in range(0, len(ours), step):
        mine = ours[first : first + step, None]
        weight = own[:, first : first + step]
        hits = own @ (ours >= mine).astype(np.float32).T  # (resamples, step): weight of the class ranked as high
        alarms = other @ (others >= mine).astype(np.float32).T
        below = all_other[:, None] - alarms
        if ties:  # a tie is half a pair in order
            below += other @ (others == mine).astype(np.float32).T / 2
        pairs += (weight * below).sum(axis=1)
        ranked = np.maximum(hits + alarms, 1e-9)  # 0 only where the picture itself is not drawn
        precisions += (weight * hits / ranked).sum(axis=1)
    with np.errstate(invalid="ignore"):  # a set without the class has no areas
        areas: np.ndarray = pairs / (all_own * all_other)
        averages: np.ndarray = precisions / all_own
    return areas, averages


def _thinned(x: np.ndarray, y: np.ndarray, points: int) -> Curve:
    """A curve by points that are about as far from each other along it; its ends stay."""
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], points)).clip(0, len(x) - 1))
    kept = np.unique(np.concatenate([[0], kept, [len(x) - 1]]))
    return Curve(tuple(round(float(v), DIGITS) for v in x[kept]), tuple(round(float(v), DIGITS) for v in y[kept]))
