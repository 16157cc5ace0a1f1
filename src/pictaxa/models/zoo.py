"""The zoo: every architecture by name, with what a training needs to know of it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch

from ..errors import ModelError, close_matches
from ..system.device import lay_out
from . import (
    alexnet,
    efficientnet_lite,
    googlenet,
    inception,
    mobilenet,
    plain,
    resnet,
    resnet_cifar,
    resnet_lite,
    resnet_v2,
    vgg,
    vit,
)
from .contract import Classifier
from .heads import add_hidden, merge_rows, parse_groups

TIMM = "timm/"  # names that begin so are timm's


@dataclass(frozen=True)
class Entry:
    """How to build an architecture, and which pictures it takes.

    Example:
        entry = find_entry("resnet18")
        model = entry.build(5, entry.channels)  # 5 classes; create_model checks its arguments too
    """

    build: Callable[..., Classifier]
    family: str
    year: int
    paper: str
    size: int  # its usual input, in pixels
    channels: int = 3  # of its usual input
    min_size: int = 32
    multiple: int = 1  # sides must be multiples of it
    fixed_sizes: tuple[int, ...] = ()  # the only inputs it takes; () for any from min_size on
    size_option: bool = False  # whether it is built for one input size, its option `size`

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The options other than classes and channels, by name: the builder's keyword-only arguments."""
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}

    @property
    def option_types(self) -> dict[str, Any]:
        """The type of each option, by name."""
        described = self.build.__init__ if inspect.isclass(self.build) else self.build
        hints = get_type_hints(described)
        return {name: hints[name] for name in self.options}

    @property
    def any_size(self) -> bool:
        """Whether one model takes pictures of several sizes, multiples of 32 among them."""
        return not self.fixed_sizes and not self.size_option and 32 % self.multiple == 0


_LENET = "LeCun et al. 1998, Gradient-based learning applied to document recognition"
_ALEXNET = "Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks"
_VGG = "Simonyan, Zisserman 2014, Very deep convolutional networks for large-scale image recognition"
_GOOGLENET = "Szegedy et al. 2014, Going deeper with convolutions"
_BN = "Ioffe, Szegedy 2015, Batch normalization"
_INCEPTION_V3 = "Szegedy et al. 2015, Rethinking the Inception architecture"
_RESNET = "He et al. 2015, Deep residual learning for image recognition"
_RESNET_V2 = "He et al. 2016, Identity mappings in deep residual networks"
_RESNEXT = "Xie et al. 2016, Aggregated residual transformations"
_MOBILENET_V1 = "Howard et al. 2017, MobileNets"
_MOBILENET_V2 = "Sandler et al. 2018, Inverted residuals and linear bottlenecks"
_MOBILENET_V3 = "Howard et al. 2019, Searching for MobileNetV3"
_EFFICIENTNET = "Tan, Le 2019, EfficientNet: Rethinking model scaling; without squeeze-and-excitation: Liu 2020"
_VIT = "Dosovitskiy et al. 2020, An image is worth 16x16 words"


def _resnet(name: str, *, year: int = 2015, paper: str = _RESNET) -> Entry:
    return Entry(resnet.builder(name), family="resnet", year=year, paper=paper, size=224)


def _cifar(name: str, *, year: int, paper: str) -> Entry:
    return Entry(resnet_cifar.builder(name), "resnet_cifar", year, paper, size=32, min_size=8)


def _vgg(name: str, *, batch_norm: bool) -> Entry:
    return Entry(vgg.builder(name, batch_norm=batch_norm), "vgg", 2014, _VGG, size=224)


def _efficientnet_lite(name: str) -> Entry:
    size = efficientnet_lite.SIZES[name].pixels
    return Entry(efficientnet_lite.builder(name), "efficientnet_lite", 2020, _EFFICIENTNET, size=size)


def _vit(name: str, *, multiple: int) -> Entry:
    return Entry(vit.builder(name), "vit", 2020, _VIT, size=224, min_size=multiple, multiple=multiple)


