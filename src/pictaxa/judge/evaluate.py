"""Evaluation: labelled pictures through the predictor, and what the answers are worth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.cells import cell_len, set_cell_size

from ..config.data import ReadingConfig
from ..data.fetching import Fetcher
from ..data.index import Index
from ..data.reading import PLAIN, read_data
from ..errors import DataError
from ..inference.predictor import load
from ..metrics import Predictions, summarise
from ..runs.folder import Run
from ..runs.records import read_index
from ..system.progress import CountProgress


@dataclass(frozen=True)
class Evaluation:
    """Predictions for labelled pictures, their metrics, and the pictures that could not be read."""

    classes: tuple[str, ...]
    paths: list[Path]  # of the judged pictures, in the order of `predictions`
    predictions: Predictions
    metrics: dict[str, Any]  # as in metrics.json
    set_aside: list[tuple[str, str]]  # (path, problem)
    what: str  # in words: which pictures were judged


def evaluate_run(
    run: str | Path, data: str | Path | None = None, *, reading: ReadingConfig = PLAIN, device: str = "auto"
) -> Evaluation:
    """Judge a run by its own validation pictures, or by others with labels, in any layout.

    Data with splits gives its test pictures, else its validation pictures. Classes are matched by name; one that
    the run does not know is a DataError.
    """
    predictor = load(run, device=device)
    if data is None:
        index, rows, what = _own_validation(predictor.run)
    else:
        index, rows, what = _other_data(Path(data), reading, predictor.classes)
    judged, probabilities, set_aside = [], [], []
    with CountProgress("evaluate", total=len(rows)) as progress, Fetcher(index) as fetcher:
        pictures = ((fetcher.name(row), partial(fetcher.fetch, row)) for row in rows)
        for row, prediction in zip(rows, predictor.judge(pictures), strict=True):
            progress.count()
            if prediction.probabilities is None:
                set_aside.append((prediction.path, prediction.problem))
            else:
                judged.append(row)
                probabilities.append(prediction.probabilities)
    if not judged:
        raise DataError("readable pictures to evaluate with", found=f"none among {len(rows)}", fix="Check the files.")
    chosen = np.array(judged, dtype=np.int64)
    predictions = Predictions(rows=chosen, labels=index.labels[chosen], probabilities=np.stack(probabilities))
    return Evaluation(
        classes=predictor.classes,
        paths=[index.root / index.name(row) for row in chosen],
        predictions=predictions,
        metrics=summarise(predictions, predictor.classes),
        set_aside=set_aside,
        what=what,
    )


def _own_validation(run: Run) -> tuple[Index, np.ndarray, str]:
    index = read_index(run)
    return index, index.rows("val"), f"the validation pictures of {run.path}"


def _other_data(data: Path, reading: ReadingConfig, classes: tuple[str, ...]) -> tuple[Index, np.ndarray, str]:
    index = read_data(data, reading, classes=classes)
    splits = index.column("split")
    for split in ("test", "val", "train", ""):
        rows = np.flatnonzero(splits == split)
        if len(rows):
            return index, rows, f"the {split} pictures of {data}" if split else f"all pictures of {data}"
    raise DataError("pictures to evaluate with", found=f"none under {str(data)!r}", fix="Check the path.")


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The figures as a person reads them: accuracy with its interval, a row per class, the confusion matrix."""
    metrics = evaluation.metrics
    lines = [
        f"judged    {evaluation.what}: {metrics['pictures']} pictures",
        f"accuracy  {metrics['accuracy']:.1%} (95% interval {metrics['accuracy_95_low']:.1%} to "
        f"{metrics['accuracy_95_high']:.1%}), {metrics['right']} right",
        f"loss      {metrics['log_loss']:.3f}   mean F1 {metrics['macro_f1']:.3f}",
        "",
    ]
    width = max(8, *(cell_len(row["name"]) for row in metrics["classes"]))
    lines.append(f"{'class'.ljust(width)}  pictures  precision  recall     F1")
    names, matrix = [row["name"] for row in metrics["classes"]], metrics["confusion"]
    for row, guesses in zip(metrics["classes"], map(sum, zip(*matrix, strict=True)), strict=True):
        # A class without pictures, or that was never said, has no such share.
        precision = f"{row['precision']:.1%}" if guesses else "-"
        recall = f"{row['recall']:.1%}" if row["pictures"] else "-"
        f1 = f"{row['f1']:.3f}" if guesses or row["pictures"] else "-"
        lines.append(f"{set_cell_size(row['name'], width)}  {row['pictures']:8d}  {precision:>9}  {recall:>6}  {f1:>5}")
    if len(names) <= 20:
        cells = [max(4, len(str(max(max(line) for line in matrix)))) for _ in names]
        lines += ["", "rows: the true class; columns, in the same order: what it said"]
        for name, line in zip(names, matrix, strict=True):
            counts = "  ".join(str(count).rjust(cell) for count, cell in zip(line, cells, strict=True))
            lines.append(f"{set_cell_size(name, width)}  {counts}")
    return lines
