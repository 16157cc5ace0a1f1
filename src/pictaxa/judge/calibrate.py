"""Calibration: probabilities that are right as often as they say, by one number, the temperature (Guo et al. 2017).

Calibrated probabilities are softmax(log p / T). The order of the classes, and so every answer, stays; T above 1 takes
confidence away, T below 1 adds some. It is fitted to the validation pictures' log loss. How well calibrated they are is
judged with temperatures of folds: that of a picture has not seen it, nor any of its group.

The expected calibration error is taken over bins of equally many pictures: bins of equal width are all but empty where
most answers are sure, and their error is the more overestimated (Roelofs et al. 2022).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss

from ..metrics import cooled
from ..runs.judgement import COLDEST, HOTTEST, Bin, Calibration
from .intervals import SEED, Units, percentiles, proportion

FOLDS = 5
BINS, PICTURES_OF_A_BIN = 15, 20  # at most so many bins, of at least so many pictures


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
        fit_temperature(overconfident, np.array([0, 0, 0, 1]))  # 7.4: they are right in three of four
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


def deal_folds(units: Units, *, folds: int = FOLDS, seed: int = SEED) -> np.ndarray:
    """Deal units to folds of about as many.

    Args:
        units: which pictures stay together.
        folds: how many, at most: not more than there are units.
        seed: the same folds for the same.

    Returns:
        (N,) int64: the fold of each picture.
    """
    place = np.random.default_rng(seed).permutation(units.count)
    fold_of: np.ndarray = (place % min(folds, units.count))[units.of]
    return fold_of


def cross_calibrated(probabilities: np.ndarray, labels: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Calibrate each fold by the temperature of the others.

    Args:
        probabilities: (N, classes) float, each row sums to 1.
        labels: (N,) int64 true classes.
        fold_of: (N,) int64, as `deal_folds` gives them; of one fold alone its own temperature is taken.

    Returns:
        (N, classes) float64, each row sums to 1.

    Example:
        calibrated = cross_calibrated(said.probabilities, said.labels, deal_folds(units))
    """
    calibrated = np.empty(probabilities.shape)
    for fold in np.unique(fold_of):
        held = fold_of == fold
        others = held if held.all() else ~held
        calibrated[held] = cooled(probabilities[held], fit_temperature(probabilities[others], labels[others]))
    return calibrated


def bins_of(confidences: np.ndarray) -> np.ndarray:
    """Bins of about equally many pictures, by quantiles of the confidence; equal ones are in one bin.

    Args:
        confidences: (N,) float, N from 1.

    Returns:
        (N,) int64, counted from 0, from the least sure to the surest.

    Example:
        bins_of(np.linspace(0.2, 0.9, 300)).max() + 1  # 15
    """
    count = int(np.clip(len(confidences) // PICTURES_OF_A_BIN, 1, BINS))
    edges = np.quantile(confidences, np.linspace(0, 1, count + 1)[1:-1])
    bins: np.ndarray = np.unique(np.searchsorted(edges, confidences), return_inverse=True)[1].reshape(-1)
    return bins


def calibration_error(confidences: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The expected calibration error: by how much bins' confidence and accuracy differ in the mean.

    Args:
        confidences: (N,) float, probabilities of the answers.
        right: (N,) bool.
        weights: (m, N) float, how often each picture counts.

    Returns:
        (m,) float, from 0 to 1.

    Example:
        calibration_error(np.array([0.9, 0.9]), np.array([True, False]), np.ones((1, 2)))  # [0.4]
    """
    bins = bins_of(confidences)
    one_hot = np.eye(int(bins.max()) + 1)[bins]  # (N, bins)
    differences = (weights * (right - confidences)) @ one_hot  # (m, bins)
    errors: np.ndarray = np.abs(differences).sum(axis=1) / weights.sum(axis=1)
    return errors


def judge_calibration(
    probabilities: np.ndarray, labels: np.ndarray, units: Units, *, weights: np.ndarray
) -> Calibration:
    """Judge how far probabilities are to be believed.

    Args:
        probabilities: (N, classes) float, each row sums to 1.
        labels: (N,) int64 true classes.
        units: which pictures belong together.
        weights: (resamples, N) float32, of `resample`.

    Returns:
        The Calibration.

    Example:
        judge_calibration(said.probabilities, said.labels, units, weights=resample(said.labels, units)).error.value
    """
    shares = probabilities.astype(np.float64)
    shares = shares / shares.sum(axis=1, keepdims=True)
    count, classes = shares.shape
    confidences, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    true = np.maximum(shares[np.arange(count), labels], np.finfo(np.float64).eps)  # as scikit-learn clips it
    squares = (shares**2).sum(axis=1) - 2 * shares[np.arange(count), labels] + 1
    per_picture = np.stack([-np.log(true), squares], axis=1).astype(np.float32)
    drawn = (weights @ per_picture) / weights.sum(axis=1, keepdims=True)  # (resamples, 2)
    every = np.arange(classes)
    bins = bins_of(confidences)
    told = []
    for number in range(int(bins.max()) + 1):
        inside = bins == number
        share = proportion(right[inside], units.some(inside))
        assert share.value is not None and share.low is not None and share.high is not None
        told.append(
            Bin(int(inside.sum()), float(confidences[inside].mean()), share.value, low=share.low, high=share.high)
        )
    error = float(calibration_error(confidences, right, np.ones((1, count)))[0])
    return Calibration(
        log_loss=percentiles(float(log_loss(labels, shares, labels=every)), drawn[:, 0], pictures=count),
        brier=percentiles(
            float(brier_score_loss(labels, shares, labels=every, scale_by_half=False)), drawn[:, 1], pictures=count
        ),
        error=percentiles(error, calibration_error(confidences, right, weights), pictures=count, about=True),
        bins=tuple(told),
    )
