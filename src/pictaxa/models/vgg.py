"""VGG: Simonyan, Zisserman 2014, "Very deep convolutional networks for large-scale image recognition".

    five stages of 3x3 convolutions, each ended by a 2x2 max pool -> dense 4096 -> dense 4096 -> classes

What it introduced: nothing but 3x3 convolutions, in depth. Two of them see 5x5 with fewer weights and one more ReLU.
The order of `convs` is torchvision's `features`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from .contract import IMAGENET_MEAN, IMAGENET_STD, Classifier, classifier_layer
from .convolution import Conv2d
from .initialisation import fan_out_initialise, he_initialise, xavier_initialise

GRID = 7  # side of the last feature map at 224 px; other sizes are averaged to it
HIDDEN = 4096

Stages = tuple[tuple[int, int], ...]  # (convolutions, channels) of each stage

FirstWeights = Literal["glorot", "fan_out"]  # the second as Keras exercises have it, where it trains from nothing

# Table 1 of the paper, columns A, B, D and E.
SIZES: dict[str, Stages] = {
    "vgg11": ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)),
    "vgg13": ((2, 64), (2, 128), (2, 256), (2, 512), (2, 512)),
    "vgg16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "vgg19": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}


class VGG(Classifier):
    """Stages of (convolutions, channels), then the three dense layers."""

    def __init__(
        self, num_classes: int, in_channels: int, *, stages: Stages, batch_norm: bool = False, dropout: float = 0.5,
        first_weights: FirstWeights = "glorot",
    ) -> None:  # fmt: skip
        super().__init__(num_classes, in_channels)
        layers: list[nn.Module] = []
        previous = in_channels
        for convolutions, channels in stages:
            for _ in range(convolutions):
                layers.append(Conv2d(previous, channels, kernel_size=3, padding=1))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(channels))
                layers.append(nn.ReLU(inplace=True))
                previous = channels
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        self.convs = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(GRID)
        self.classifier = nn.Sequential(
            nn.Linear(previous * GRID * GRID, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(HIDDEN, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout),
            classifier_layer(HIDDEN, num_classes),
        )  # fmt: skip
        if batch_norm:
            he_initialise(self)
        elif first_weights == "fan_out":
            fan_out_initialise(self)
        else:
            xavier_initialise(self)  # section 3.1: with it the deep ones need no weights of a shallower one
        self.set_normalization(IMAGENET_MEAN, IMAGENET_STD)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 512, H / 32, W / 32)."""
        maps: torch.Tensor = self.convs(images)
        return maps

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 512, 7, 7) -> (N, 25088) -> (N, 4096) -> (N, 4096) -> (N, num_classes)."""
        logits: torch.Tensor = self.classifier(self.avgpool(features).flatten(1))
        return logits


def builder(name: str, *, batch_norm: bool) -> Callable[..., VGG]:
    """The constructor of a row of SIZES, plain or with batch norm after every convolution."""

    def build_normed(num_classes: int, in_channels: int, *, dropout: float = 0.5) -> VGG:
        return VGG(num_classes, in_channels, stages=SIZES[name], batch_norm=True, dropout=dropout)

    def build(
        num_classes: int, in_channels: int, *, dropout: float = 0.5, first_weights: FirstWeights = "glorot"
    ) -> VGG:
        return VGG(num_classes, in_channels, stages=SIZES[name], dropout=dropout, first_weights=first_weights)

    return build_normed if batch_norm else build


def from_stages(
    num_classes: int,
    in_channels: int,
    *,
    stages: Stages = SIZES["vgg11"],
    batch_norm: bool = False,
    dropout: float = 0.5,
) -> VGG:
    """A VGG of one's own from (convolutions, channels) pairs."""
    return VGG(num_classes, in_channels, stages=stages, batch_norm=batch_norm, dropout=dropout)
