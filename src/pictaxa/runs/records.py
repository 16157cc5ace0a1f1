"""The tables of a run folder: its pictures and their predictions. Only this module knows their columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..data.index import BLANK, SCHEMA, SPLITS, Index, index_from_columns
from ..data.problems import KIND, SENTENCE, kind_column, kinds_of_sentences
from ..metrics import Predictions, summarise
from ..system.files import replacing
from .classes import check_same_classes
from .contents import read_table
from .folder import Run
from .names import CLASSES, INDEX, METRICS, PREDICTIONS
from .typed import damaged

ROW, PATH, LABEL = "row", "path", "label"  # of the predictions, beside a column for each class
FOLD = "fold"  # of the predictions of several folds: which of them judged the picture, from 1 on
PROBABILITY = "p:"


def probability_column(name: str) -> str:
    """The column with a class's probabilities."""
    return PROBABILITY + name


def write_index(run: Run, index: Index) -> None:
    """Keep the pictures that a run is trained and judged with.

    Args:
        run: the run, whose table is replaced.
        index: a row for each picture, with its split.
    """
    with replacing(run.index_path) as partial:
        pq.write_table(index.table, partial, write_page_checksum=True)


def read_index(run: Run) -> Index:
    """The pictures that a run was trained and judged with; columns that an older run lacks are blank.

    Args:
        run: a run with an index.

    Returns:
        The Index, its paths below the folder that the run was trained from.

    Raises:
        RunError: the run has no index, or a damaged one.
    """
    path, classes = run.existing(INDEX), run.classes
    types = dict(zip(SCHEMA.names, SCHEMA.types, strict=True)) | {KIND: pa.string()}
    table = read_table(path, types, optional=tuple(BLANK))
    columns = {name: table.column(name) for name in table.column_names}
    index = index_from_columns(_with_kinds(columns, path), root=Path(run.chosen.root), classes=classes)
    labels = index.labels
    nameless = (labels < 0) & index.usable
    if len(labels) and (labels.max() >= len(classes) or labels.min() < -1 or nameless.any()):
        raise damaged(path, f"labels of {len(classes)} classes in {INDEX}", f"{labels.min()} to {labels.max()}")
    splits = set(index.column("split")) - {*SPLITS, ""}
    if splits:
        raise damaged(path, f"splits {', '.join(SPLITS)} in {INDEX}", repr(min(splits)))
    told = run.chosen
    for split, count in (("train", told.train_pictures), ("val", told.val_pictures)):
        if count and len(index.rows(split)) != count:
            raise damaged(path, f"{count} {split} pictures in {INDEX}", str(len(index.rows(split))))
    return index


def _with_kinds(columns: dict[str, pa.ChunkedArray], path: Path) -> dict[str, Any]:
    """The columns of an index, with the kinds of problems, of which an earlier version wrote the sentences alone."""
    sentences = columns.get(SENTENCE)
    if sentences is None and KIND not in columns:
        return columns
    if sentences is None:
        raise damaged(path, f"a column {SENTENCE!r} in {INDEX}", "none")
    try:
        kinds = kind_column(columns[KIND] if KIND in columns else kinds_of_sentences(sentences))
    except ValueError as error:
        raise damaged(path, f"kinds of problems in {INDEX}", str(error)) from None
    if not pc.equal(kinds.indices, 0).equals(pc.equal(sentences, "").combine_chunks()):
        raise damaged(path, f"a sentence for each problem in {INDEX}, and no other", "some without")
    return {**columns, KIND: kinds}


def write_predictions(run: Run, predictions: Predictions, *, index: Index, folds: np.ndarray | None = None) -> None:
    """Keep what a run's model says of its validation pictures; rows are those of the index.

    Args:
        run: the run, whose table is replaced.
        predictions: of the validation pictures; their rows are those of the index.
        index: the run's pictures.
        folds: (N,) int64, which fold judged each picture, of a run of several.
    """
    columns: dict[str, Any] = {
        ROW: predictions.rows,
        PATH: index.column("path")[predictions.rows],
        LABEL: predictions.labels,
    }
    if folds is not None:
        columns[FOLD] = folds
    for label, name in enumerate(index.classes):
        columns[probability_column(name)] = predictions.probabilities[:, label]
    with replacing(run.predictions_path) as partial:
        pq.write_table(pa.table(columns), partial, write_page_checksum=True)


def read_predictions(run: Run, *, classes: Sequence[str] | None = None) -> Predictions:
    """Read what a run's model says of its validation pictures.

    Args:
        run: a run that has been validated.
        classes: names in the order that the probabilities are to have; by default the run's own.

    Returns:
        Predictions, with rows of the run's index.

    Raises:
        RunError: the run has none, lacks one of the classes, or has some that are not of its index and metrics.

    Example:
        predictions = read_predictions(open_run("runs/photos-resnet18-1"))
    """
    path, own = run.existing(PREDICTIONS), run.classes
    columns = {probability_column(name): pa.float32() for name in own}
    table = read_table(path, {ROW: pa.int64(), PATH: pa.string(), LABEL: pa.int64(), **columns})
    names = own if classes is None else tuple(classes)
    unknown = [name for name in names if name not in own]
    if unknown:
        raise damaged(path, f"a column {probability_column(unknown[0])!r} in {PREDICTIONS}", "none")
    written = tuple(
        name.removeprefix(PROBABILITY) for name in pq.read_schema(path).names if name.startswith(PROBABILITY)
    )
    check_same_classes(written, own, path=path, other=CLASSES)
    predictions = Predictions(
        rows=table.column(ROW).to_numpy(),
        labels=table.column(LABEL).to_numpy(),
        probabilities=np.stack([table.column(probability_column(name)).to_numpy() for name in names], axis=1),
    )
    _check_predictions(predictions, run, path=path, paths=table.column(PATH).to_pylist(), order=names)
    return predictions


def _check_predictions(
    predictions: Predictions, run: Run, *, path: Path, paths: Sequence[str], order: Sequence[str]
) -> None:
    """Compare predictions with the index; `order` is the classes that their columns have."""
    index, rows, own = read_index(run), predictions.rows, run.classes
    shares = predictions.probabilities
    if not len(rows) or not (shares >= 0).all() or not np.allclose(shares.sum(axis=1), 1, atol=1e-3):
        raise damaged(path, f"probabilities in {PREDICTIONS} that sum to 1", "others")
    if len(np.unique(rows)) < len(rows) or not np.isin(rows, index.rows("val")).all():
        raise damaged(path, f"rows of validation pictures in {PREDICTIONS}, each once", "others")
    same_names = index.column("path")[rows].tolist() == list(paths)
    if not same_names or not np.array_equal(index.labels[rows], predictions.labels):
        raise damaged(path, f"the pictures and labels of {INDEX} in {PREDICTIONS}", "others")
    if tuple(order) == own and not _agree(summarise(predictions, own), run.metrics):
        raise damaged(path, f"predictions that give the figures of {METRICS} in {PREDICTIONS}", "others")


def _agree(figures: object, kept: object) -> bool:
    """Whether figures are those that were kept, to the rounding of sums."""
    if isinstance(figures, float):
        return isinstance(kept, (int, float)) and math.isclose(figures, kept, rel_tol=1e-5, abs_tol=1e-6)
    if isinstance(figures, dict) and isinstance(kept, dict):
        return figures.keys() == kept.keys() and all(_agree(value, kept[name]) for name, value in figures.items())
    if isinstance(figures, list) and isinstance(kept, list) and figures != kept:
        return len(figures) == len(kept) and all(map(_agree, figures, kept))
    return figures == kept
