"""EfficientNet-Lite 0 to 4: one small network, scaled evenly in depth, width and resolution, for devices without a GPU.

Tan & Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks": a network found by search
    (table 1), whose depth, width and input size grow together.
Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite" (TensorFlow's blog, March 2020): the same without
    squeeze-and-excitation, with ReLU6 for swish, and with stem, head, first and last stage left unscaled, so that it
    runs well in 8 bits and on any processor.

Its block is MobileNet v3's. Padding is TensorFlow's, batch norm's epsilon 1e-3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from .contract import LITE_MEAN, LITE_STD, Classifier, classifier_layer
from .initialisation import fan_out_initialise
from .layers import make_divisible
from .mobilenet import ConvNormAct, Norm, Row, V3Block


class Stage(NamedTuple):
    """Blocks of one width: a row of table 1 of the paper."""

    kernel: int
    expansion: int
    channels: int
    blocks: int
    stride: int  # of the first block


STAGES = (
    Stage(3, 1, 16, 1, 1),
    Stage(3, 6, 24, 2, 2),
    Stage(5, 6, 40, 2, 2),
    Stage(3, 6, 80, 3, 2),
    Stage(5, 6, 112, 3, 1),
    Stage(5, 6, 192, 4, 2),
    Stage(3, 6, 320, 1, 1),
)
STEM, LAST = 32, 1280  # channels, in every size


class Size(NamedTuple):
    """How much wider and deeper than size 0, and what pictures it is for."""

    width: float
    depth: float
    pixels: int
    dropout: float


# Width, depth and dropout as the announcement's code has them (tensorflow/tpu, efficientnet/lite). It gives 280 and 300
# pixels for sizes 3 and 4; here they have timm's 300 and 380, as timm's networks and weights are what proves these.
SIZES = {
    "efficientnet_lite0": Size(1.0, 1.0, 224, 0.2),
    "efficientnet_lite1": Size(1.0, 1.1, 240, 0.2),
    "efficientnet_lite2": Size(1.1, 1.2, 260, 0.3),
    "efficientnet_lite3": Size(1.2, 1.4, 300, 0.3),
    "efficientnet_lite4": Size(1.4, 1.8, 380, 0.3),
}


def stages_of(size: Size) -> list[list[tuple[int, Row]]]:
    """The blocks of each stage, (channels before it, the block); the first and last stage are not deepened."""
    stages: list[list[tuple[int, Row]]] = []
    channels = STEM
    for i, stage in enumerate(STAGES):
        scaled = make_divisible(stage.channels * size.width)
        count = stage.blocks if i in (0, len(STAGES) - 1) else _deepened(stage.blocks, size.depth)
        stages.append([])
        for number in range(count):
            wide, stride = channels * stage.expansion, stage.stride if number == 0 else 1
            row = Row(stage.kernel, wide, scaled, squeeze=False, activation="relu6", stride=stride)
            stages[-1].append((channels, row))
            channels = scaled
    return stages


def _deepened(blocks: int, depth: float) -> int:
    """More blocks, rounded up; in tenths, as 3 * 1.1 is a little more than 3.3 in floating point."""
    return -(-blocks * round(10 * depth) // 10)


class EfficientNetLite(Classifier):
    """3x3/2, seven stages of inverted residuals, 1x1 to 1280, average, dropout, dense."""

    def __init__(self, num_classes: int, in_channels: int, *, size: Size, dropout: float) -> None:
        super().__init__(num_classes, in_channels)
        norm = Norm(epsilon=1e-3, momentum=0.01, padding="same")
        layers: list[nn.Module] = [ConvNormAct(in_channels, STEM, kernel=3, stride=2, norm=norm)]
        blocks = [block for stage in stages_of(size) for block in stage]
        layers += [V3Block(channels, row, norm=norm) for channels, row in blocks]
        layers.append(ConvNormAct(blocks[-1][1].channels, LAST, kernel=1, norm=norm))
        self.convs = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = classifier_layer(LAST, num_classes)
        fan_out_initialise(self)
        self.set_normalization(LITE_MEAN, LITE_STD)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1280, ceil(H / 32), ceil(W / 32))."""
        maps: torch.Tensor = self.convs(images)
        return maps

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1280, h, w) -> (N, 1280) -> (N, num_classes)."""
        logits: torch.Tensor = self.classifier(self.dropout(features.mean(dim=(2, 3))))
        return logits


def builder(name: str) -> Callable[..., EfficientNetLite]:
    """The constructor of a row of SIZES."""
    size = SIZES[name]

    def build(num_classes: int, in_channels: int, *, dropout: float = size.dropout) -> EfficientNetLite:
        return EfficientNetLite(num_classes, in_channels, size=size, dropout=dropout)

    return build
