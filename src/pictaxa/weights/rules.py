"""Rules: how the names of another library's weights become ours.

A rule is a pattern for whole names and what they become (`re.sub`). The first that fits a name counts; what no rule
fits keeps its name. Every name of the source is used exactly once or dropped by a rule that says why, every weight of
the model is filled, and nothing is loaded unless all of it fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import WeightsError


@dataclass(frozen=True)
class Rule:
    """Names that match `pattern` become `target`, or are dropped for a `reason`."""

    pattern: str
    target: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        assert bool(self.target) != bool(self.reason), "a rule renames or gives a reason to drop"


@dataclass(frozen=True)
class Renamed:
    """Names of the source and of ours, and what was dropped and why."""

    names: dict[str, str]  # the source's -> ours
    dropped: dict[str, str]  # the source's -> the reason


def rename(names: Sequence[str], rules: Sequence[Rule]) -> Renamed:
    """Apply the rules; WeightsError when two names become the same."""
    kept: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for name in names:
        for rule in rules:
            if re.fullmatch(rule.pattern, name):
                if rule.reason:
                    dropped[name] = rule.reason
                else:
                    kept[name] = re.sub(rule.pattern, rule.target, name)
                break
        else:
            kept[name] = name
    twice = sorted({ours for ours in kept.values() if list(kept.values()).count(ours) > 1}) if kept else []
    if twice:
        raise WeightsError("a weight for each name", found=f"two for {', '.join(twice)}", fix="Mend the rules.")
    return Renamed(names=kept, dropped=dropped)


def fill(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Load a whole set of weights under our names; WeightsError that lists all that is missing, unused or misshapen.

    The normalisation (`mean`, `std`) and batch norm's counters may be absent: they keep what the model has.
    """
    state = model.state_dict()
    needed = {name for name in state if name not in ("mean", "std") and not name.endswith("num_batches_tracked")}
    missing = sorted(needed - set(tensors))
    unused = sorted(set(tensors) - set(state))
    misshapen = sorted(
        f"{name} {tuple(value.shape)} instead of {tuple(state[name].shape)}"
        for name, value in tensors.items()
        if name in state and value.shape != state[name].shape
    )
    groups = {"missing": missing, "unused": unused, "misshapen": misshapen}
    if any(groups.values()):
        found = "; ".join(f"{len(names)} {word}: {', '.join(names)}" for word, names in groups.items() if names)
        raise WeightsError(
            "weights that fit the model, name by name",
            found=found,
            fix="Check the model's name, its options and where the weights come from.",
        )
    model.load_state_dict({**state, **tensors})
