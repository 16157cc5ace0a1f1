"""VGG: Simonyan, Zisserman 2014, "Very deep convolutional networks for large-scale image recognition".

    five stages of 3x3 convolutions, each ended by a 2x2 max pool -> dense 4096 -> dense 4096 -> classes

What it introduced: nothing but 3x3 convolutions, in depth. Two of them see 5x5 with fewer weights and one more ReLU.
The order of `convs` is torchvision's `features`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .convolution import Conv2d
from .entry import Elsewhere, Entry, Rule, torchvision_file
from .initialisation import fan_out_initialise, he_initialise, xavier_initialise
from .layers import make_lrn

GRID = 7  # side of the last feature map at 224 px; other sizes are averaged to it
HIDDEN = 4096

Stages = tuple[tuple[int, int], ...]  # (convolutions, channels) of each stage

FirstWeights = Literal["glorot", "fan_out"]  # the second as Keras exercises have it, where it trains from nothing

# Table 1 of the paper, columns A, B, D and E; A-LRN and C are rows of VARIANTS.
SIZES: dict[str, Stages] = {
    "vgg11": ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)),
    "vgg13": ((2, 64), (2, 128), (2, 256), (2, 512), (2, 512)),
    "vgg16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "vgg19": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}

# The other two columns: A with local response normalization behind its first convolution, and D with 1x1 for the last
# convolution of the last three stages.
VARIANTS: dict[str, dict[str, object]] = {
    "vgg11_lrn": {"stages": SIZES["vgg11"], "lrn": True, "pointwise": 0},
    "vgg16_c": {"stages": SIZES["vgg16"], "lrn": False, "pointwise": 3},
}


class VGG(Classifier):
    """Stages of (convolutions, channels), then the three dense layers.

    The last `pointwise` stages end with a 1x1 convolution, and `lrn` adds local response normalization behind the first
    convolution, as in AlexNet. Dropout stands after each hidden dense layer, as in torchvision; with `dropout_first`
    before each, as in Keras exercises on flowers: between the flattened map and the first, between the two, and none
    before the classes.
    """

    def __init__(
        self, num_classes: int, in_channels: int, *, stages: Stages = SIZES["vgg11"], batch_norm: bool = False,
        lrn: bool = False, pointwise: int = 0, dropout: float = 0.5, dropout_first: bool = False,
        first_weights: FirstWeights = "glorot",
    ) -> None:  # fmt: skip
        super().__init__(num_classes, in_channels)
        layers: list[nn.Module] = []
        previous = in_channels
        for stage, (convolutions, channels) in enumerate(stages):
            for place in range(convolutions):
                kernel = 1 if place == convolutions - 1 and stage >= len(stages) - pointwise else 3
                layers.append(Conv2d(previous, channels, kernel_size=kernel, padding=kernel // 2))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(channels))
                layers.append(nn.ReLU(inplace=True))
                if lrn and stage == place == 0:
                    layers.append(make_lrn())
                previous = channels
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        self.convs = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(GRID)
        self.flattened = {"classifier.0": previous}
        self.dropout = nn.Dropout(dropout if dropout_first else 0.0)
        self.classifier = nn.Sequential(
            nn.Linear(previous * GRID * GRID, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(HIDDEN, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(0.0 if dropout_first else dropout),
            classifier_layer(HIDDEN, num_classes),
        )  # fmt: skip
        if batch_norm:
            he_initialise(self)
        elif first_weights == "fan_out":
            fan_out_initialise(self)
        else:
            xavier_initialise(self)  # section 3.1: with it the deep ones need no weights of a shallower one
        self.set_normalization(*NORMALIZATIONS["imagenet"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 512, H / 32, W / 32)."""
        return self.convs(images)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 512, 7, 7) -> (N, 25088) -> (N, 4096) -> (N, 4096) -> (N, num_classes)."""
        return self.classifier(self.dropout(self.avgpool(features).flatten(1)))


_PAPER = "Simonyan, Zisserman 2014, Very deep convolutional networks for large-scale image recognition"

_PUBLISHED = {
    "vgg11": torchvision_file("vgg11-8a719046.pth", 69.020),
    "vgg13": torchvision_file("vgg13-19584684.pth", 69.928),
    "vgg16": torchvision_file("vgg16-397923af.pth", 71.592),
    "vgg19": torchvision_file("vgg19-dcbb9e9d.pth", 72.376),
    "vgg11_bn": torchvision_file("vgg11_bn-6002323d.pth", 70.370),
    "vgg13_bn": torchvision_file("vgg13_bn-abd245e5.pth", 71.586),
    "vgg16_bn": torchvision_file("vgg16_bn-6c64b313.pth", 73.360),
    "vgg19_bn": torchvision_file("vgg19_bn-c79401a0.pth", 74.218),
}

_TORCHVISION = Elsewhere((Rule(r"features\.(.+)", r"convs.\1"),))  # a module there; a method of the contract here


def _keras(stages: Stages) -> Elsewhere:
    """Keras numbers stages and the convolutions in them from 1; here each has a ReLU behind it, a stage a pool."""
    rules = [Rule("fc1", "classifier.0"), Rule("fc2", "classifier.3"), Rule("predictions", "classifier.6")]
    place = 0
    for stage, (convolutions, _) in enumerate(stages, start=1):
        rules += [Rule(f"block{stage}_conv{i + 1}", f"convs.{place + 2 * i}") for i in range(convolutions)]
        place += 2 * convolutions + 1
    return Elsewhere(tuple(rules), normalization="caffe")


# No options: first weights where batch norm, whose first weights are He's, may be; what VARIANTS alone have.
_HE: dict[str, object] = {"first_weights": "glorot"}
_PLAIN: dict[str, object] = {"lrn": False, "pointwise": 0}
_KERAS = {name: _keras(SIZES[name]) for name in ("vgg16", "vgg19")}


def _entry(name: str, *, batch_norm: bool) -> Entry:
    full_name = f"{name}_bn" if batch_norm else name
    row = {"stages": SIZES[name], "batch_norm": batch_norm} | _PLAIN | (_HE if batch_norm else {})
    return Entry(
        VGG, "vgg", 2014, _PAPER, size=224, row=row, published=_PUBLISHED[full_name],
        elsewhere={"torchvision": _TORCHVISION, **({"keras": _KERAS[full_name]} if full_name in _KERAS else {})},
    )  # fmt: skip


ENTRIES = {
    "vgg": Entry(VGG, "vgg", 2014, _PAPER, size=224, row=_HE | _PLAIN, elsewhere={"torchvision": _TORCHVISION}),
    **{name: _entry(name, batch_norm=False) for name in SIZES},
    **{
        name: Entry(VGG, "vgg", 2014, _PAPER, size=224, row=row | {"batch_norm": False})
        for name, row in VARIANTS.items()
    },
    **{f"{name}_bn": _entry(name, batch_norm=True) for name in SIZES},
}
