"""The tables of a run folder: its pictures and their predictions. Only this module knows their columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..data.index import Index, index_from_columns
from ..errors import RunError
from ..metrics import Predictions
from ..system.files import replacing
from .folder import Run

ROW, PATH, LABEL = "row", "path", "label"  # of the predictions, beside a column for each class


def probability_column(name: str) -> str:
    """The column with a class's probabilities."""
    return f"p:{name}"


def write_index(run: Run, index: Index) -> None:
    """Keep the pictures that a run is trained and judged with.

    Args:
        run: the run, whose table is replaced.
        index: a row for each picture, with its split.
    """
    with replacing(run.index_path) as partial:
        pq.write_table(index.table, partial)


def read_index(run: Run) -> Index:
    """The pictures that a run was trained and judged with; columns that an older run lacks are blank.

    Args:
        run: a run with an index.

    Returns:
        The Index, its paths below the folder that the run was trained from.

    Raises:
        RunError: the run has no index.
    """
    table = pq.read_table(run.existing(run.index_path.name))
    columns = {name: table.column(name) for name in table.column_names}
    return index_from_columns(columns, root=Path(run.chosen.root), classes=run.classes)


def write_predictions(run: Run, predictions: Predictions, *, index: Index) -> None:
    """Keep what a run's model says of its validation pictures; rows are those of the index.

    Args:
        run: the run, whose table is replaced.
        predictions: of the validation pictures; their rows are those of the index.
        index: the run's pictures.
    """
    columns: dict[str, Any] = {
        ROW: predictions.rows,
        PATH: index.column("path")[predictions.rows],
        LABEL: predictions.labels,
    }
    for label, name in enumerate(index.classes):
        columns[probability_column(name)] = predictions.probabilities[:, label]
    with replacing(run.predictions_path) as partial:
        pq.write_table(pa.table(columns), partial)


def read_predictions(run: Run, *, classes: Sequence[str] | None = None) -> Predictions:
    """Read what a run's model says of its validation pictures.

    Args:
        run: a run that has been validated.
        classes: names in the order that the probabilities are to have; by default the run's own.

    Returns:
        Predictions, with rows of the run's index.

    Raises:
        RunError: the run has none, or lacks one of the classes.

    Example:
        predictions = read_predictions(open_run("runs/photos-resnet18-1"))
    """
    path = run.existing(run.predictions_path.name)
    table = pq.read_table(path)
    names = [probability_column(name) for name in (run.classes if classes is None else classes)]
    missing = [name for name in (ROW, LABEL, *names) if name not in table.column_names]
    if missing:
        raise RunError(f"a column {missing[0]!r}", found=f"none in {str(path)!r}", fix="Restore the file.")
    return Predictions(
        rows=table.column(ROW).to_numpy(),
        labels=table.column(LABEL).to_numpy().astype(np.int64),
        probabilities=np.stack([table.column(name).to_numpy() for name in names], axis=1),
    )
