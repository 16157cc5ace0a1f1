from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pictaxa.errors import RunError
from pictaxa.metrics import Predictions, summarise
from pictaxa.runs.folder import open_run
from pictaxa.runs.manifest import remove_manifest
from pictaxa.runs.records import (
    probability_column,
    read_index,
    read_predictions,
    write_index,
    write_predictions,
)

Trained = tuple[Path, Path]


def test_the_index_is_what_was_written(trained: Trained):
    """Every column, with the run's root and classes."""
    run = open_run(trained[1])
    index = read_index(run)
    assert index.root == trained[0] and index.classes == run.classes and len(index) == 36
    remove_manifest(run.path)
    write_index(run, index)
    assert read_index(run).table.equals(index.table)


def test_predictions_are_what_was_written(trained: Trained):
    """Rows, labels and probabilities, in the order of the run's classes or of those that are asked for."""
    run = open_run(trained[1])
    index = read_index(run)
    rows = index.rows("val")
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), len(rows)).astype(np.float32)
    predictions = Predictions(rows, index.labels[rows], probabilities)
    remove_manifest(run.path)
    write_predictions(run, predictions, index=index)
    with pytest.raises(RunError, match="figures of metrics"):
        read_predictions(run)
    run.write_metrics(summarise(predictions, run.classes))
    read = read_predictions(run)
    assert (read.rows == rows).all() and (read.labels == index.labels[rows]).all()
    assert (read.probabilities == probabilities).all()
    turned = read_predictions(run, classes=run.classes[::-1])
    assert (turned.probabilities == probabilities[:, ::-1]).all()


def test_a_missing_column_is_told(trained: Trained):
    """With its name; no traceback."""
    run = open_run(trained[1])
    path = run.predictions_path
    pq.write_table(pq.read_table(path).drop([probability_column("red")]), path)
    remove_manifest(run.path)
    with pytest.raises(RunError, match="p:red"):
        read_predictions(run)
