"""Hidden layers between a body and its classes, for any entry: `head="1024,dropout:0.5"`."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .layers import Classifier, ClassifierLayer
from .watching import Watch


class HiddenHead(nn.Sequential):
    """(N, width) -> dense layers with ReLU, and dropout -> (N, classes)."""


def deepen(model: Classifier, words: str) -> None:
    """Put hidden layers in front of a model's last one; ModelError on words that are none, or without classes.

    The words are widths of dense layers and `dropout:RATE`, in their order from the body on.
    """
    path = model.main_head()
    last = model.get_submodule(path)
    if not isinstance(last, ClassifierLayer):
        raise ModelError("classes behind the hidden layers", found=f"{model.entry} without", fix="Leave head out.")
    parts: list[nn.Module] = []
    width = last.in_features
    for word in words.split(","):
        kind, _, rate = word.strip().partition(":")
        if kind.isdecimal() and not rate and int(kind) > 0:
            parts += [nn.Linear(width, int(kind)), nn.ReLU(inplace=True)]
            width = int(kind)
        elif kind == "dropout" and _is_rate(rate):
            parts.append(nn.Dropout(float(rate)))
        else:
            raise ModelError("widths and dropout:RATE below 1", found=repr(words), fix="Write head=1024,dropout:0.5.")
    parts.append(ClassifierLayer(width, last.out_features))
    model.set_submodule(path, HiddenHead(*parts))


def _is_rate(text: str) -> bool:
    try:
        return 0 <= float(text) < 1
    except ValueError:
        return False


def has_hidden_layers(model: Classifier) -> bool:
    """Whether `deepen` was called for it."""
    return any(isinstance(part, HiddenHead) for part in model.modules())


def first_layer(head: nn.Module) -> nn.Linear:
    """The dense layer of a head that takes what the body gives."""
    layers = [part for part in head.modules() if isinstance(part, nn.Linear)]
    return layers[0]


def dropout_before(model: Classifier, *, size: int) -> float:
    """The rate of the dropout that the head's input comes out of; 0 where it comes from elsewhere.

    `size` is a side, in pixels, that the model takes.
    """
    weight = first_layer(model.get_submodule(model.main_head())).weight
    was_training = model.training
    with torch.no_grad(), _LastDropout(weight) as seen:
        model.eval()(torch.zeros(1, model.in_channels, size, size, device=weight.device))
    model.train(was_training)
    return seen.rate


class _LastDropout(Watch):
    """Notes each dropout's rate by its result, until a dense layer with this weight takes one."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = weight
        self.rate = 0.0
        self.results: list[tuple[torch.Tensor, float]] = []

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        if func is F.dropout:
            self.results.append((out, kwargs["p"]))
        elif func is F.linear and args[1] is self.weight:
            self.rate = sum(rate for result, rate in self.results if result is args[0])
