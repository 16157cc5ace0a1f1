"""The optimizer, with weight decay only where it belongs."""

from __future__ import annotations

import torch
from torch import nn

from ..config import OptimizerConfig


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights with decay; biases and batch norm's scales and shifts (all one-dimensional) without (He et al. 2018)."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, Adam or AdamW; the learning rate is set before every step."""
    groups = parameter_groups(model, config.weight_decay)
    # One kernel for all of a tensor's arithmetic, where the device has it.
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    if config.optimizer == "sgd":
        nesterov = config.momentum > 0
        return torch.optim.SGD(groups, lr=0.0, momentum=config.momentum, nesterov=nesterov, fused=fused)
    make = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return make(groups, lr=0.0, betas=(config.momentum, 0.999), fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
