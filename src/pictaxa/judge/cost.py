"""What a run costs: parameters, multiply-adds, speed on this machine, and space on the disk."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..inference.logits import BATCH
from ..inference.predictor import Predictor
from ..models.summary import summarise_model
from ..models.zoo import parse_options
from ..runs.folder import Run, open_run

ROUNDS = 7  # timed passes of each run; they take turns, so that what else the machine does slows all of them


@dataclass(frozen=True)
class Cost:
    """What a run costs; of several folds, all of them together."""

    parameters: int
    multiply_adds: int  # of a picture's prediction, mirror images included
    pictures_per_second: float  # from a decoded square to its answer, on this machine
    megabytes: float  # of the weights' files


def costs_of(predictors: Sequence[Predictor]) -> list[Cost]:
    """Count and measure what predictions cost. It takes a while: each predicts 32 squares several times.

    Args:
        predictors: of runs.

    Returns:
        The Cost of each.

    Raises:
        RunError: a run lacks its weights.

    Example:
        (cost,) = costs_of([load("runs/photos-resnet18-1")])
    """
    speeds = _speeds(predictors)
    return [_cost(predictor, speed) for predictor, speed in zip(predictors, speeds, strict=True)]


def _cost(predictor: Predictor, speed: float) -> Cost:
    runs = [open_run(path) for path in predictor.run.folds] or [predictor.run]
    parameters, multiply_adds = _counts(runs[0])  # folds have the same network
    return Cost(
        parameters=len(runs) * parameters,
        multiply_adds=len(runs) * multiply_adds,
        pictures_per_second=speed,
        megabytes=sum(run.existing(run.model_path.name).stat().st_size for run in runs) / 1e6,
    )


def _counts(run: Run) -> tuple[int, int]:
    """Parameters, and multiply-adds of a picture's prediction."""
    chosen, geometry = run.chosen, run.geometry
    summary = summarise_model(
        chosen.model, size=geometry.size, num_classes=len(run.classes), channels=geometry.channels,
        options=parse_options(chosen.model, chosen.model_options),
    )  # fmt: skip
    return summary.trainable, summary.multiply_adds * geometry.passes


def _speeds(predictors: Sequence[Predictor]) -> list[float]:
    """Pictures per second of each, the median of the rounds."""
    squares: list[np.ndarray] = []
    rates: list[list[float]] = []
    random = np.random.default_rng(0)
    for predictor in predictors:
        side, channels = predictor.geometry.square, predictor.geometry.channels
        squares.append(random.integers(0, 256, (BATCH, side, side, channels), dtype=np.uint8))
        rates.append([])
    aspects = np.ones(BATCH, dtype=np.float32)
    for turn in range(ROUNDS + 1):
        for predictor, pixels, own in zip(predictors, squares, rates, strict=True):
            before = time.perf_counter()
            predictor.logits(pixels, aspects)
            if turn:  # the first warms up
                own.append(BATCH / (time.perf_counter() - before))
    return [statistics.median(own) for own in rates]
