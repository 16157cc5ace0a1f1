"""The training loss."""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F

from .job import Job

Outputs = tuple[tuple[torch.Tensor, float], ...]  # (N, classes) logits and their weight in the loss
Targets = tuple[tuple[torch.Tensor, float], ...]  # (N,) int64 labels and the share that they have in each picture


def total_loss(outputs: Outputs, targets: Targets, *, weights: torch.Tensor | None, smoothing: float) -> torch.Tensor:
    """Cross-entropy in float32, summed over the weighted outputs and over the shares of the labels: a scalar."""
    terms = [
        weight * share * F.cross_entropy(logits.float(), labels, weight=weights, label_smoothing=smoothing)
        for logits, weight in outputs
        for labels, share in targets
        if share > 0
    ]
    return functools.reduce(torch.add, terms)


def weigh_classes(job: Job, *, always: bool = False) -> torch.Tensor | None:
    """(classes,) float32, inverse to each class's share and 1 on average over pictures; None when not asked for."""
    if job.config.optimization.class_weights == "none" and not always:
        return None
    counts = np.bincount(job.index.labels[job.train_rows], minlength=len(job.index.classes))
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return torch.from_numpy(weights.astype(np.float32)).to(job.plan.device)