ZOO: dict[str, Entry] = {
    "resnet_lite": Entry(
        resnet_lite.ResNetLite, "resnet_lite", 2026, "ours, for training from scratch on a CPU", size=128
    ),
    "simple_cnn": Entry(
        plain.SimpleCNN, "plain", 2019, "TensorFlow's quick-start for experts", size=28, channels=1, min_size=3,
        size_option=True,
    ),
    "lenet5": Entry(
        plain.LeNet5, "plain", 1998, _LENET, size=32, channels=1, min_size=28, fixed_sizes=(28, 32)
    ),
    "alexnet": Entry(alexnet.builder("alexnet"), "alexnet", 2012, _ALEXNET, size=227, min_size=67),
    "alexnet_half": Entry(alexnet.builder("alexnet_half"), "alexnet", 2012, _ALEXNET, size=224, min_size=64),
    "alexnet_half_slim": Entry(
        alexnet.builder("alexnet_half_slim"), "alexnet", 2012, _ALEXNET, size=224, min_size=64
    ),
    "alexnet_owt": Entry(
        alexnet.builder("alexnet_owt"), "alexnet", 2014, "Krizhevsky 2014, One weird trick", size=224, min_size=63
    ),
    "vgg": Entry(vgg.from_stages, "vgg", 2014, _VGG, size=224),
    "vgg11": _vgg("vgg11", batch_norm=False),
    "vgg13": _vgg("vgg13", batch_norm=False),
    "vgg16": _vgg("vgg16", batch_norm=False),
    "vgg19": _vgg("vgg19", batch_norm=False),
    "vgg11_bn": _vgg("vgg11", batch_norm=True),
    "vgg13_bn": _vgg("vgg13", batch_norm=True),
    "vgg16_bn": _vgg("vgg16", batch_norm=True),
    "vgg19_bn": _vgg("vgg19", batch_norm=True),
    "googlenet": Entry(googlenet.googlenet, "googlenet", 2014, _GOOGLENET, size=224),
    "googlenet_bn": Entry(googlenet.googlenet_bn, "googlenet", 2014, _GOOGLENET, size=224),
    "inception_v2": Entry(inception.InceptionV2, "inception", 2015, _BN, size=224),
    "inception_v3": Entry(inception.InceptionV3, "inception", 2015, _INCEPTION_V3, size=299, min_size=75),
    "resnet18": _resnet("resnet18"),
    "resnet34": _resnet("resnet34"),
    "resnet50": _resnet("resnet50"),
    "resnet101": _resnet("resnet101"),
    "resnet152": _resnet("resnet152"),
    "resnet50_v1": _resnet("resnet50_v1"),
    "resnet101_v1": _resnet("resnet101_v1"),
    "resnet152_v1": _resnet("resnet152_v1"),
    "resnet50_course": Entry(
        resnet.course_builder("resnet50_course", native_size=64), "resnet", 2015, _RESNET, size=64, min_size=37,
        size_option=True,
    ),
    "resnet50_course_leaky": Entry(
        resnet.course_builder("resnet50_course_leaky", native_size=128), "resnet", 2015, _RESNET, size=128,
        size_option=True,
    ),
    "resnet18_textbook": Entry(resnet.textbook, "resnet", 2015, _RESNET, size=224, channels=1),
    "resnext50_32x4d": _resnet("resnext50_32x4d", year=2016, paper=_RESNEXT),
    "resnext101_32x8d": _resnet("resnext101_32x8d", year=2016, paper=_RESNEXT),
    "resnext101_64x4d": _resnet("resnext101_64x4d", year=2016, paper=_RESNEXT),
    "resnet50v2": Entry(resnet_v2.builder("resnet50v2"), "resnet_v2", 2016, _RESNET_V2, size=224),
    "resnet101v2": Entry(resnet_v2.builder("resnet101v2"), "resnet_v2", 2016, _RESNET_V2, size=224),
    "resnet152v2": Entry(resnet_v2.builder("resnet152v2"), "resnet_v2", 2016, _RESNET_V2, size=224),
    "cifar_resnet20": _cifar("cifar_resnet20", year=2015, paper=_RESNET),
    "cifar_resnet32": _cifar("cifar_resnet32", year=2015, paper=_RESNET),
    "cifar_resnet44": _cifar("cifar_resnet44", year=2015, paper=_RESNET),
    "cifar_resnet56": _cifar("cifar_resnet56", year=2015, paper=_RESNET),
    "cifar_resnet110": _cifar("cifar_resnet110", year=2015, paper=_RESNET),
    "cifar_resnet1202": _cifar("cifar_resnet1202", year=2015, paper=_RESNET),
    "cifar_preresnet110": _cifar("cifar_preresnet110", year=2016, paper=_RESNET_V2),
    "cifar_preresnet164": _cifar("cifar_preresnet164", year=2016, paper=_RESNET_V2),
    "cifar_preresnet1001": _cifar("cifar_preresnet1001", year=2016, paper=_RESNET_V2),
    "mobilenet_v1": Entry(mobilenet.MobileNetV1, "mobilenet", 2017, _MOBILENET_V1, size=224),
    "mobilenet_v2": Entry(mobilenet.MobileNetV2, "mobilenet", 2018, _MOBILENET_V2, size=224),
    "mobilenet_v3_small": Entry(
        mobilenet.v3_builder("mobilenet_v3_small"), "mobilenet", 2019, _MOBILENET_V3, size=224
    ),
    "mobilenet_v3_large": Entry(
        mobilenet.v3_builder("mobilenet_v3_large"), "mobilenet", 2019, _MOBILENET_V3, size=224
    ),
    **{name: _efficientnet_lite(name) for name in efficientnet_lite.SIZES},
    "vit_b_16": _vit("vit_b_16", multiple=16),
    "vit_b_32": _vit("vit_b_32", multiple=32),
    "vit_l_16": _vit("vit_l_16", multiple=16),
    "vit_l_32": _vit("vit_l_32", multiple=32),
    "vit_h_14": _vit("vit_h_14", multiple=14),
    "vit_r50_b_16": _vit("vit_r50_b_16", multiple=16),
    "vit_r50_l_32": _vit("vit_r50_l_32", multiple=32),
}  # fmt: skip


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

        return Entry(
            timm_models.builder(name.removeprefix(TIMM)),
            **timm_models.described(name.removeprefix(TIMM)),
        )
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
