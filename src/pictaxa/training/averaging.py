"""The running average of weights (Polyak & Juditsky 1992; the decay per step as in Tarvainen & Valpola 2017)."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def start_average(model: Model) -> Model:
    """A copy of the model to average into, in evaluation mode."""
    return copy.deepcopy(model).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, *, decay: float, step: int) -> None:
    """Move the average towards the model: parameters and batch statistics alike; counters are copied.

    The first steps average less (decay (1 + step) / (10 + step)), so that the random start is soon forgotten.
    """
    decay = min(decay, (1 + step) / (10 + step))
    ours, theirs = list(average.state_dict().values()), list(model.state_dict().values())
    floats = [place for place, value in enumerate(ours) if value.is_floating_point()]
    torch._foreach_lerp_([ours[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
    for place, value in enumerate(ours):
        if not value.is_floating_point():
            value.copy_(theirs[place])
