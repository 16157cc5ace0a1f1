"""What a model says of the validation pictures, and what that is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ..data.batches import in_order, read_batches
from ..metrics import Predictions, log_loss, softmax, summarise
from ..models.layers import Classifier
from ..predict import BATCH, square_logits
from ..run import Run
from .prepare import Job

PROBES = 4  # squares kept with their logits


def split_logits(job: Job, model: Classifier, rows: np.ndarray) -> np.ndarray:
    """(n,) rows of the index -> (n, classes) float32 logits, as prediction would give them."""
    batches = read_batches(job.cache, in_order(rows, BATCH), labels=job.index.labels, device=job.plan.device)
    parts = [square_logits(model, batch.images, aspects=batch.aspects, geometry=job.geometry) for batch in batches]
    return torch.cat(parts).cpu().numpy()


def judge(job: Job, rows: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    """The log's validation columns for (n, classes) logits of (n,) rows of the index."""
    predictions = _predictions(job, rows, logits)
    right = predictions.predicted == predictions.labels
    return {"val_loss": log_loss(predictions), "val_accuracy": float(right.mean())}


def keep_judgement(job: Job, rows: np.ndarray, logits: np.ndarray) -> None:
    """Write what the best weights say of validation pictures into the run folder."""
    predictions = _predictions(job, rows, logits)
    write_predictions(
        job.run, predictions, classes=job.index.classes, split="val", index_paths=job.index.column("path")
    )
    job.run.write_metrics(summarise(predictions, job.index.classes))
    some = rows[:PROBES]
    job.run.write_probe(job.cache.read(some), job.cache.aspects[some], logits=logits[:PROBES])


def write_predictions(
    run: Run, predictions: Predictions, *, classes: tuple[str, ...], split: str, index_paths: np.ndarray
) -> None:
    """A row per picture: row, path, label, and a column p:CLASS for each class."""
    columns: dict[str, Any] = {
        "row": predictions.rows,
        "path": index_paths[predictions.rows],
        "label": predictions.labels,
    }
    for label, name in enumerate(classes):
        columns[f"p:{name}"] = predictions.probabilities[:, label]
    pq.write_table(pa.table(columns), run.predictions_path(split))


def _predictions(job: Job, rows: np.ndarray, logits: np.ndarray) -> Predictions:
    return Predictions(rows=rows, labels=job.index.labels[rows], probabilities=softmax(logits))
