"""Sets of classes that hold the true one with a probability that is kept to (split conformal prediction, Vovk 2005).

A class is in a picture's set where its calibrated probability is at least a quantile of the true classes' probabilities
in the validation pictures (LAC, Sadinle et al. 2019): of all rules with the same coverage it gives the smallest sets.
The price: a set may be empty, where no class is as probable as true classes usually are. Rules that never give an empty
set (APS, Romano et al. 2020) make all others larger, or draw lots. The quantile allows for so few pictures: with fewer
than 19, all classes are in every set of 95%. Pictures of a group count as one in that allowance.

Per class (Mondrian), each class has a quantile of its own pictures, and its coverage is kept to in each class.
"""

from __future__ import annotations

import math

import numpy as np

from ..runs.judgement import SetRule
from .intervals import Units, mean_of, proportion

WANTED = (0.8, 0.9, 0.95, 0.98, 0.99)  # kept in the run


def least_probability(true: np.ndarray, units: Units, *, wanted: float) -> float:
    """The probability with which a class has to be predicted to be in a set.

    Args:
        true: (n,) float calibrated probabilities of the true classes.
        units: which pictures belong together.
        wanted: share of sets that are to have the true class, above 0 and below 1.

    Returns:
        The quantile; 0, so that a class is in every set, where there are too few pictures for one.

    Example:
        least_probability(np.linspace(0.05, 1, 20), Units.by(range(20)), wanted=0.9)  # 0.1: 19 of 20 are at least that
    """
    if not len(true):
        return 0.0
    level = math.ceil((units.count + 1) * wanted - 1e-9) / units.count
    if level > 1:
        return 0.0
    place = math.ceil(level * len(true) - 1e-9)  # so many of the true classes are to be in their sets
    return float(np.sort(true)[::-1][place - 1])


def least_of_classes(
    probabilities: np.ndarray, labels: np.ndarray, units: Units, *, wanted: float, per_class: bool
) -> np.ndarray:
    """(classes,) the probability with which each class is in a set, of (N, classes) calibrated probabilities."""
    classes = probabilities.shape[1]
    true = probabilities[np.arange(len(labels)), labels]
    if not per_class:
        return np.full(classes, least_probability(true, units, wanted=wanted))
    own = [labels == label for label in range(classes)]
    return np.array([least_probability(true[of], units.some(of) if of.any() else units, wanted=wanted) for of in own])


def make_sets(
    probabilities: np.ndarray, labels: np.ndarray, units: Units, *, wanted: float, per_class: bool, fold_of: np.ndarray
) -> SetRule:
    """Make the rule of sets from validation pictures.

    Args:
        probabilities: (N, classes) calibrated probabilities; N from 1.
        labels: (N,) int64 true classes.
        units: which pictures belong together.
        wanted: share of sets that are to have the true class, above 0 and below 1.
        per_class: of the pictures of each class, rather than of all.
        fold_of: (N,) int64; the figures are of rules made of the other folds.

    Returns:
        The rule.

    Example:
        make_sets(shares, labels, units, wanted=0.95, per_class=False, fold_of=deal_folds(units)).least[0]
    """
    inside = np.zeros(probabilities.shape, dtype=bool)
    for fold in np.unique(fold_of):
        held = fold_of == fold
        others = held if held.all() else ~held
        least = least_of_classes(
            probabilities[others], labels[others], units.some(others), wanted=wanted, per_class=per_class
        )
        inside[held] = probabilities[held] >= least
    sizes = inside.sum(axis=1)
    whole = least_of_classes(probabilities, labels, units, wanted=wanted, per_class=per_class)
    return SetRule(
        wanted,
        per_class,
        least=tuple(map(float, whole if per_class else whole[:1])),
        coverage=proportion(inside[np.arange(len(labels)), labels], units),
        size=mean_of(sizes.astype(np.float64), units),
        empty=proportion(sizes == 0, units),
    )
