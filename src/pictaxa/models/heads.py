"""What any entry may have at its end: hidden layers before its classes, the outputs that its weights were trained for
between them and the backbone, several rows of the last layer for a class.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .layers import Classifier, ClassifierLayer, StackedHead
from .watching import Watch

KEPT = "outputs"  # what the layer for the weights' own classes is called there


class HiddenHead(nn.Sequential):
    """(N, width) -> dense layers with ReLU, and dropout -> (N, classes)."""


def add_hidden(model: Classifier, words: str) -> None:
    """Put hidden layers in front of a model's last one; ModelError on words that are none, or without classes.

    The words are widths of dense layers and `dropout:RATE`, in their order from the backbone on. `outputs:N` before
    them is the layer that the weights have for their own N classes: it stays, and the head takes their probabilities.
    """
    path = model.main_head()
    last = model.get_submodule(path)
    if not isinstance(last, ClassifierLayer):
        raise ModelError("classes behind the hidden layers", found=f"{model.entry} without", fix="Leave head out.")
    kept, *hidden = (word.strip() for word in words.split(","))
    count = kept.removeprefix("outputs:")
    if count == kept or not count.isdecimal() or int(count) < 1:
        model.set_submodule(path, _hidden_head(last.in_features, [kept, *hidden], last.out_features))
        return
    outputs = nn.Linear(last.in_features, int(count))
    head = (
        _hidden_head(int(count), hidden, last.out_features)
        if hidden
        else ClassifierLayer(int(count), last.out_features)
    )
    parts = {KEPT: outputs, "probabilities": nn.Softmax(dim=1), "head": head}
    model.set_submodule(path, StackedHead(OrderedDict(parts)))


def _hidden_head(width: int, words: Sequence[str], classes: int) -> HiddenHead:
    parts: list[nn.Module] = []
    for word in words:
        kind, _, rate = word.partition(":")
        if kind.isdecimal() and not rate and int(kind) > 0:
            parts += [nn.Linear(width, int(kind)), nn.ReLU(inplace=True)]
            width = int(kind)
        elif kind == "dropout" and _is_rate(rate):
            parts.append(nn.Dropout(float(rate)))
        else:
            found = repr(",".join(words))
            raise ModelError("widths and dropout:RATE below 1", found=found, fix="Write head=1024,dropout:0.5.")
    return HiddenHead(*parts, ClassifierLayer(width, classes))


def _is_rate(text: str) -> bool:
    try:
        return 0 <= float(text) < 1
    except ValueError:
        return False


class MergedLayer(ClassifierLayer):
    """A last layer in which a class may have several rows: its probability is the sum of theirs.

    (N, width) -> rows' logits (N, rows) -> the log of the sum of the exponentials of each class's (N, classes).
    """

    def __init__(self, width: int, groups: tuple[int, ...]) -> None:
        super().__init__(width, len(groups))
        self.members = [[row for row, group in enumerate(groups) if group == place] for place in range(max(groups) + 1)]

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, width) -> (N, classes)."""
        rows = super().forward(input)
        return torch.stack([torch.logsumexp(rows[:, members], dim=1) for members in self.members], dim=1)


def parse_groups(words: str) -> tuple[int, ...]:
    """`0,1,1` is the class of each row: every class from 0 on has one or more; ModelError on other words."""
    try:
        groups = tuple(int(word) for word in words.split(","))
    except ValueError:
        groups = ()
    if not groups or set(groups) != set(range(max(groups) + 1)):
        raise ModelError("the class of each row, from 0 on", found=repr(words), fix="Write merged=0,1,1.")
    return groups


def merge_rows(model: Classifier, words: str) -> None:
    """Give a model, built with as many classes as `merged=` has rows, the classes that they are of."""
    groups = parse_groups(words)
    path = f"{model.main_head()}"
    head = model.get_submodule(path)
    if isinstance(head, HiddenHead):
        path = f"{path}.{len(head) - 1}"
    last = model.get_submodule(path)
    assert isinstance(last, ClassifierLayer) and last.out_features == len(groups), path
    model.set_submodule(path, MergedLayer(last.in_features, groups))
    model.num_classes = max(groups) + 1


def hidden_paths(model: Classifier) -> tuple[str, ...]:
    """Paths of the dense layers of a head with hidden ones, the classes' last; nothing where there is no such head."""
    heads = [(path, part) for path, part in model.named_modules() if isinstance(part, HiddenHead)]
    return tuple(
        f"{path}.{inner}" for path, head in heads for inner, part in head.named_modules() if isinstance(part, nn.Linear)
    )


def kept_outputs(model: Classifier) -> str:
    """Path of the layer for the weights' own classes where the head goes on from it, or nothing."""
    paths = [path for path, part in model.named_modules() if isinstance(part, StackedHead)]
    return f"{paths[0]}.{KEPT}" if paths else ""


def first_layer(head: nn.Module) -> nn.Linear:
    """The dense layer of a head that takes what the backbone gives."""
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
