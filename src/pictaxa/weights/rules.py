"""Rules: how the names of another library's weights become ours.

The first rule that fits a name counts; what no rule fits keeps its name. Every name of the source is used exactly once
or dropped by a rule that says why, every weight of the model is filled, and nothing is loaded unless all of it fits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import WeightsError
from ..models.entry import Rule


@dataclass(frozen=True)
class Renamed:
    """Names of the source and of ours, and what was dropped and why."""

    names: dict[str, str]  # the source's -> ours
    dropped: dict[str, str]  # the source's -> the reason


def rename(names: Sequence[str], rules: Sequence[Rule]) -> Renamed:
    r"""Give names of a source ours.

    Args:
        names: the source's.
        rules: the first that fits a name as a whole counts; a name that none fits stays.

    Returns:
        Ours for each name, and why others were dropped.

    Raises:
        WeightsError: two names become the same.

    Example:
        rename(["features.0.weight"], [Rule(r"features\.(.+)", r"convs.\1")]).names  # {..: "convs.0.weight"}
    """
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
    twice = sorted(ours for ours, count in Counter(kept.values()).items() if count > 1)
    if twice:
        raise WeightsError(
            "one weight per name",
            found=f"two for {', '.join(twice)}",
            fix="Two rules give the same name; correct the table of rules.",
        )
    return Renamed(names=kept, dropped=dropped)


def assign(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Fill a model with a whole set of weights under our names, or not at all.

    Args:
        model: the model; filled in place.
        tensors: a tensor for each of its weights. The normalization (`mean`, `std`) and batch norm's counters may be
            absent: the model keeps its own.

    Raises:
        WeightsError: says how many weights are missing, unused, misshapen, of another kind than plain numbers, or not
            finite, and the first of each; the model stays as it was.
    """
    state = model.state_dict()
    needed = {name for name in state if name not in ("mean", "std") and not name.endswith("num_batches_tracked")}
    groups: dict[str, list[str]] = {
        "missing": sorted(needed - set(tensors)),
        "unused": sorted(set(tensors) - set(state)),
        "misshapen": [], "not plain numbers": [], "not finite": [],
    }  # fmt: skip
    for name in sorted(set(tensors) & set(state)):
        value, own = tensors[name], state[name]
        if value.shape != own.shape:
            groups["misshapen"].append(f"{name} {tuple(value.shape)} instead of {tuple(own.shape)}")
        elif not _is_plain(value, own):
            groups["not plain numbers"].append(f"{name} ({_kind(value)})")
        elif not _is_finite(value, own):
            groups["not finite"].append(name)
    if any(groups.values()):
        found = listed(groups)
        raise WeightsError(
            "weights that fit the model, name by name",
            found=found,
            fix="Check the model's name, its options and the source of the weights.",
        )
    model.load_state_dict({**state, **tensors})


SHOWN = 3  # of the names in a message


def listed(groups: Mapping[str, Sequence[str]]) -> str:
    """How many names there are of each group, and the first few."""
    return "; ".join(f"{len(names)} {word}: {shortened(names)}" for word, names in groups.items() if names)


def shortened(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:SHOWN])} and {more:,} more"


_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def _is_plain(value: torch.Tensor, own: torch.Tensor) -> bool:
    """Whether a tensor is dense and there, of floating-point numbers or, where the model counts, of any real ones."""
    if value.layout != torch.strided or value.is_meta:
        return False
    counts = not own.is_floating_point() and not (value.is_complex() or value.is_floating_point() or value.is_quantized)
    return value.dtype in _FLOATS or counts


def _kind(value: torch.Tensor) -> str:
    words = [] if value.layout == torch.strided else [str(value.layout)]
    return " ".join([*words, *(["meta"] if value.is_meta else []), str(value.dtype)]).replace("torch.", "")


def _is_finite(value: torch.Tensor, own: torch.Tensor) -> bool:
    """Whether all numbers are finite, in the model's precision too."""
    if not value.numel() or not own.is_floating_point():
        return True
    low, high = (float(end) for end in value.detach().aminmax())  # one pass and no copy; NaN if there is one
    most = torch.finfo(own.dtype).max
    return -most <= low and high <= most
