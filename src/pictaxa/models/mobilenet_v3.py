"""MobileNet v3: Howard et al. 2019, "Searching for MobileNetV3".

What it adds to v2's blocks: squeeze-and-excitation, hard-swish, kernels of 5 pixels, a cheaper last stage; how wide
each block is was found by search. Names are torchvision's, but for `convs`, which is its `features`. The paper says
nothing of first weights: these are He's, as in torchvision's trainings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Published, Rule, layer_rules, torchvision_file
from .initialisation import he_initialise
from .inverted_residual import (
    TIMM_WORDS,
    TORCHVISION,
    Blocks,
    BlockWords,
    ConvNormAct,
    Layers,
    Norm,
    Row,
    block_layers,
    residual_units,
    timm_blocks,
    unit_layers,
)  # fmt: skip
from .layers import PortPadding, make_divisible


class V3Size(NamedTuple):
    """The blocks, and the widths of the last convolution and the hidden dense layer."""

    rows: tuple[Row, ...]
    last: int
    hidden: int
    stem: int = 16  # channels

    def scaled(self, width: float) -> V3Size:
        """With all channels times a width, rounded as MobileNet does; the hidden layer only grows.

        A block widens what it gets by the same factor at every width, as in Google's code, Keras and timm.
        """
        stem = before = make_divisible(self.stem * width)
        rows = []
        for full_before, row in self.blocks:
            wide = make_divisible(before * row.wide / full_before)
            before = make_divisible(row.channels * width)
            rows.append(row._replace(wide=wide, channels=before))
        hidden = make_divisible(self.hidden * max(1.0, width))
        return V3Size(tuple(rows), make_divisible(self.last * width), hidden, stem)

    @property
    def blocks(self) -> Blocks:
        """The rows, each with the channels before it."""
        return list(zip((self.stem, *(row.channels for row in self.rows)), self.rows, strict=False))


V3_SIZES = {
    "mobilenet_v3_large": V3Size(
        (
            Row(3, 16, 16, False, "relu", 1),
            Row(3, 64, 24, False, "relu", 2),
            Row(3, 72, 24, False, "relu", 1),
            Row(5, 72, 40, True, "relu", 2),
            Row(5, 120, 40, True, "relu", 1),
            Row(5, 120, 40, True, "relu", 1),
            Row(3, 240, 80, False, "hardswish", 2),
            Row(3, 200, 80, False, "hardswish", 1),
            Row(3, 184, 80, False, "hardswish", 1),
            Row(3, 184, 80, False, "hardswish", 1),
            Row(3, 480, 112, True, "hardswish", 1),
            Row(3, 672, 112, True, "hardswish", 1),
            Row(5, 672, 160, True, "hardswish", 2),
            Row(5, 960, 160, True, "hardswish", 1),
            Row(5, 960, 160, True, "hardswish", 1),
        ),
        last=960,
        hidden=1280,
    ),
    "mobilenet_v3_small": V3Size(
        (
            Row(3, 16, 16, True, "relu", 2),
            Row(3, 72, 24, False, "relu", 2),
            Row(3, 88, 24, False, "relu", 1),
            Row(5, 96, 40, True, "hardswish", 2),
            Row(5, 240, 40, True, "hardswish", 1),
            Row(5, 240, 40, True, "hardswish", 1),
            Row(5, 120, 48, True, "hardswish", 1),
            Row(5, 144, 48, True, "hardswish", 1),
            Row(5, 288, 96, True, "hardswish", 2),
            Row(5, 576, 96, True, "hardswish", 1),
            Row(5, 576, 96, True, "hardswish", 1),
        ),
        last=576,
        hidden=1024,
    ),
}


class V3Block(nn.Module):
    """An inverted residual with a kernel, an activation and squeeze-and-excitation of its own; v3's figure 4."""

    def __init__(self, in_channels: int, row: Row, *, norm: Norm) -> None:
        super().__init__()
        self.block = nn.Sequential(*residual_units(in_channels, row, norm=norm))
        self.residual = row.stride == 1 and in_channels == row.channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        out: torch.Tensor = self.block(images)
        return images + out if self.residual else out


