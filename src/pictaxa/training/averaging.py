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


class Follower:
    """Moves an average towards a model: parameters and batch statistics alike; counters are copied.

    Their tensors stay where they are while a model learns, so they are listed once and not at every step.
    """

    def __init__(self, average: nn.Module, model: nn.Module) -> None:
        pairs = list(zip(average.state_dict().values(), model.state_dict().values(), strict=True))
        self.ours, self.theirs = ([pair[k] for pair in pairs if pair[k].is_floating_point()] for k in (0, 1))
        self.counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def follow(self, *, decay: float, step: int) -> None:
        """One step towards the model, of 1 - `decay` of the way.

        The first steps average less (decay (1 + step) / (10 + step)), so that the random start is soon forgotten.
        """
        decay = min(decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.ours, self.theirs, 1 - decay)
        for ours, theirs in self.counters:
            ours.copy_(theirs)
