"""When to say "I don't know": a confidence below which no answer is given, so that a share of the answers is right.

The threshold is the lowest at which the answers' accuracy is at least that share with 95% confidence (Clopper and
Pearson 1934, one-sided). The share that the validation pictures themselves have above a threshold would be too good
about every other time: it is the one that was looked for.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from ..runs.judgement import Abstaining
from .intervals import Units, nothing, proportion, worth

WANTED = (0.8, 0.9, 0.95, 0.98, 0.99)  # kept in the run
RISK = 0.05  # that the accuracy is less than what is vouched for, at a threshold


def vouched_for(right: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The accuracy that some of so many being right vouches for.

    Args:
        right: (n,) float, how many were right.
        count: (n,) float, of how many.

    Returns:
        (n,) float: what is no more than the accuracy with a confidence of 95%.

    Example:
        vouched_for(np.array([59.0]), np.array([59.0]))  # [0.9505]
    """
    lows: np.ndarray = np.where(right > 0, betaincinv(np.maximum(right, 1e-9), count - right + 1, RISK), 0.0)
    return lows


def choose_threshold(confidences: np.ndarray, right: np.ndarray, units: Units, *, wanted: float) -> Abstaining:
    """Choose from which confidence on answers are given.

    Args:
        confidences: (N,) float calibrated probabilities of the answers; N from 1.
        right: (N,) bool.
        units: which pictures belong together: they vouch for less.
        wanted: share of the answers given that are to be right, above 0 and below 1.

    Returns:
        The rule; its threshold is None where the pictures vouch for no such share, be they too few or too often wrong.

    Example:
        choose_threshold(said.probabilities.max(axis=1), right, units, wanted=0.95).coverage.value
    """
    order = np.argsort(-confidences, kind="stable")
    sure, hits = confidences[order], right[order].cumsum()
    counts = np.arange(1, len(order) + 1)
    factor = worth(right, units) / len(right)  # how many pictures by themselves each is worth
    last = np.append(sure[1:] < sure[:-1], True)  # of equally sure ones all are answered, or none
    enough = last & (vouched_for(hits * factor, counts * factor) >= wanted)
    if not enough.any():
        none = nothing("no threshold vouches for it")
        return Abstaining(wanted, None, accuracy=none, coverage=none)
    end = int(np.flatnonzero(enough)[-1])
    below = sure[end + 1] if end + 1 < len(sure) else 0.0
    answered = confidences >= sure[end]
    return Abstaining(
        wanted,
        float((sure[end] + below) / 2),
        accuracy=proportion(right[answered], units.some(answered)),
        coverage=proportion(answered, units),
    )
