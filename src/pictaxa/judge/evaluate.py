"""Evaluation: runs the predictor on labelled pictures and computes metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..config.data import ReadingConfig
from ..data.cache import digest_of
from ..data.drawing import draw_rows
from ..data.fetching import Fetcher
from ..data.index import Index
from ..data.reading import PLAIN, read_data
from ..data.split import find_units
from ..errors import ConfigError, DataError, PictureError, Problem
from ..images.decode import Picture, Square
from ..images.shot import HEAD, Shot, shot_of
from ..inference.loading import load
from ..inference.predictor import Predictor
from ..metrics import Predictions, summarise
from ..runs.folder import Run, open_run
from ..runs.records import read_index, read_predictions
from ..runs.test_looks import OWN, TestLook, add_test_look, looks_at, read_test_looks
from ..system.progress import CountProgress, warn
from .asked import answering_of, temperature_of
from .evaluation import Evaluation
from .intervals import Units
from .seen import MAX_COMPARED, Familiarity, Thumbnails, find_leaked, find_seen
from .slices import Measures, find_slices, known_columns, slices_of

if TYPE_CHECKING:
    from ..reporting.answers import Gallery

Split = Literal["", "train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which of the labelled pictures are judged."""

    split: Split = ""  # "": the validation pictures, or whatever there is but test pictures
    pictures: int | None = None  # only so many, drawn at random, each class in its proportion; None for all
    seed: int = 0  # decides which


ALL = Selection()


