"""The zoo: every architecture by name, with what a training needs to know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ModelError, close_matches
from . import plain, resnet, resnet_lite
from .layers import Classifier


@dataclass(frozen=True)
class Entry:
    """How to build an architecture and which pictures it takes."""

    build: Callable[..., Classifier]
    paper: str
    size: int  # its usual input, in pixels
    least_size: int = 32
    fixed_sizes: tuple[int, ...] = ()  # the only inputs it takes; () for any from least_size on
    size_option: bool = False  # whether the input size is one of its options

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """What can be set beside classes and channels: its keyword-only arguments."""
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}

    @property
    def any_size(self) -> bool:
        """Whether one model takes pictures of several sizes."""
        return not self.fixed_sizes and not self.size_option


_HE_2015 = "He et al. 2015, Deep residual learning for image recognition"

ZOO: dict[str, Entry] = {
    "resnet_lite": Entry(resnet_lite.ResNetLite, paper="ours, for training from nothing on a CPU", size=128),
    "resnet18": Entry(resnet.builder("resnet18"), paper=_HE_2015, size=224),
    "resnet50": Entry(resnet.builder("resnet50"), paper=_HE_2015, size=224),
    "simple_cnn": Entry(
        plain.SimpleCNN, paper="TensorFlow quick-start for experts", size=28, least_size=3, size_option=True
    ),
    "lenet5": Entry(
        plain.LeNet5, paper="LeCun et al. 1998, Gradient-based learning", size=32, least_size=28, fixed_sizes=(28, 32)
    ),
}


def find_entry(name: str) -> Entry:
    """An entry by name; ModelError with close matches."""
    if name not in ZOO:
        raise ModelError("the name of a model", found=repr(name), fix=close_matches(name, ZOO))
    return ZOO[name]


def create_model(name: str, num_classes: int = 1000, *, in_channels: int = 3, **options: object) -> Classifier:
    """Build an entry of the zoo with fresh weights; `options` are the entry's own, as its class documents them.

    `num_classes=0` gives pooled features instead of logits. ModelError on unknown names, options and bad counts.
    """
    entry = find_entry(name)
    if num_classes < 0:
        raise ModelError("num_classes from 0 on", found=str(num_classes), fix="Give the number of classes.")
    if in_channels not in (1, 3):
        raise ModelError("in_channels 1 (grey) or 3 (RGB)", found=str(in_channels), fix="Convert the pictures.")
    known = entry.options
    for word in options:
        if word not in known:
            fix = close_matches(word, known) if known else f"{name} has no options."
            raise ModelError(f"an option of {name}", found=repr(word), fix=fix)
    return entry.build(num_classes, in_channels, **options)


def parse_options(name: str, words: tuple[str, ...]) -> dict[str, object]:
    """`("dropout=0.3",)` to `{"dropout": 0.3}`, each value of the type of the option's default."""
    entry = find_entry(name)
    options: dict[str, object] = {}
    for word in words:
        key, _, text = word.partition("=")
        if key not in entry.options:
            fix = close_matches(key, entry.options) if entry.options else f"{name} has no options."
            raise ModelError(f"an option of {name}", found=repr(key), fix=fix)
        kind = type(entry.options[key].default)
        try:
            options[key] = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            raise ModelError(
                f"{key}= a {kind.__name__}", found=repr(word), fix=f"Its default is {entry.options[key].default!r}."
            ) from None
    return options


def check_size(name: str, size: int) -> None:
    """ModelError when an entry can't take pictures of this size."""
    entry = find_entry(name)
    if entry.fixed_sizes and size not in entry.fixed_sizes:
        sizes = " or ".join(map(str, entry.fixed_sizes))
        raise ModelError(
            f"pictures of {sizes} pixels for {name}", found=str(size), fix=f"Use --size {entry.fixed_sizes[-1]}."
        )
    if size < entry.least_size:
        raise ModelError(
            f"pictures of at least {entry.least_size} pixels for {name}",
            found=str(size),
            fix=f"Use --size {entry.least_size} or more.",
        )
