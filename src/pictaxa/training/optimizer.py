"""The optimizer, with weight decay only where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from ..config.learning import OptimizerConfig
from ..config.usual import resolved


class Optimizer:
    """SGD with momentum, Adam or AdamW, working on the parameters as they lie in memory.

    torch's fused kernels read tensors as they lie, whatever their strides say, and copy gradients that lie channels
    last first. So they get each such tensor as its (O, h, w, I) view, which lies without gaps in that order. They are
    called as functions, as torch.optim's classes load torch's compiler first, seconds that a short training feels.
    """

    def __init__(self, parameters: list[nn.Parameter], groups: list[dict[str, Any]], config: OptimizerConfig) -> None:
        self.parameters = parameters  # in the order of the groups
        self.groups = groups  # "params" as they lie, "weight_decay", "lr_scale", and "lr" once it is set
        self.config = config
        self.stored: list[torch.Tensor] = [view for group in groups for view in group["params"]]
        device = self.stored[0].device
        self.fused = device.type in ("cpu", "cuda")  # one kernel for all of a tensor's arithmetic
        self.state = {number: self._blank(view) for number, view in enumerate(self.stored)}

    def _blank(self, view: torch.Tensor) -> dict[str, torch.Tensor]:
        """Momenta and counters of a parameter before its first step, shaped as it lies."""
        if self.config.optimizer == "sgd":
            return {"momentum_buffer": torch.zeros_like(view)} if self.config.momentum > 0 else {}
        step = torch.zeros((), device=view.device if self.fused else "cpu")
        return {"step": step, "exp_avg": torch.zeros_like(view), "exp_avg_sq": torch.zeros_like(view)}

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        first = 0
        for group in self.groups:
            views, gradients, states = [], [], []
            for number, view in enumerate(group["params"], start=first):
                parameter = self.parameters[number]
                if parameter.grad is not None:
                    lies_channels_last = view.stride() != parameter.stride()
                    gradient = parameter.grad.permute(0, 2, 3, 1) if lies_channels_last else parameter.grad
                    views.append(view)
                    gradients.append(gradient.contiguous())
                    states.append(self.state[number])
            first += len(group["params"])
            if views:
                self._update(group, views, gradients, states)

    def _update(
        self,
        group: dict[str, Any],
        views: list[torch.Tensor],
        gradients: list[torch.Tensor],
        states: list[dict[str, torch.Tensor]],
    ) -> None:
        momentum, fused = self.config.momentum, self.fused or None
        if self.config.optimizer == "sgd":
            sgd(
                views, gradients, [state.get("momentum_buffer") for state in states], fused=fused,
                lr=group["lr"], weight_decay=group["weight_decay"], momentum=momentum,
                nesterov=self.config.nesterov == "yes" and momentum > 0,
                dampening=0.0, maximize=False,
            )  # fmt: skip
            return
        averages, squares, steps = ([state[word] for state in states] for word in ("exp_avg", "exp_avg_sq", "step"))
        adam(
            views, gradients, averages, squares, [], steps, fused=fused,
            decoupled_weight_decay=self.config.optimizer == "adamw", lr=group["lr"],
            weight_decay=group["weight_decay"], beta1=momentum, beta2=0.999, eps=self.config.eps,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """All momenta and counters, as NUMBER.NAME: NUMBER is the parameter's place."""
        return {f"{number}.{name}": value for number, slots in self.state.items() for name, value in slots.items()}

    def load(self, saved: dict[str, torch.Tensor]) -> None:
        """Go on from saved `tensors`."""
        ours = self.tensors()
        for name, value in saved.items():
            ours[name].copy_(value)


def _as_stored(parameter: nn.Parameter) -> torch.Tensor:
    """A convolution's weight that lies channels last as (O, h, w, I); anything else as it is. The memory is shared."""
    weight = parameter.detach()
    if weight.ndim == 4 and not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last):
        return weight.permute(0, 2, 3, 1)
    return weight


def make_optimizer(
    model: nn.Module, config: OptimizerConfig, *, shares: Mapping[str, float] = MappingProxyType({})
) -> Optimizer:
    """Make an optimizer for all of a model that is not frozen.

    Args:
        model: the model, on its device and in its memory format.
        config: which optimizer, its momentum and its weight decay, which must not be left open.
        shares: part of the learning rate, by parameter name; the whole where there is none.

    Returns:
        An Optimizer, whose rate is to be set before its first step.

    Example:
        optimizer = make_optimizer(model, OptimizerConfig(optimizer="sgd", weight_decay=5e-4))
        set_lr(optimizer, 0.1)
        loss.backward()
        optimizer.step()
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}  # (share of the rate, weight decay) -> parameters
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            # Biases and batch norm's scales and shifts are all one-dimensional (He et al. 2018, Bag of tricks).
            decays = parameter.ndim > 1 or config.weight_decay_on == "all"
            decay = resolved(config.weight_decay) if decays else 0.0
            groups.setdefault((shares.get(name, 1.0), decay), []).append(parameter)
    stored = [
        {"params": [_as_stored(parameter) for parameter in parameters], "weight_decay": decay, "lr_scale": share}
        for (share, decay), parameters in groups.items()
    ]
    return Optimizer([parameter for parameters in groups.values() for parameter in parameters], stored, config)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Set the rate of the steps to come; each group of parameters takes its share of it."""
    for group in optimizer.groups:
        group["lr"] = lr * group["lr_scale"]
