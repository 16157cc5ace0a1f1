"""Predictions of labelled pictures -> what they say of a run: its Judgement, and the same for any others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config.by_name import read_config_file
from ..data.split import find_units
from ..errors import RunError
from ..metrics import Predictions, cooled
from ..runs.derived import digests
from ..runs.folder import Run, open_run
from ..runs.judgement import Calibration, Figures, Judgement, keep_judgement, read_judgement, rounded
from ..runs.names import CONFIG, INDEX, PREDICTIONS
from ..runs.records import read_index, read_predictions
from . import abstain, sets
from .calibrate import cross_calibrated, deal_folds, fit_temperature, judge_calibration
from .figures import judge_figures
from .intervals import Units, resample


@dataclass(frozen=True)
class Judged:
    """What predictions are worth, with the probabilities of the model and with calibrated ones."""

    calibrated: np.ndarray  # (N, classes) float64 probabilities
    temperature: float | None  # one for all pictures; None: that of each is from the other folds
    before: Calibration
    after: Calibration
    figures: Figures  # of calibrated probabilities


def judge_predictions(
    predictions: Predictions, units: Units, *, classes: tuple[str, ...], temperature: float | None
) -> Judged:
    """Judge predictions of labelled pictures.

    Args:
        predictions: with the model's own probabilities, of one picture or more.
        units: which of them belong together.
        classes: names of the classes, in the order of the probabilities.
        temperature: of a run that was calibrated on other pictures; None: these calibrate each other, in folds.

    Returns:
        What they are worth.

    Example:
        judged = judge_predictions(said, Units.by(range(len(said.labels))), classes=("cat", "dog"), temperature=1.3)
        print(judged.before.error.value, judged.after.error.value)
    """
    shares, labels = predictions.probabilities, predictions.labels
    if temperature is None:
        calibrated = cross_calibrated(shares, labels, deal_folds(units))
    else:
        calibrated = cooled(shares, temperature)
    weights = resample(labels, units)
    return Judged(
        calibrated=calibrated,
        temperature=temperature,
        before=judge_calibration(shares, labels, units, weights=weights),
        after=judge_calibration(calibrated, labels, units, weights=weights),
        figures=judge_figures(
            Predictions(predictions.rows, labels, calibrated), units, classes=classes, weights=weights
        ),
    )


def judgement_of(path: str | Path) -> Judgement:
    """What the validation pictures say of a run: what is kept, or computed now and kept where that is possible.

    Args:
        path: the run's folder.

    Returns:
        The Judgement.

    Raises:
        RunError: the folder is not a run, has no validation predictions, or damaged ones.

    Example:
        judgement_of("runs/photos-resnet18-1").temperature
    """
    run = open_run(path)
    return read_judgement(run) or make_judgement(run)


def make_judgement(run: Run) -> Judgement:
    """Judge a run, and keep what was found where that is possible."""
    judgement = judge_run(run)
    keep_judgement(run, judgement)
    return judgement


def judge_run(run: Run) -> Judgement:
    """Judge the validation predictions of a run; RunError where it has none or damaged ones."""
    predictions, units = validated(run)
    labels, fold_of = predictions.labels, deal_folds(units)
    judged = judge_predictions(predictions, units, classes=run.classes, temperature=None)
    shares = judged.calibrated
    right = shares.argmax(axis=1) == labels
    judgement: Judgement = rounded(
        Judgement(
            made_from=digests(run, (PREDICTIONS, INDEX)),
            pictures=len(labels),
            units=units.count,
            chose_epoch=chose_epoch(run),
            temperature=fit_temperature(predictions.probabilities, labels),
            folds=len(np.unique(fold_of)),
            before=judged.before,
            after=judged.after,
            figures=judged.figures,
            abstaining=tuple(
                abstain.choose_threshold(shares.max(axis=1), right, units, wanted=wanted) for wanted in abstain.WANTED
            ),
            sets=tuple(
                sets.make_sets(shares, labels, units, wanted=wanted, per_class=per_class, fold_of=fold_of)
                for per_class in (False, True)
                for wanted in sets.WANTED
            ),
        )
    )
    return judgement


def validated(run: Run) -> tuple[Predictions, Units]:
    """A run's validation predictions, and which of the pictures belong together: by group, and by content."""
    predictions = read_predictions(run)
    return predictions, Units(find_units(read_index(run), predictions.rows).of)


def chose_epoch(run: Run) -> bool:
    """Whether the epoch that a run kept is one of several, chosen by the validation pictures."""
    if run.folds:
        return any(chose_epoch(open_run(path)) for path in run.folds)
    try:
        epochs = sum(row["val_loss"] != "" for row in run.log_rows())
    except RunError:  # a run without its log: it may have been so
        return True
    return epochs > 1 and read_config_file(run.existing(CONFIG)).schedule.best_by != "last"