def evaluate_run(
    run: str | Path,
    data: str | Path | None = None,
    *,
    reading: ReadingConfig = PLAIN,
    device: str = "auto",
    gallery: Gallery | None = None,
    select: Selection = ALL,
    slices: bool = False,
) -> Evaluation:
    """Evaluate a run on its own validation pictures, or on other labelled ones in any layout.

    Classes are matched by name. Test pictures are judged only where `select` asks for them, and each time is counted in
    the run's folder (runs/test_looks.py). The validation pictures of a run of several folds are all pictures, and what
    each fold said of those that it had not seen is read from the run.

    Args:
        run: folder of a trained run.
        data: labelled pictures; by default the run's own.
        reading: how `data` is laid out.
        device: "auto" (the fastest available), "cpu", "cuda", "cuda:1" or "mps".
        gallery: is given every picture with its answer and its label.
        select: which of the pictures.
        slices: also judge parts of the pictures: dark ones, those of one camera, and so on.

    Returns:
        An Evaluation.

    Raises:
        RunError: `run` is not a run folder, or lacks a file.
        DataError: no picture can be read, or one has a class that the run does not know.
        ConfigError: this machine does not have the device, there are test pictures and `select` names no split, or it
            asks for less than one picture of each class.

    Example:
        evaluation = evaluate_run("runs/photos-resnet18-1", "more-photos")
        evaluation.metrics["accuracy"]
    """
    from .judging import chose_epoch  # with scikit-learn, which takes a second to load

    if data is None and select.split in ("", "val") and open_run(run).folds:
        return _judged_by_folds(open_run(run), gallery=gallery, select=select, slices=slices)
    predictor = load(run, device=device)
    predictor = predictor.answers_by(answering_of(run, raw=True))
    asked = _find_pictures(predictor, data, reading=reading, select=select)
    index, rows = asked.index, asked.rows
    judged, probabilities, known, set_aside = [], [], [], []
    digests: dict[int, str] = {}
    shots: dict[int, Shot] = {}
    thumbs, measures = Thumbnails(), Measures()
    is_new = data is not None or select.split in ("train", "test")  # and not what the training validated
    compares = is_new and len(rows) <= MAX_COMPARED
    with CountProgress("evaluate", total=len(rows)) as progress, Fetcher(index) as fetcher:

        def fetch(row: int) -> Picture:
            if (problem := index.problem(row)) is not None:  # its table has no path, say
                raise PictureError(fetcher.name(row), problem)
            picture = fetcher.fetch(row)
            digests[row] = digest_of(picture)
            if slices and isinstance(picture, bytes):
                shots[row] = shot_of(picture[:HEAD])
            return picture

        def look(square: Square) -> None:
            if compares:
                thumbs.add(square)
            if slices:
                measures.add(square)
            if gallery is not None:
                gallery.look(square)

        files = ((fetcher.name(row), partial(fetch, row)) for row in rows)
        stream = predictor.judge(files, look=look)
        for row, prediction in zip(rows, stream, strict=True):
            progress.count()
            if prediction.probabilities is None:
                assert prediction.problem_kind is not None
                set_aside.append((prediction.path, Problem(prediction.problem_kind, prediction.problem)))
            else:
                known.append(prediction.known)
                if gallery is not None:
                    gallery.write(replace(prediction, known=None), label=index.classes[index.labels[row]])
                judged.append(row)
                probabilities.append(prediction.probabilities)
    if not judged:
        raise DataError("readable pictures to evaluate", found=f"none among {len(rows)}", fix="Check the files.")
    chosen = np.array(judged, dtype=np.int64)
    predictions = Predictions(rows=chosen, labels=index.labels[chosen], probabilities=np.stack(probabilities))
    hashes = [digests[row] for row in judged]
    familiarity, changed = Familiarity(), []
    if data is None:
        then = index.column("hash")
        changed = [index.name(row) for row in judged if then[row] and digests[row] != then[row]]
        familiarity = find_leaked(predictor.run, hashes)
    if is_new:
        familiarity = find_seen(predictor.run, hashes, thumbs.all(), threads=predictor.plan.threads)
    right = predictions.predicted == predictions.labels
    units = _units(index, chosen, digests)
    columns = {}
    if slices:
        taken = [shots.get(row, Shot()) for row in judged]
        columns = measures.columns() | known_columns(index, chosen, shots=taken)
    return Evaluation(
        classes=predictor.classes,
        paths=[index.root / index.name(row) for row in chosen],
        predictions=predictions,
        metrics=summarise(predictions, predictor.classes),
        set_aside=[*_without_label(index), *set_aside],
        what=asked.what,
        hashes=tuple(hashes),
        split=select.split,
        changed=tuple(changed),
        gone=len(rows) - len(judged) if data is None else 0,
        familiarity=familiarity,
        test_looks=_count_look(predictor.run, asked, hashes, right=right),
        none_of_these=None if None in known else known.count(False),
        units=units,
        slices=find_slices(columns, right, units) if slices else None,
        temperature=temperature_of(predictor.run) if is_new else None,
        chose_epoch=not is_new and chose_epoch(predictor.run),
    )


def _judged_by_folds(run: Run, *, gallery: Gallery | None, select: Selection, slices: bool) -> Evaluation:
    """What each fold of a run said of the pictures that it had not seen."""
    if gallery is not None or select.pictures is not None:
        raise ConfigError(
            "a run of one training with --grid or --pictures", found=f"{len(run.folds)} folds in {str(run.path)!r}",
            fix=f"Give one of them, such as {str(run.folds[0])!r}, or leave these flags out.",
        )  # fmt: skip
    from .judging import chose_epoch

    index, predictions = read_index(run), read_predictions(run)
    return Evaluation(
        classes=run.classes,
        paths=[index.root / index.name(row) for row in predictions.rows],
        predictions=predictions,
        metrics=summarise(predictions, run.classes),
        set_aside=_without_label(index),
        what=f"the pictures of {run.path}, each by the fold of {len(run.folds)} that has not seen it",
        hashes=tuple(index.column("hash")[predictions.rows].tolist()),
        units=Units(find_units(index, predictions.rows).of),
        chose_epoch=chose_epoch(run),
        slices=slices_of(run.path) if slices else None,
    )


@dataclass(frozen=True)
class _Asked:
    """The pictures that are to be judged."""

    index: Index
    rows: np.ndarray  # (n,) int64
    what: str  # in words
    split: str
    data: str  # the data set; OWN for the run's own


