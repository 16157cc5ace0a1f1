"""The head that a training script has put on a network: the same layer under another name, or other layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .prefixes import Part
from .translated import Translated

# What scripts call the layers that give the classes.
_WORDS = ("fc", "head", "heads", "cls_head", "classifier", "linear", "last_linear", "logits", "output", "out")
OTHER = "of a head with other layers than this model's"


def place(part: Part, tensors: Mapping[str, torch.Tensor], *, prefix_worth_a_word: bool) -> Translated:
    """The tensors of a part by our names, with the head where the network has it.

    A head in a Sequential (`fc.1`), or beside the backbone, is the network's own if it is one layer with its inputs.
    Any other is left out, and the network's stays new.

    Args:
        part: what the file has of the network.
        tensors: all of the file's, by name.
        prefix_worth_a_word: whether a note tells of the prefix.

    Returns:
        The tensors by our names, and what was left out and why.

    Example:
        place(part, tensors, prefix_worth_a_word=True).lines()
    """
    weights = Translated(dict(part.ours), dropped=dict(part.renamed.dropped))
    if prefix_worth_a_word:
        weights.notes.append(f"names begin with {part.prefix!r}, which was removed")
    outside = [name for name in tensors if not name.startswith(part.prefix)]
    if part.rank == 1:
        _leave_dense(part, weights)
    else:
        own = f"{part.needed.head}.weight" in weights.tensors
        inside = _inside(part)
        for name in inside.values():
            del weights.tensors[name]
        if inside:
            _take(part, weights, {part.prefix + theirs: part.tensors[theirs] for theirs in inside}, own=own)
        elif not own:
            theirs = [name for name in outside if _begins_as_head(_beside(name, part.prefix))]
            outside = [name for name in outside if name not in theirs]
            _take(part, weights, {name: tensors[name] for name in theirs}, own=False)
    weights.unread = dict.fromkeys(outside, f"not under {part.prefix!r}, where the network is")
    return weights


def unused(part: Part) -> list[str]:
    """Names under a part's prefix that are neither the network's nor a head's."""
    heads = {*_inside(part).values()}
    return [name for name in part.unused if name not in heads]


def _inside(part: Part) -> dict[str, str]:
    """Names of a head's layers that the network doesn't have: the file's without the prefix -> ours."""
    head, own = part.needed.head, part.needed.own
    found = {}
    for theirs, ours in part.renamed.names.items():
        is_other = ours not in own and (ours.startswith(f"{head}.") or not part.needed.may_lack(ours))
        if is_other and (ours.startswith(f"{head}.") or _begins_as_head(theirs)):
            found[theirs] = ours
    return found


def _take(part: Part, weights: Translated, theirs: Mapping[str, torch.Tensor], *, own: bool) -> None:
    """Make the only layer of a head the network's, or leave all of it out; with `own` it has the network's already."""
    head = part.needed.head
    layers = {name.rpartition(".")[0] for name in theirs}
    wanted = part.needed.own.get(f"{head}.weight")
    if len(layers) == 1 and not own and wanted is not None:
        layer = layers.pop()
        weight, bias = theirs.get(f"{layer}.weight"), theirs.get(f"{layer}.bias")
        fits = weight is not None and weight.ndim == 2 and weight.shape[1:] == wanted.shape[1:]
        if weight is not None and bias is not None and fits and bias.shape == weight.shape[:1] and len(theirs) == 2:
            weights.tensors |= {f"{head}.weight": weight, f"{head}.bias": bias}
            weights.notes.append(f"{layer} is the only layer of the file's head, here {head}")
            return
    if theirs:
        weights.drop(head, OTHER)
        weights.dropped |= dict.fromkeys(theirs, OTHER)


def _leave_dense(part: Part, weights: Translated) -> None:
    """All dense layers of the network stay new where the file's are others."""
    needed = part.needed
    for name in [*weights.tensors]:
        if name.rpartition(".")[0] in needed.dense or name in part.unused:
            del weights.tensors[name]
            weights.dropped[name] = OTHER
    weights.fresh |= dict.fromkeys(needed.dense, "the file has a different head")


def _begins_as_head(name: str) -> bool:
    return name.partition(".")[0] in _WORDS


def _beside(name: str, prefix: str) -> str:
    """A name without what it has in common with a prefix, part by part."""
    mine, others = name.split("."), prefix.split(".")
    count = 0
    while count < min(len(mine), len(others)) and mine[count] == others[count]:
        count += 1
    return ".".join(mine[count:])
