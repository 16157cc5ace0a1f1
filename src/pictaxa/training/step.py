"""One step of a training: rate, draws, logits, loss, gradients, update."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..system.device import seed_draws
from .loss import Outputs, Targets, total_loss
from .optimizer import Optimizer, set_lr


@dataclass(frozen=True)
class StepRules:
    """What is the same in every step."""

    seed: int
    device: torch.device
    class_weights: torch.Tensor | None  # (classes,) float32
    label_smoothing: float  # from 0 to 1
    clip_grad_norm: float | None  # the most that the gradients' common length may be; None: they stay as they are


def take_step(
    outputs_of: Callable[[torch.Tensor], Outputs],
    optimizer: Optimizer,
    *,
    inputs: torch.Tensor,
    targets: Targets,
    lr: float,
    number: int,
    rules: StepRules,
) -> tuple[float, torch.Tensor]:
    """Bring the weights nearer to the targets. A loss that is not finite changes none of them.

    Args:
        outputs_of: the forward pass, inputs -> logits of each head.
        optimizer: of the weights in it.
        inputs: (N, ...) what the forward pass takes.
        targets: (N,) int64 labels, each with its share in the pictures.
        lr: the learning rate, before each group's own share of it.
        number: how many steps were taken before, from 0 on: what is drawn, for dropout, is a function of seed and step.
        rules: what is the same in every step.

    Returns:
        The loss, and the main head's (N, classes) logits, both from before the update.

    Example:
        loss, logits = take_step(learner.outputs, optimizer, inputs=images, targets=((labels, 1.0),), lr=0.1, number=0,
                                 rules=StepRules(seed=0, device=images.device, class_weights=None, label_smoothing=0.0,
                                                 clip_grad_norm=None))
    """
    set_lr(optimizer, lr)
    seed_draws(step_seed(rules.seed, number), rules.device)
    outputs = outputs_of(inputs)
    loss = total_loss(outputs, targets, weights=rules.class_weights, smoothing=rules.label_smoothing)
    loss_value = loss.item()
    if math.isfinite(loss_value):
        optimizer.zero_grad()
        loss.backward()
        if rules.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(optimizer.parameters, rules.clip_grad_norm)
        optimizer.step()
    return loss_value, outputs[0][0]


def step_seed(seed: int, step: int) -> int:
    """What the draws of a step, of dropout for instance, are seeded with."""
    # Two different primes keep neighbouring seeds and steps from sharing draws.
    return (seed * 1_000_003 + step * 7_919 + 1) % 2**63
