"""Evaluation: runs the predictor on labelled pictures and computes metrics."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config.data import ReadingConfig
from ..data.cache import digest_of
from ..data.drawing import draw_rows
from ..data.fetching import Fetcher
from ..data.index import Index
from ..data.reading import PLAIN, read_data
from ..data.split import find_units
from ..errors import DataError, PictureError, Problem
from ..images.decode import Picture, Square
from ..inference.predictor import load
from ..metrics import Predictions, summarise
from ..runs.records import read_index
from ..system.progress import CountProgress
from .asked import answering_of, temperature_of
from .evaluation import Evaluation
from .intervals import Units
from .seen import MAX_COMPARED, Familiarity, Thumbnails, find_seen

if TYPE_CHECKING:
    from ..reporting.answers import Gallery


def evaluate_run(
    run: str | Path,
    data: str | Path | None = None,
    *,
    reading: ReadingConfig = PLAIN,
    device: str = "auto",
    gallery: Gallery | None = None,
    pictures: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a run on its own validation pictures, or on other labelled ones in any layout.

    Of data with splits the test pictures are taken; where there are none the validation pictures, else the training
    pictures. Classes are matched by name.

    Args:
        run: folder of a trained run.
        data: labelled pictures; by default the run's own validation pictures.
        reading: how `data` is laid out.
        device: "auto" (the fastest available), "cpu", "cuda", "cuda:1" or "mps".
        gallery: is given every picture with its answer and its label.
        pictures: judge only so many of them, drawn at random, each class in its proportion; None for all.
        seed: decides which.

    Returns:
        An Evaluation.

    Raises:
        RunError: `run` is not a run folder, or lacks a file.
        DataError: no picture can be read, or one has a class that the run does not know.
        ConfigError: this machine does not have the device, or `pictures` is less than one of each class.

    Example:
        evaluation = evaluate_run("runs/photos-resnet18-1", "more-photos")
        evaluation.metrics["accuracy"]
    """
    from .judging import chose_epoch  # with scikit-learn, which takes a second to load

    predictor = load(run, device=device)
    predictor = predictor.answers_by(answering_of(run, raw=True))
    if data is None:
        index = read_index(predictor.run)
        rows, what = index.rows("val"), f"the validation pictures of {predictor.run.path}"
    else:
        index, rows, what = _other_data(Path(data), reading, predictor.classes)
    if pictures is not None:
        what = f"{pictures:,} of {what}" if pictures < len(rows) else what
        rows = draw_rows(index, rows, pictures, seed=seed)
    judged, probabilities, known, set_aside = [], [], [], []
    digests: dict[int, str] = {}
    thumbs = Thumbnails()
    compares = data is not None and len(rows) <= MAX_COMPARED
    with CountProgress("evaluate", total=len(rows)) as progress, Fetcher(index) as fetcher:

        def fetch(row: int) -> Picture:
            if (problem := index.problem(row)) is not None:  # its table has no path, say
                raise PictureError(fetcher.name(row), problem)
            picture = fetcher.fetch(row)
            digests[row] = digest_of(picture)
            return picture

        def look(square: Square) -> None:
            if compares:
                thumbs.add(square)
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
    familiarity, changed = Familiarity(), []
    if data is None:
        then = index.column("hash")
        changed = [index.name(row) for row in judged if then[row] and digests[row] != then[row]]
    else:
        familiarity = find_seen(
            predictor.run, [digests[row] for row in judged], thumbs.all(), threads=predictor.plan.threads
        )
    return Evaluation(
        classes=predictor.classes,
        paths=[index.root / index.name(row) for row in chosen],
        predictions=predictions,
        metrics=summarise(predictions, predictor.classes),
        set_aside=[*_without_label(index), *set_aside],
        what=what,
        changed=tuple(changed),
        gone=len(rows) - len(judged) if data is None else 0,
        familiarity=familiarity,
        none_of_these=None if None in known else known.count(False),
        units=_units(index, chosen, digests),
        temperature=None if data is None else temperature_of(predictor.run),
        chose_epoch=data is None and chose_epoch(predictor.run),
    )


def _other_data(data: Path, reading: ReadingConfig, classes: tuple[str, ...]) -> tuple[Index, np.ndarray, str]:
    index = read_data(data, reading, classes=classes)
    splits = index.column("split")
    for split in ("test", "val", "train", ""):
        rows = np.flatnonzero((splits == split) & (index.labels >= 0))
        if len(rows):
            return index, rows, f"the {split} pictures of {data}" if split else f"all pictures of {data}"
    raise DataError("pictures to evaluate", found=f"none under {str(data)!r}", fix="Check the path.")


def _units(index: Index, rows: np.ndarray, digests: dict[int, str]) -> Units:
    """Which of the judged pictures belong together: those of a group, and the same picture again."""
    some = index.take(rows).with_columns({"hash": [digests[row] for row in rows]})
    return Units(find_units(some, np.arange(len(rows))).of)


def _without_label(index: Index) -> list[tuple[str, Problem]]:
    """(path, problem) of the pictures that nothing can be said about: a manifest's row may lack its label."""
    return index.take(np.flatnonzero(index.labels < 0)).set_aside()
