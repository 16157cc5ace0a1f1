"""The optimizer, with weight decay only where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ..config import OptimizerConfig


def parameter_groups(
    model: nn.Module, weight_decay: float, *, shares: Mapping[str, float] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """Weights with decay; biases and batch norm's scales and shifts (all one-dimensional) without (He et al. 2018).

    `shares` are the parts of the learning rate by parameter name; the whole where there is none.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}  # (share of the rate, weight decay) -> parameters
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((shares.get(name, 1.0), decay), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "rate_share": share}
        for (share, decay), parameters in groups.items()
    ]


class Optimizer:
    """One of torch's optimizers, working on the parameters as they lie in memory.

    torch's fused kernels read tensors as they lie, whatever their strides say, and copy gradients that lie channels
    last first. So they get each such tensor as its (O, h, w, I) view, which lies without gaps in that order.
    """

    def __init__(self, parameters: list[nn.Parameter], inner: torch.optim.Optimizer) -> None:
        self.parameters = parameters  # in the order of inner's groups
        self.inner = inner
        self.stored = [view for group in inner.param_groups for view in group["params"]]

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for parameter, view in zip(self.parameters, self.stored, strict=True):
            gradient = parameter.grad
            if gradient is not None:
                lies_channels_last = view.stride() != parameter.stride()
                gradient = (gradient.permute(0, 2, 3, 1) if lies_channels_last else gradient).contiguous()
            view.grad = gradient
        self.inner.step()
        for view in self.stored:
            view.grad = None

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @property
    def groups(self) -> list[dict[str, Any]]:
        """torch's parameter groups: learning rate, weight decay, and the parameters as they lie."""
        return self.inner.param_groups

    @property
    def state(self) -> dict[int, dict[str, torch.Tensor]]:
        """Momenta and counters by the parameter's number, shaped as the parameters lie."""
        state: dict[int, dict[str, torch.Tensor]] = self.inner.state_dict()["state"]
        return state

    def load(self, state: dict[int, dict[str, torch.Tensor]]) -> None:
        """Go on from a saved `state`."""
        self.inner.load_state_dict({"state": state, "param_groups": self.inner.state_dict()["param_groups"]})


def _as_stored(parameter: nn.Parameter) -> torch.Tensor:
    """A convolution's weight that lies channels last as (O, h, w, I); anything else as it is. The memory is shared."""
    weight = parameter.detach()
    if weight.ndim == 4 and not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last):
        return weight.permute(0, 2, 3, 1)
    return weight


def make_optimizer(
    model: nn.Module, config: OptimizerConfig, *, shares: Mapping[str, float] = MappingProxyType({})
) -> Optimizer:
    """SGD with Nesterov momentum, Adam or AdamW; the learning rate is set before every step."""
    groups = parameter_groups(model, config.weight_decay, shares=shares)
    parameters = [parameter for group in groups for parameter in group["params"]]
    stored = [{**group, "params": [_as_stored(parameter) for parameter in group["params"]]} for group in groups]
    # One kernel for all of a tensor's arithmetic, where the device has it.
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    if config.optimizer == "sgd":
        nesterov = config.momentum > 0
        sgd = torch.optim.SGD(stored, lr=0.0, momentum=config.momentum, nesterov=nesterov, fused=fused)
        return Optimizer(parameters, sgd)
    make = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return Optimizer(parameters, make(stored, lr=0.0, betas=(config.momentum, 0.999), fused=fused))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """The learning rate of the next step; each group takes its share of it."""
    for group in optimizer.groups:
        group["lr"] = rate * group["rate_share"]
