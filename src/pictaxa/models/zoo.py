"""The zoo: every architecture by name, with what a training needs to know of it."""

from __future__ import annotations

import ast
from typing import Any, Literal, get_args, get_origin

import torch

from ..errors import ModelError, close_matches
from ..system.device import lay_out
from . import (
    alexnet,
    efficientnet_lite,
    googlenet,
    inception,
    mobilenet,
    mobilenet_v3,
    plain,
    resnet,
    resnet_cifar,
    resnet_lite,
    resnet_v2,
    vgg,
    vit,
)
from .contract import Classifier
from .entry import Entry
from .heads import add_hidden, merge_rows, parse_groups

TIMM = "timm/"  # names that begin so are timm's


# In the order in which `pictaxa models` lists them.
ZOO: dict[str, Entry] = {
    **resnet_lite.ENTRIES,
    **plain.ENTRIES,
    **alexnet.ENTRIES,
    **vgg.ENTRIES,
    **googlenet.ENTRIES,
    **inception.ENTRIES,
    **resnet.ENTRIES,
    **resnet_v2.ENTRIES,
    **resnet_cifar.ENTRIES,
    **mobilenet.ENTRIES,
    **mobilenet_v3.ENTRIES,
    **efficientnet_lite.ENTRIES,
    **vit.ENTRIES,
}


def find_entry(name: str) -> Entry:
    """Find an entry of the zoo by its name.

    Args:
        name: a name of ZOO, or `timm/NAME` for any model of timm.

    Returns:
        The Entry; that of a timm model is made from timm's own record of it.

    Raises:
        ModelError: the name is unknown; the message has close matches.
        MissingExtraError: a model of timm, without the `timm` extra.

    Example:
        find_entry("inception_v3").size  # 299
    """
    if name.startswith(TIMM):
        from . import timm_models  # loaded only for this

        return timm_models.find_entry(name.removeprefix(TIMM))
    if name not in ZOO:
        raise ModelError("the name of a model", found=repr(name), fix=close_matches(name, ZOO))
    return ZOO[name]


def create_model(
    name: str, num_classes: int = 1000, *, in_channels: int = 3, head: str = "", merged: str = "", **options: object
) -> Classifier:
    """Build an entry of the zoo with fresh weights.

    Args:
        name: a name of ZOO, or `timm/NAME` for any model of timm.
        num_classes: number of classes, 0 or more; 0 leaves out the last layer and gives the vectors that it would take.
        in_channels: 3 for RGB, 1 for grey.
        head: hidden layers before the classes, such as "1024,dropout:0.5" (`heads.add_hidden`); "" for none.
        merged: the class of each row of the last layer, such as "0,1,1", where a class has several rows
            (`heads.merge_rows`); "" for one row per class.
        **options: the entry's own options, as its class documents them, such as dropout=0.3.

    Returns:
        A Classifier in training mode: (N, in_channels, H, W) float32 in [0, 1] -> (N, num_classes) float32 logits.

    Raises:
        ModelError: the name, an option or a choice is unknown, a count is out of its range, or `head` or `merged` is
            malformed.
        MissingExtraError: a model of timm, without the `timm` extra.

    Example:
        model = pictaxa.create_model("resnet18", 5).eval()
        logits = model(torch.rand(2, 3, 224, 224))  # (2, 5)
    """
    entry = find_entry(name)
    if num_classes < 0:
        raise ModelError(
            "num_classes of 0 or more",
            found=str(num_classes),
            fix="Use the number of classes, or 0 for a backbone without a head.",
        )
    if in_channels not in (1, 3):
        raise ModelError(
            "in_channels 1 (grey) or 3 (RGB)", found=str(in_channels), fix="Convert the pictures to grey or RGB."
        )
    for word, value in options.items():
        choices = get_args(_option_type(name, word)) if get_origin(_option_type(name, word)) is Literal else ()
        if choices and value not in choices:
            raise ModelError(f"{word}= one of its choices", found=repr(value), fix=close_matches(str(value), choices))
    rows = len(parse_groups(merged)) if merged else num_classes
    if merged and max(parse_groups(merged)) + 1 != num_classes:
        raise ModelError(
            f"{num_classes} classes in merged=", found=merged, fix="Give the class of each row, counted from 0."
        )
    model = entry.build(rows, in_channels, **options)
    model.entry, model.options, model.min_size = name, options, entry.min_size
    if head:
        add_hidden(model, head)
    if merged:
        merge_rows(model, merged)
    # So that the maps lie channels last from the first convolution on: CPUs are faster then, in float32 too.
    return lay_out(model, torch.channels_last)


def _option_type(name: str, word: str) -> Any:
    known = {**find_entry(name).option_types, "head": str, "merged": str}
    if word not in known:
        raise ModelError(f"an option of {name}", found=repr(word), fix=close_matches(word, known))
    return known[word]


def parse_options(name: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Turn options written as words into an entry's keyword arguments, each of the option's type.

    Args:
        name: name of the entry.
        words: an `option=value` each. Booleans are true or false, tuples are written as in Python.

    Returns:
        Keyword arguments for `create_model`.

    Raises:
        ModelError: an option is unknown, or a value is not of its type. `create_model` checks choices.

    Example:
        parse_options("mobilenet_v2", ("width=0.5", "dropout=0"))  # {"width": 0.5, "dropout": 0.0}
    """
    entry = find_entry(name)
    options: dict[str, Any] = {}
    for word in words:
        key, _, text = word.partition("=")
        kind = _option_type(name, key)
        kind_name = getattr(kind, "__name__", str(kind))
        try:
            if kind is bool:
                options[key] = {"true": True, "false": False}[text.lower()]
            elif kind in (int, float, str):
                options[key] = kind(text)
            elif get_origin(kind) is Literal:
                options[key] = text  # create_model knows the choices
            else:
                options[key] = ast.literal_eval(text)
                if not isinstance(options[key], tuple):
                    raise ValueError(text)
        except (ValueError, KeyError, SyntaxError):
            raise ModelError(
                f"{key}= a {kind_name}", found=repr(word), fix=f"Its default is {entry.options[key].default!r}."
            ) from None
    return options


def check_size(name: str, size: int) -> None:
    """Check that an entry takes pictures of a size.

    Args:
        name: name of the entry.
        size: side of the pictures, pixels.

    Raises:
        ModelError: the size is too small, not a multiple of the entry's patch, or not one of the few that it takes.

    Example:
        check_size("vit_b_16", 224)
    """
    entry = find_entry(name)
    if entry.fixed_sizes and size not in entry.fixed_sizes:
        sizes = " or ".join(map(str, entry.fixed_sizes))
        raise ModelError(
            f"pictures of {sizes} pixels for {name}", found=str(size), fix=f"Use --size {entry.fixed_sizes[-1]}."
        )
    if size < entry.min_size:
        raise ModelError(
            f"pictures of at least {entry.min_size} pixels for {name}",
            found=str(size),
            fix=f"Use --size {entry.min_size} or more.",
        )
    if size % entry.multiple:
        raise ModelError(
            f"a multiple of {entry.multiple} pixels for {name}",
            found=str(size),
            fix=f"Use --size {max(1, round(size / entry.multiple)) * entry.multiple}.",
        )