class MobileNetV3(Classifier):
    """3x3/2, the table's blocks, 1x1, average, hidden dense layer, dense; `padding="same"` is Keras' form.

    timm's has `epsilon=1e-5`. `width` scales all channels (section 6.1.1 of the paper measures 0.35 to 1.25), but the
    hidden dense layer only where it is above 1, as in v2 and in Google's own code.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        size: V3Size,
        width: float = 1.0,
        padding: PortPadding = "symmetric",
        epsilon: float = 1e-3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(num_classes, in_channels)
        norm = Norm(epsilon, 0.01, padding)
        size = size.scaled(width)
        self.convs = nn.Sequential(
            ConvNormAct(in_channels, size.stem, kernel=3, stride=2, norm=norm, activation="hardswish"),
            *(V3Block(channels, row, norm=norm) for channels, row in size.blocks),
            ConvNormAct(size.rows[-1].channels, size.last, kernel=1, norm=norm, activation="hardswish"),
        )
        self.classifier = nn.Sequential(
            nn.Linear(size.last, size.hidden), nn.Hardswish(inplace=True), nn.Dropout(dropout),
            classifier_layer(size.hidden, num_classes),
        )  # fmt: skip
        he_initialise(self)
        self.set_normalization(*NORMALIZATIONS["imagenet"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 576 or 960, H / 32, W / 32)."""
        return self.convs(images)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 576 or 960, h, w) -> (N, 1024 or 1280) -> (N, num_classes)."""
        return self.classifier(features.mean(dim=(2, 3)))


def row_layers(words: BlockWords, places: Iterable[str], blocks: Blocks) -> Layers:
    """What a library calls the layers of all blocks, which stand at these places there: (theirs, ours)."""
    layers: Layers = []
    for number, (place, (channels, row)) in enumerate(zip(places, blocks, strict=True), start=1):
        widens = row.wide != channels
        layers += block_layers(words, place, f"convs.{number}.block", widens=widens, gates=row.squeeze)
    return layers


_KERAS_WORDS = BlockWords(
    ("expand", "expand_bn"), ("depthwise", "depthwise_bn"), ("project", "project_bn"),
    gate=("squeeze_excite_conv", "squeeze_excite_conv_1"),
)  # fmt: skip


def _entry(name: str, *, published: Published) -> Entry:
    size, end = V3_SIZES[name], f"convs.{len(V3_SIZES[name].rows) + 1}"
    *places, last = timm_blocks([*(row.channels for row in size.rows), size.last])
    timm = [
        *unit_layers("conv_stem", "bn1", "convs.0"), *row_layers(TIMM_WORDS, places, size.blocks),
        *unit_layers(f"{last}conv", f"{last}bn1", end), ("conv_head", "classifier.0"), ("classifier", "classifier.3"),
    ]  # fmt: skip
    places = ["expanded_conv_", *(f"expanded_conv_{number}_" for number in range(1, len(size.rows)))]
    keras = [
        *unit_layers("conv", "conv_bn", "convs.0"), *row_layers(_KERAS_WORDS, places, size.blocks),
        *unit_layers("conv_1", "conv_1_bn", end), ("conv_2", "classifier.0"), ("logits", "classifier.3"),
    ]  # fmt: skip
    return Entry(
        MobileNetV3, "mobilenet", 2019, "Howard et al. 2019, Searching for MobileNetV3", size=224,
        row={"size": size}, published=published,
        elsewhere={
            "torchvision": TORCHVISION,
            "timm": Elsewhere(layer_rules(timm), options={"epsilon": 1e-5}),
            # Keras' takes pictures in [0, 255] and scales them to [-1, 1] itself.
            "keras": Elsewhere(
                tuple(Rule(*pair) for pair in keras), options={"padding": "same"}, normalization="-1-1"
            ),
        },
    )  # fmt: skip


ENTRIES = {
    "mobilenet_v3_small": _entry(
        "mobilenet_v3_small", published=torchvision_file("mobilenet_v3_small-047dcff4.pth", 67.668)
    ),
    "mobilenet_v3_large": _entry(
        "mobilenet_v3_large", published=torchvision_file("mobilenet_v3_large-8738ca79.pth", 74.042)
    ),
}
