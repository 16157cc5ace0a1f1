"""One step of a training: loss, gradients, update."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..config.usual import resolved
from ..errors import TrainingError
from .checkpoint import has_state
from .job import Job
from .learner import Outputs, Targets
from .loss import total_loss
from .optimizer import Optimizer


def take_step(
    job: Job,
    optimizer: Optimizer,
    outputs: Outputs,
    targets: Targets,
    *,
    class_weights: torch.Tensor | None,
    number: int,
) -> float:
    """Bring the weights nearer to the targets, and say the loss before; TrainingError where it is not finite.

    `number` counts steps from 1 on.
    """
    optimization = job.config.optimization
    loss = total_loss(outputs, targets, weights=class_weights, smoothing=resolved(optimization.label_smoothing))
    loss_value = loss.item()
    if not math.isfinite(loss_value):
        raise diverged(job, optimizer, what=f"loss {loss_value} at step {number}")
    descend(optimizer, loss, clip_grad_norm=optimization.clip_grad_norm)
    return loss_value


def descend(optimizer: Optimizer, loss: torch.Tensor, *, clip_grad_norm: float | None) -> None:
    """Change the weights against the gradient of a scalar loss."""
    optimizer.zero_grad()
    loss.backward()
    if clip_grad_norm is not None:
        nn.utils.clip_grad_norm_(optimizer.parameters, clip_grad_norm)
    optimizer.step()


def step_seed(seed: int, step: int) -> int:
    """What the draws of a step, of dropout for instance, are seeded with."""
    # Two different primes keep neighbouring seeds and steps from sharing draws.
    return (seed * 1_000_003 + step * 7_919 + 1) % 2**63


def diverged(job: Job, optimizer: Optimizer, *, what: str) -> TrainingError:
    """The error for a training whose numbers are no longer finite."""
    rate = optimizer.groups[0].get("lr", job.peak_lr)  # none is set before the first step
    kept = f"; the last good state is kept in {job.run.state_path}" if has_state(job.run.state_path) else ""
    if job.run.model_path.exists():
        kept += f"; the best weights until then are in {job.run.model_path}"
    return TrainingError(
        "a finite loss",
        found=f"{what} with learning rate {rate:.3g}",
        fix=f"Try --lr {job.peak_lr / 3:.2g}, --clip-grad-norm 1 or --precision float32{kept}.",
    )
