"""A run's validation predictions -> its Judgement."""

from __future__ import annotations

from pathlib import Path

from ..config.by_name import read_config_file
from ..data.split import find_units
from ..errors import RunError
from ..runs.derived import digests
from ..runs.folder import Run, open_run
from ..runs.judgement import Judgement, keep_judgement, read_judgement
from ..runs.names import CONFIG, INDEX, PREDICTIONS
from ..runs.records import read_index, read_predictions
from .calibrate import fit_temperature


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
    judgement = read_judgement(run)
    if judgement is None:
        judgement = judge_run(run)
        keep_judgement(run, judgement)
    return judgement


def judge_run(run: Run) -> Judgement:
    """Judge the validation predictions of a run; RunError where it has none or damaged ones."""
    predictions, index = read_predictions(run), read_index(run)
    units = find_units(index, predictions.rows)
    return Judgement(
        made_from=digests(run, (PREDICTIONS, INDEX)),
        pictures=len(predictions.rows),
        units=len(units.sizes),
        chose_epoch=_chose_epoch(run),
        temperature=fit_temperature(predictions.probabilities, predictions.labels),
    )


def _chose_epoch(run: Run) -> bool:
    """Whether the epoch that is kept is one of several, chosen by the validation pictures."""
    if run.folds:
        return any(_chose_epoch(open_run(path)) for path in run.folds)
    try:
        validated = sum(row["val_loss"] != "" for row in run.log_rows())
    except RunError:  # a run without its log: it may have been so
        return True
    return validated > 1 and read_config_file(run.existing(CONFIG)).schedule.best_by != "last"
