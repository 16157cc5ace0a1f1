"""Adapts weights to a model: its input size, channels, auxiliary heads and classes."""

from __future__ import annotations

import torch
from torch import nn

from ..models.contract import Classifier
from ..models.heads import hidden_paths, kept_outputs
from ..models.vit import resize_positions
from .translated import Translated


def adapt(model: Classifier, weights: Translated) -> None:
    """Change weights in place for a model, and note what was changed, dropped, or stays new in it and why."""
    state = model.state_dict()
    _adapt_positions(weights, state)
    _adapt_channels(model, weights, state)
    _adapt_auxiliary(model, weights)
    _adapt_pre_logits(model, weights)
    _adapt_kept(model, weights)
    _adapt_hidden(model, weights)
    _adapt_head(model, weights, state)


def first_convolution(model: Classifier) -> str:
    """Name of the kernel that sees the pictures."""
    return next(f"{path}.weight" for path, part in model.named_modules() if isinstance(part, nn.Conv2d))


def _adapt_positions(weights: Translated, state: dict[str, torch.Tensor]) -> None:
    """Position embeddings (1, 1 + side^2, D), resized to the model's grid."""
    theirs, own = weights.tensors.get("pos_embed"), state.get("pos_embed")
    if theirs is None or own is None or theirs.shape == own.shape or theirs.ndim != 3 or theirs.shape[1] < 2:
        return
    side, own_side = (round((value.shape[1] - 1) ** 0.5) for value in (theirs, own))
    if side * side + 1 != theirs.shape[1]:
        return  # misshapen: filling tells
    weights.tensors["pos_embed"] = resize_positions(theirs.float(), side=side, size=(own_side, own_side))
    weights.fitted["pos_embed"] = f"resized from {side} x {side} to {own_side} x {own_side}"


def _adapt_channels(model: Classifier, weights: Translated, state: dict[str, torch.Tensor]) -> None:
    """Kernels for colour or grey as the model's: a grey picture, whose three colours are equal, gives the same in both.

    Colour kernels are summed for a grey model; a grey kernel sees the mean of the colours.
    """
    first = first_convolution(model)
    theirs = weights.tensors.get(first)
    if theirs is None or theirs.ndim != 4:
        return
    channels = (theirs.shape[1], state[first].shape[1])
    if channels == (3, 1):
        weights.tensors[first] = theirs.sum(dim=1, keepdim=True)
        weights.fitted[first] = "colours summed for grey pictures"
    elif channels == (1, 3):
        weights.tensors[first] = theirs.expand(-1, 3, -1, -1) / 3
        weights.fitted[first] = "grey spread over three colours"
    else:
        return
    for name in ("mean", "std"):
        if name in weights.tensors:
            weights.tensors[name] = weights.tensors[name].mean().expand(channels[1]).clone()


def _adapt_auxiliary(model: Classifier, weights: Translated) -> None:
    """Auxiliary heads are part of training only: the model or the file may be without."""
    for path in model.auxiliary:
        part = getattr(model, path)
        if part is None:
            weights.drop(path, "of an auxiliary head, which this model is built without")
        elif not any(name.startswith(f"{path}.") for name in weights.tensors):
            for inner, layer in part.named_modules():
                if any(True for _ in layer.parameters(recurse=False)):
                    weights.fresh[f"{path}.{inner}"] = "the file has no auxiliary head"


def _adapt_pre_logits(model: Classifier, weights: Translated) -> None:
    """A transformer's layer before its classes belongs to the training on many of them: the model may be without."""
    if getattr(model, "pre_logits", None) is None:
        reason = "before the classes of its own training; --model-options representation_size=N has it"
        weights.drop("pre_logits", reason)


def _adapt_kept(model: Classifier, weights: Translated) -> None:
    """The layer for the weights' own classes stays where the head goes on from what they say."""
    path = kept_outputs(model)
    stood = path.rpartition(".")[0]
    for variable in ("weight", "bias") if path else ():
        if f"{stood}.{variable}" in weights.tensors:
            weights.tensors[f"{path}.{variable}"] = weights.tensors.pop(f"{stood}.{variable}")


def _adapt_hidden(model: Classifier, weights: Translated) -> None:
    """Hidden layers before the classes are new, unless the file has the same ones; so is a head without them."""
    path = model.main_head()
    own = {f"{path}.{name}": value.shape for name, value in model.get_submodule(path).state_dict().items()}
    theirs = {name: value.shape for name, value in weights.tensors.items() if name.startswith(f"{path}.")}
    classes = [f"{layer}.{variable}" for layer in model.head_layers() for variable in ("weight", "bias")]
    fits = all(name in own and (name in classes or own[name] == shape) for name, shape in theirs.items())
    if fits and (theirs or not hidden_paths(model)):
        return
    weights.drop(path, "of a head with other layers than this model's")
    for inner, layer in model.get_submodule(path).named_modules():
        if isinstance(layer, nn.Linear):
            weights.fresh[f"{path}.{inner}".rstrip(".")] = "the file has no such head"


def _adapt_head(model: Classifier, weights: Translated, state: dict[str, torch.Tensor]) -> None:
    """The layers that give logits stay new where the file's are absent or for other classes."""
    for path in model.head_layers():
        if path in weights.fresh:
            continue
        theirs = weights.tensors.get(f"{path}.weight")
        classes = len(state[f"{path}.weight"])
        if theirs is None:
            weights.fresh[path] = f"the file has no head; this one is for {classes} classes"
        elif theirs.shape[:1] != (classes,) and theirs.shape[1:] == state[f"{path}.weight"].shape[1:]:
            weights.fresh[path] = f"the file's head has {theirs.shape[0]} classes, this one has {classes}"
        else:
            continue
        for name in (f"{path}.weight", f"{path}.bias"):
            weights.tensors.pop(name, None)
