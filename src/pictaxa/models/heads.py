"""What any entry may have at its end: hidden layers before its classes, the outputs that its weights were trained for
between them and the backbone, several rows of the last layer for a class.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .contract import Classifier, ClassifierLayer, StackedHead, evaluating
from .watching import Watch

KEPT = "outputs"  # what the layer for the weights' own classes is called there


def apart(model: Classifier) -> tuple[Classifier, nn.Module]:
    """Take a model apart into its backbone and its head, so that one pass gives the vectors and the logits.

    Args:
        model: a model with classes; it stays as it is.

    Returns:
        A backbone, (N, C, H, W) -> (N, width), and a head, (N, width) -> (N, classes). They share all parameters with
        the model, and one after the other they give its logits to the last bit.

    Example:
        backbone, head = apart(create_model("resnet18", 5).eval())
        vectors = backbone(torch.rand(2, 3, 224, 224))  # (2, 512)
        logits = head(vectors)  # (2, 5)
    """
    path = model.main_head()
    return _without(model, path.split(".")), model.get_submodule(path)


def _without(part: nn.Module, names: Sequence[str]) -> Any:
    """The same part, with an Identity in the place of one within it; all others are shared."""
    if not names:
        return nn.Identity()
    shallow = copy.copy(part)
    own = dict(part._modules)  # which the copy would share
    own[names[0]] = _without(part.get_submodule(names[0]), names[1:])
    shallow._modules = own
    return shallow


class HiddenHead(nn.Sequential):
    """Hidden dense layers with ReLU, and dropout, then the classes: (N, width) -> (N, classes)."""


def add_hidden(model: Classifier, words: str) -> None:
    """Put hidden layers in front of a model's last one.

    Args:
        model: a model with classes; changed in place.
        words: the layers from the backbone on, separated by commas: widths of dense layers with ReLU, and
            `dropout:RATE` with a rate from 0 to below 1. `outputs:N` as the first keeps the layer that the weights have
            for their own N classes; what follows takes its probabilities.

    Raises:
        ModelError: a word is neither of these, or the model has no classes.

    Example:
        model = create_model("resnet18", 5)
        add_hidden(model, "1024,dropout:0.5")
    """
    path = model.main_head()
    last = model.get_submodule(path)
    if not isinstance(last, ClassifierLayer):
        raise ModelError(
            "classes after the hidden layers", found=f"{model.entry} without classes", fix="Leave the option head out."
        )
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
            raise ModelError(
                "widths, and dropout:RATE with a rate below 1",
                found=found,
                fix="For example, use head=1024,dropout:0.5.",
            )
    return HiddenHead(*parts, ClassifierLayer(width, classes))


def _is_rate(text: str) -> bool:
    try:
        return 0 <= float(text) < 1
    except ValueError:
        return False


class MergedLayer(ClassifierLayer):
    """A last layer in which a class may have several rows: its probability is the sum of theirs.

    A class's logit is the log of the sum of the exponentials of its rows' logits.

    Args:
        width: length of a feature vector.
        groups: the class of each row, from 0 on.

    Example:
        layer = MergedLayer(512, (0, 1, 1))  # three rows, two classes
        logits = layer(torch.rand(4, 512))  # (4, 2)
    """

    def __init__(self, width: int, groups: tuple[int, ...]) -> None:
        super().__init__(width, len(groups))
        self.members = [[row for row, group in enumerate(groups) if group == i] for i in range(max(groups) + 1)]

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the classes.

        Args:
            input: (N, width).

        Returns:
            (N, classes).
        """
        rows = super().forward(input)
        return torch.stack([torch.logsumexp(rows[:, members], dim=1) for members in self.members], dim=1)


def parse_groups(words: str) -> tuple[int, ...]:
    """Read which class each row of a last layer belongs to.

    Args:
        words: whole numbers separated by commas, such as "0,1,1"; every class from 0 on has a row or more.

    Returns:
        The class of each row.

    Raises:
        ModelError: the words are no numbers, or leave a class out.

    Example:
        parse_groups("0,1,1")  # (0, 1, 1)
    """
    try:
        groups = tuple(int(word) for word in words.split(","))
    except ValueError:
        groups = ()
    if not groups or set(groups) != set(range(max(groups) + 1)):
        raise ModelError(
            "the class of each row, counted from 0", found=repr(words), fix="For example, use merged=0,1,1."
        )
    return groups


def merge_rows(model: Classifier, words: str) -> None:
    """Merge the classes of a model: several rows of its last layer become one class.

    Args:
        model: a model with a class for each row; changed in place, its `num_classes` too.
        words: the class of each row, such as "0,1,1" (see `parse_groups`).

    Raises:
        ModelError: the words are no numbers, or leave a class out.

    Example:
        merge_rows(create_model("resnet18", 3), "0,1,1")  # two classes
    """
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
    """List the dense layers of a head with hidden layers.

    Args:
        model: any model.

    Returns:
        Their paths, the classes' last; empty where there is no such head.
    """
    heads = [(path, part) for path, part in model.named_modules() if isinstance(part, HiddenHead)]
    return tuple(
        f"{path}.{inner}" for path, head in heads for inner, part in head.named_modules() if isinstance(part, nn.Linear)
    )


def kept_outputs(model: Classifier) -> str:
    """Find the layer for the weights' own classes, where the head continues from it (`outputs:N`).

    Args:
        model: any model.

    Returns:
        Its path; "" where there is none.
    """
    paths = [path for path, part in model.named_modules() if isinstance(part, StackedHead)]
    return f"{paths[0]}.{KEPT}" if paths else ""


def first_layer(head: nn.Module) -> nn.Linear:
    """Find the dense layer of a head that takes the backbone's vectors.

    Args:
        head: a dense layer, or a module that has one.

    Returns:
        The layer.
    """
    layers = [part for part in head.modules() if isinstance(part, nn.Linear)]
    return layers[0]


def dropout_before(model: Classifier, *, size: int) -> float:
    """Find the rate of the dropout whose result the head takes, by a pass of one blank picture.

    Args:
        model: a model with a head, which stays as it is.
        size: a side that the model takes, pixels.

    Returns:
        The rate, from 0 to below 1; 0 where no dropout stands before the head.

    Example:
        dropout_before(create_model("mobilenet_v2", 5), size=224)  # 0.2
    """
    weight = first_layer(model.get_submodule(model.main_head())).weight
    with evaluating(model), torch.no_grad(), _LastDropout(weight) as seen:
        model(torch.zeros(1, model.in_channels, size, size, device=weight.device))
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