def _find_pictures(
    predictor: Predictor, data: str | Path | None, *, reading: ReadingConfig, select: Selection
) -> _Asked:
    if data is None:
        asked = _own_pictures(predictor.run, select.split or "val")
    else:
        asked = _other_pictures(Path(data), reading, predictor.classes, split=select.split)
    if select.pictures is None:
        return asked
    rows = draw_rows(asked.index, asked.rows, select.pictures, seed=select.seed)
    what = f"{select.pictures:,} of {asked.what}" if len(rows) < len(asked.rows) else asked.what
    return replace(asked, rows=rows, what=what)


def _own_pictures(run: Run, split: str) -> _Asked:
    index = read_index(run)
    rows = index.rows(split)
    if not len(rows):
        raise DataError(
            f"{split} pictures among those of {str(run.path)!r}", found="none",
            fix="Give labelled pictures that the training has not seen: pictaxa evaluate RUN DATA.",
        )  # fmt: skip
    what = {"val": "validation", "train": "training"}.get(split, split)
    return _Asked(index, rows, f"the {what} pictures of {run.path}", split, OWN)


def _other_pictures(data: Path, reading: ReadingConfig, classes: tuple[str, ...], *, split: str) -> _Asked:
    index = read_data(data, reading, classes=classes)
    splits = index.column("split")
    labelled = {name: np.flatnonzero((splits == name) & (index.labels >= 0)) for name in ("val", "train", "", "test")}
    there = [name for name, rows in labelled.items() if len(rows)]
    if not there:
        raise DataError("pictures to evaluate", found=f"none under {str(data)!r}", fix="Check the path.")
    if split and split not in there:
        found = ", ".join(f"{len(labelled[name])} {name or 'without a split'}" for name in there)
        raise DataError(
            f"{split} pictures", found=f"{found} under {str(data)!r}", fix="Leave --split out, or change it."
        )
    if not split and "test" in there:
        raise ConfigError(
            "--split, as there are test pictures", found=f"{len(labelled['test'])} under {str(data)!r}",
            fix="Use --split test, which counts how often they are looked at, or --split val or train.",
        )  # fmt: skip
    split = split or there[0]
    what = f"the {split} pictures of {data}" if split else f"all pictures of {data}"
    return _Asked(index, labelled[split], what, split, str(data.resolve() if data.exists() else data))


def _count_look(run: Run, asked: _Asked, hashes: list[str], *, right: np.ndarray) -> tuple[TestLook, ...]:
    """Count that test pictures were looked at, if they were: the run's own wherever they lie, or those of other data.

    Returns all looks at them in their order, this one last.
    """
    own = read_index(run)
    tests = set(own.column("hash")[own.rows("test")].tolist()) - {""}
    among = np.array([digest in tests for digest in hashes])
    if asked.data == OWN and asked.split == "test":
        among[:] = True
    data = OWN if among.any() else asked.data
    if asked.split == "test" and not among.any():
        among[:] = True
    if not among.any():
        return ()
    before = looks_at(read_test_looks(run), data)
    judged = [digest for digest, counts in zip(hashes, among, strict=True) if counts]
    look, kept = add_test_look(run, data, judged, right=int(right[among].sum()))
    if not kept:
        warn(f"note      this look at test pictures can't be counted: {run.path} can't be written to")
    return (*before, look)


def _units(index: Index, rows: np.ndarray, digests: dict[int, str]) -> Units:
    """Which of the judged pictures belong together: those of a group, and the same picture again."""
    some = index.take(rows).with_columns({"hash": [digests[row] for row in rows]})
    return Units(find_units(some, np.arange(len(rows))).of)


def _without_label(index: Index) -> list[tuple[str, Problem]]:
    """(path, problem) of the pictures that nothing can be said about: a manifest's row may lack its label."""
    return index.take(np.flatnonzero(index.labels < 0)).set_aside()
