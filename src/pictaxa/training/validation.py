"""Predictions for the validation pictures, and their metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..data.batches import in_order, read_batches
from ..inference.logits import BATCH, square_logits
from ..metrics import Predictions, log_loss, softmax, summarise
from ..models.contract import Classifier
from ..runs.records import write_predictions
from .job import Job, diverged

PROBES = 4  # squares kept with their logits


def split_logits(job: Job, model: Classifier, rows: np.ndarray) -> np.ndarray:
    """(n,) rows of the index -> (n, classes) float32 logits, as prediction would give them."""
    batches = read_batches(job.cache, in_order(rows, BATCH), labels=job.index.labels, device=job.plan.device)
    parts = []
    for batch in batches:
        job.plan.watch.look()
        parts.append(square_logits(model, batch.images, aspects=batch.aspects, geometry=job.geometry))
    return torch.cat(parts).cpu().numpy()


def evaluate(job: Job, rows: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    """The log's validation columns for (n, classes) logits of (n,) rows of the index.

    TrainingError where some are not finite: weights that are finite themselves may be so large.
    """
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        raise diverged(job, found=f"NaN or infinity for {(~finite).sum()} of {len(rows)} validation pictures")
    predictions = _predictions(job, rows, logits)
    right = predictions.predicted == predictions.labels
    return {"val_loss": log_loss(predictions), "val_accuracy": float(right.mean())}


def save_predictions(job: Job, rows: np.ndarray, logits: np.ndarray) -> None:
    """Write what the best weights say of validation pictures into the run folder."""
    predictions = _predictions(job, rows, logits)
    write_predictions(job.run, predictions, index=job.index)
    job.run.write_metrics(summarise(predictions, job.index.classes))
    some = rows[:PROBES]
    job.run.write_probe(job.cache.read(some), job.cache.aspects[some], logits=logits[:PROBES])


def _predictions(job: Job, rows: np.ndarray, logits: np.ndarray) -> Predictions:
    return Predictions(rows=rows, labels=job.index.labels[rows], probabilities=softmax(logits))
