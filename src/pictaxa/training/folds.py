"""Folds: as many trainings as parts of the data set, each judged by the part that it has not seen.

RUN/fold-1, RUN/fold-2 and so on are runs like any other. RUN has no model: its predictions are those that each fold
makes of its own part, and its metrics are of all pictures together. Pictures of a group, and near copies, are in one
part (data/split.py), and every part has its share of each class.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..config.by_name import from_json, to_json
from ..config.training import TrainConfig, usual_for
from ..config.usual import resolved
from ..data.index import Index
from ..data.split import split_index
from ..data.squares import Squares
from ..errors import DataError, PictaxaError, as_word
from ..inference.features import FeaturePass, FeatureSource, extract_features
from ..metrics import Predictions, summarise
from ..runs.chosen import Chosen
from ..runs.folder import Run, open_run
from ..runs.manifest import remove_manifest, write_manifest
from ..runs.places import new_run, next_run, require_begun
from ..runs.records import read_index, read_predictions, write_index, write_predictions
from ..runs.writer import only_writer
from ..system.device import choose_plan
from ..system.progress import clock, say
from .interrupts import Interrupted
from .job import cache_root
from .loop import resume_run, train_run
from .schedule import peak_lr
from .setup import Setup, decode, decode_again, look_for_copies, rows_of_pairs, setup


@dataclass(frozen=True)
class Judged:
    """What the folds say of the pictures that they have not seen, in the order of the index."""

    predictions: Predictions
    folds: np.ndarray  # (N,) int64: which fold judged each picture, from 1 on


def start_training(config: TrainConfig, *, started: float | None = None) -> Run:
    """Train from the start: one run, or with `folds` so many.

    Args:
        config: as for `train_run`.
        started: likewise.

    Returns:
        The run; of folds the one that has all their predictions.

    Raises:
        PictaxaError, Interrupted: as `train_run` does.

    Example:
        run = start_training(TrainConfig(data=Path("photos"), folds=5))
        print(run.metrics["accuracy"], run.folds)
    """
    return train_run(config, started=started) if config.folds is None else train_folds(config, started=started)


def continue_training(path: Path) -> Run:
    """Go on with a run that was cut off, or with the fold at which one of several was, and those after it.

    Args:
        path: folder of the run.

    Returns:
        The run.

    Raises:
        PictaxaError, Interrupted: as `resume_run` does.

    Example:
        run = continue_training(Path("runs/photos-efficientnet_lite0-folds-1"))
    """
    require_begun(path)
    return resume_folds(path) if open_run(path).folds else resume_run(path)


def train_folds(config: TrainConfig, *, started: float | None = None) -> Run:
    """Train as many times as the config has folds, and judge each picture by the training that has not seen it.

    Args:
        config: with `folds`; its minutes are those of all trainings together.
        started: time.monotonic() from when on `--minutes` count, by default now.

    Returns:
        The run of all, whose `folds` are the folders of the trainings.

    Raises:
        PictaxaError, Interrupted: as `train_run` does; a data set that can't be parted is told before any training.

    Example:
        run = train_folds(TrainConfig(data=Path("photos"), folds=5))
    """
    assert config.folds is not None
    started = time.monotonic() if started is None else started
    with ExitStack() as held:
        run = None if config.out is None else held.enter_context(new_run(config.out))
        start = setup(config)
        run = run or held.enter_context(next_run(start.config.data, f"{start.config.model}-folds"))
        before = time.monotonic()
        _prepare(start, run, _for_all(start.config, given=config))
        return _train_all(run, started + time.monotonic() - before)  # decoding and features are for all trainings


def resume_folds(path: Path) -> Run:
    """Go on with the fold that was cut off and those after it; of a run that has ended nothing changes.

    Args:
        path: folder of a run of several folds.

    Returns:
        The run, as `train_folds` does.

    Raises:
        DataError: its pictures have changed since.
        PictaxaError, Interrupted: as `resume_run` does.

    Example:
        run = resume_folds(Path("runs/photos-efficientnet_lite0-folds-1"))
    """
    run = open_run(path)
    with only_writer(run.path):
        run.check_files()
        config = from_json(run.config["asked"])
        decode_again(run, config, plan=choose_plan(config.machine))
        return _train_all(run, time.monotonic())


def _for_all(config: TrainConfig, *, given: TrainConfig) -> TrainConfig:
    """The settings of all trainings together: what was left open is decided, and the minutes are those of all."""
    assert config.folds is not None
    schedule = config.schedule
    if schedule.patience is None:
        schedule = replace(schedule, best_by="last")
    if schedule.minutes is not None and given.schedule.minutes is None:
        schedule = replace(schedule, minutes=schedule.minutes * config.folds)
    return replace(config, schedule=schedule)


def _prepare(start: Setup, run: Run, config: TrainConfig) -> None:
    """Decode, deal the pictures out to the folds, and write what the run of all has before its trainings."""
    assert config.folds is not None
    cache, index = decode(config, start.index, start.geometry, plan=start.plan)
    pairs, _ = look_for_copies(index, cache, config)
    splits = index.column("split").copy()
    for number in range(1, config.folds + 1):
        part = split_index(index, config.seed, fold=(number, config.folds), alike=rows_of_pairs(pairs))
        splits[part.rows("val")] = "val"
    splits[(splits != "val") & (splits != "test")] = "train"  # a picture with two labels judges nobody
    index = index.with_columns({"split": splits})
    if config.transfer.on_features and config.transfer.feature_views == 1:
        _look_once(start, cache, index)
    chosen = Chosen(
        model=config.model,
        model_options=config.model_options,
        root=str(index.root),
        size=start.size,
        peak_lr=peak_lr(config.schedule, resolved(config.optimization.optimizer), usual=usual_for(config)),
        new_head=start.start.new_head,
        train_pictures=len(index.rows("train")),
        val_pictures=len(index.rows("val")),
        notes=index.notes,
        machine=start.plan.described,
    )
    run.write_classes(index.classes)
    run.write_geometry(start.geometry)
    write_index(run, index)
    run.write_config(to_json(config), chosen)  # the last: with it the folder is a run that can be resumed
    say(f"folds     {config.folds} trainings on {len(index.rows('val'))} pictures, in {run.path}")


def _look_once(start: Setup, cache: Squares, index: Index) -> None:
    """What the frozen backbone makes of all pictures, from which each fold takes those of its own."""
    source = FeatureSource(index, cache, start.geometry, start.plan, cache_root(start.config))
    extract_features(source, start.model, [FeaturePass(source.shared_rows)])


def _train_all(run: Run, started: float) -> Run:
    """The trainings that are still to do, in turn, and what they say together."""
    config = from_json(run.config["asked"])
    began = time.monotonic()
    try:
        for number in range(1, len(run.folds) + 1):
            _train_one(run, number, config, started=started if number == 1 else None)
        remove_manifest(run.path)  # it is of what was there until now
        judged = _judged(run)
        write_predictions(run, judged.predictions, index=read_index(run), folds=judged.folds)
        run.write_metrics(summarise(judged.predictions, run.classes))
        run.write_log([])  # the epochs are the folds' own
        write_manifest(run.path)
    except Interrupted as stop:
        raise Interrupted(run) from stop.__cause__
    except KeyboardInterrupt as stop:
        raise Interrupted(run) from stop
    _tell(run, judged, seconds=time.monotonic() - began)
    return run


def _train_one(run: Run, number: int, config: TrainConfig, *, started: float | None) -> None:
    """Train a fold, go on with it, or leave one that is finished as it is."""
    path, count = run.folds[number - 1], len(run.folds)
    begun = path.exists() and any(path.iterdir())
    if begun and open_run(path).is_finished:
        say(f"fold      {number} of {count} is finished")
        return
    say(f"fold      {number} of {count}")
    minutes = config.schedule.minutes
    schedule = replace(config.schedule, minutes=None if minutes is None else minutes / count)
    try:
        if begun:
            resume_run(path)
        else:
            own = replace(config, folds=None, fold=f"{number}/{count}", out=path, schedule=schedule)
            train_run(own, started=started, told=number > 1)
    except PictaxaError:
        say(f"note      afterwards the other folds go on with: pictaxa train --resume {as_word(run.path)}")
        raise


def _judged(run: Run) -> Judged:
    """The predictions of all folds, in the order of the index."""
    told = ["path", "label", "hash"]
    index, parts = read_index(run), []
    for path in run.folds:
        fold = open_run(path)
        if not read_index(fold).table.select(told).equals(index.table.select(told)):
            raise DataError(
                "the pictures that the folds were started with", found=f"others in {str(path)!r}",
                fix=f"Remove that folder and train it again with: pictaxa train --resume {as_word(run.path)}",
            )  # fmt: skip
        parts.append(read_predictions(fold, classes=run.classes))
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    predictions = Predictions(
        rows=rows[order],
        labels=np.concatenate([part.labels for part in parts])[order],
        probabilities=np.concatenate([part.probabilities for part in parts])[order],
    )
    numbers = np.repeat(np.arange(1, len(parts) + 1), [len(part.rows) for part in parts])
    return Judged(predictions, numbers[order])


def _tell(run: Run, judged: Judged, *, seconds: float) -> None:
    metrics, right = run.metrics, judged.predictions.predicted == judged.predictions.labels
    each = [float(right[judged.folds == number].mean()) for number in np.unique(judged.folds)]
    say(
        f"done      {len(run.folds)} folds in {clock(seconds)}; accuracy {metrics['accuracy']:.1%} (95% interval "
        f"{metrics['accuracy_95_low']:.1%} to {metrics['accuracy_95_high']:.1%}) of {metrics['pictures']} pictures, "
        f"each judged by a training that has not seen it; {min(each):.1%} to {max(each):.1%} by fold"
    )
