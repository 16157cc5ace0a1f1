"""Finds suspicious labels, with a run's backbone and a cross-validated probe, or by cross-validation trainings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config.learning import TransferConfig
from ..config.training import TrainConfig
from ..data.index import Index
from ..errors import ConfigError
from ..inspection.findings import Finding
from ..inspection.inspect import Inspection
from ..inspection.labels import doubt_labels, doubt_pictures
from ..runs.folder import Run, open_run
from ..runs.records import read_index, read_predictions
from ..system.progress import say
from ..training.folds import train_folds
from ..training.logistic import Scaling
from ..training.setup import decode, setup
from ..training.solve import cross_validate
from .vectors import vectors_of


def doubts(inspection: Inspection, config: TrainConfig, *, run: Path | None, folds: int | None) -> list[Finding]:
    """Doubt labels by a run, by cross-validation trainings, by both or by neither.

    Args:
        inspection: of the data set.
        config: its pictures, with the size, cache and threads to look at them with, and the length of the trainings.
        run: folder of a run that was trained on these classes, or None.
        folds: how many trainings, or None.

    Returns:
        The findings of both.

    Raises:
        RunError, ConfigError: as `doubt_by_run` and `doubt_by_folds`.
    """
    found = [] if run is None else list(doubt_by_run(inspection, config, run))
    return found + ([] if folds is None else list(doubt_by_folds(inspection, config, folds)))


def doubt_by_run(inspection: Inspection, config: TrainConfig, run: Path) -> Iterator[Finding]:
    """Doubt labels by a probe that is cross-validated on a run's features, or by the folds of a run of several.

    Args:
        inspection: of the data set.
        config: its pictures, with the size, cache and threads to look at them with.
        run: folder of a run that was trained on these classes.

    Returns:
        An iterator over findings: labels that are likely wrong, outliers, pictures of no class.

    Raises:
        RunError: `run` is no run folder.
        ConfigError: its classes are others.
    """
    opened = open_run(run)
    known = opened.classes
    if set(known) != set(inspection.index.classes):
        raise ConfigError(
            "a run with the classes of the data",
            found=f"{', '.join(known[:5])} ... in {run}",
            fix="Give a run that was trained on these classes with --run.",
        )
    if opened.folds:
        say(f"labels    checked with the {len(opened.folds)} folds of {run}, each on the pictures that it has not seen")
        yield from _doubt_by_judged(inspection, opened)
        return
    say(f"labels    checked with the backbone of {run} and a cross-validated linear probe")
    start = setup(replace(config, transfer=TransferConfig(weights=run)))
    cache, index = decode(start.config, start.index, start.geometry, plan=start.plan)
    rows = np.flatnonzero(index.usable & (index.labels >= 0))
    vectors, problem = vectors_of(start, cache, index, rows)
    held_out = cross_validate(problem, Scaling.of(problem), all_folds=True)
    judged = held_out.fold_of >= 0
    yield from doubt_labels(index, rows[judged], held_out.probabilities[judged])
    yield from doubt_pictures(index, rows, np.asarray(vectors))


def doubt_by_folds(inspection: Inspection, config: TrainConfig, folds: int) -> Iterator[Finding]:
    """Doubt labels by trainings: `folds` of them, each of which judges the part that was left out.

    Args:
        inspection: of the data set.
        config: how each training goes.
        folds: 2 or more.

    Returns:
        An iterator over findings: labels that are likely wrong.
    """
    # The last epoch, not the best: labels that are to be doubted must not choose who doubts them.
    schedule = replace(config.schedule, best_by="last", patience=None)
    if schedule.minutes is not None:
        schedule = replace(schedule, minutes=schedule.minutes * folds)  # of all together
    with tempfile.TemporaryDirectory(prefix="pictaxa-folds-") as folder:
        own = replace(config, folds=folds, out=Path(folder) / "run", schedule=schedule)
        said = read_predictions(train_folds(own), classes=inspection.index.classes)
    yield from doubt_labels(inspection.index, said.rows, said.probabilities)


def _doubt_by_judged(inspection: Inspection, run: Run) -> Iterator[Finding]:
    """Doubt labels by what each fold of a run said of the pictures that it had not seen."""
    index, known = inspection.index, read_index(run)
    said = read_predictions(run, classes=index.classes)
    places = {key: place for place, key in enumerate(_keys(known, said.rows))}
    rows = np.flatnonzero(index.usable & (index.labels >= 0))
    judged = [(row, places[key]) for row, key in zip(rows.tolist(), _keys(index, rows), strict=True) if key in places]
    if len(judged) < len(rows):
        say(f"note      {len(rows) - len(judged)} of {len(rows)} pictures are not among those that the run judged")
    if judged:
        ours, theirs = np.array(judged).T
        yield from doubt_labels(index, ours, said.probabilities[theirs])


def _keys(index: Index, rows: np.ndarray) -> list[tuple[str, str]]:
    """What a picture is found again by: its bytes and its path, as the same bytes may stand under several labels."""
    return list(zip(index.column("hash")[rows].tolist(), index.column("path")[rows].tolist(), strict=True))
