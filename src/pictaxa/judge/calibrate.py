"""Calibration: probabilities that are right as often as they say, by one number, the temperature (Guo et al. 2017).

Calibrated probabilities are softmax(log p / T). The order of the classes, and so every answer, stays; T above 1 takes
confidence away, T below 1 adds some. It is fitted to the validation pictures' log loss.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from ..metrics import cooled
from ..runs.judgement import COLDEST, HOTTEST


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature that gives labelled pictures the least log loss.

    As if one more picture had been answered wrongly, by the class that is the likeliest beside the true one (Laplace's
    rule of succession): where all answers are right, ever more confidence would lose ever less.

    Args:
        probabilities: (N, classes) float, each row sums to 1; N from 1.
        labels: (N,) int64 true classes.

    Returns:
        The temperature, from COLDEST to HOTTEST.

    Example:
        overconfident = np.array([[0.99, 0.01]] * 4)
        fit_temperature(overconfident, np.array([0, 0, 0, 1]))  # about 5: they are right in three of four
    """
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1
    wrong = others.argmax(axis=1)

    def loss(log_temperature: float) -> float:
        logs = np.log(cooled(probabilities, float(np.exp(log_temperature))))
        right = -logs[np.arange(len(labels)), labels].sum()
        return float(right - logs[np.arange(len(labels)), wrong].mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-4})
    return float(np.clip(np.exp(found.x), COLDEST, HOTTEST))
