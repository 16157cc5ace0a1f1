"""MobileNet v1 and v2: networks for phones.

v1: Howard et al. 2017, "MobileNets": a 3x3 for each channel (depthwise), then a 1x1 across channels (pointwise), cost
    an eighth of a full 3x3.
v2: Sandler et al. 2018, "Inverted residuals and linear bottlenecks": blocks that widen, filter, and narrow again
    without an activation, with the shortcut between the narrow ends.

Names of v2 are torchvision's, but for `convs`, which is its `features`. The papers say nothing of first weights:
these are He's, as in torchvision's trainings.
"""

from __future__ import annotations

import torch
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Rule, layer_rules, torchvision_file
from .initialisation import he_initialise
from .inverted_residual import (
    TIMM_WORDS,
    TORCHVISION,
    BlockWords,
    ConvNormAct,
    Norm,
    Row,
    block_layers,
    residual_units,
    timm_blocks,
    unit_layers,
)  # fmt: skip
from .layers import PortPadding, make_divisible

# v1: (channels, stride) of the 13 depthwise separable blocks, table 1 of its paper.
V1_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip


class DepthwiseSeparable(nn.Sequential):
    """A depthwise 3x3 and a pointwise 1x1, each with batch norm and ReLU6."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, norm: Norm) -> None:
        super().__init__(
            ConvNormAct(in_channels, in_channels, kernel=3, stride=stride, groups=in_channels, norm=norm),
            ConvNormAct(in_channels, channels, kernel=1, norm=norm),
        )


class MobileNetV1(Classifier):
    """3x3/2, 13 separable blocks, average, dense. `width` scales all channels; any input size is the resolution.

    Keras' form; `padding="symmetric"` with `epsilon=1e-5` is timm's.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        width: float = 1.0,
        padding: PortPadding = "same",
        epsilon: float = 1e-3,
        dropout: float = 1e-3,
    ) -> None:
        super().__init__(num_classes, in_channels)
        norm = Norm(epsilon, 0.01, padding)
        channels = int(32 * width)
        layers: list[nn.Module] = [ConvNormAct(in_channels, channels, kernel=3, stride=2, norm=norm)]
        for full_width, stride in V1_BLOCKS:
            layers.append(DepthwiseSeparable(channels, int(full_width * width), stride=stride, norm=norm))
            channels = int(full_width * width)
        self.convs = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.fc = classifier_layer(channels, num_classes)
        he_initialise(self)
        self.set_normalization(*NORMALIZATIONS["-1-1"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1024 * width, H / 32, W / 32)."""
        return self.convs(images)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1024 * width, h, w) -> (N, num_classes)."""
        return self.fc(self.dropout(features.mean(dim=(2, 3))))


# v2: (expansion, channels, blocks, stride of the first), table 2 of its paper.
V2_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


class InvertedResidual(nn.Module):
    """v2's figure 3b; the last convolution and its norm stand by themselves, as in torchvision's names."""

    def __init__(self, in_channels: int, row: Row, *, norm: Norm) -> None:
        super().__init__()
        *units, narrow = residual_units(in_channels, row, norm=norm)
        self.conv = nn.Sequential(*units, *narrow.children())
        self.residual = row.stride == 1 and in_channels == row.channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        out: torch.Tensor = self.conv(images)
        return images + out if self.residual else out


class MobileNetV2(Classifier):
    """3x3/2, 17 inverted residuals, 1x1 to 1280, average, dropout, dense.

    `padding="same"` with `epsilon=0.001` is Keras' form.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        width: float = 1.0,
        padding: PortPadding = "symmetric",
        epsilon: float = 1e-5,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(num_classes, in_channels)
        norm = Norm(epsilon, 0.1, padding)
        channels = make_divisible(32 * width)
        layers: list[nn.Module] = [ConvNormAct(in_channels, channels, kernel=3, stride=2, norm=norm)]
        for expansion, full_width, blocks, stride in V2_STAGES:
            for i in range(blocks):
                scaled = make_divisible(full_width * width)
                row = Row(3, channels * expansion, scaled, squeeze=False, activation="relu6", stride=1 if i else stride)
                layers.append(InvertedResidual(channels, row, norm=norm))
                channels = scaled
        last = make_divisible(1280 * max(1.0, width))
        layers.append(ConvNormAct(channels, last, kernel=1, norm=norm))
        self.convs = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), classifier_layer(last, num_classes))
        he_initialise(self)
        self.set_normalization(*NORMALIZATIONS["imagenet"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1280, H / 32, W / 32)."""
        return self.convs(images)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1280, h, w) -> (N, 1280) -> (N, num_classes)."""
        return self.classifier(features.mean(dim=(2, 3)))


def _v1_entry() -> Entry:
    keras = [*unit_layers("conv1", "conv1_bn", "convs.0"), ("conv_preds", "fc")]
    timm = [*unit_layers("conv_stem", "bn1", "convs.0"), ("classifier", "fc")]
    for number, place in enumerate(timm_blocks(channels for channels, _ in V1_BLOCKS), start=1):
        for i, word in enumerate(("dw", "pw")):
            ours = f"convs.{number}.{i}"
            keras += unit_layers(f"conv_{word}_{number}", f"conv_{word}_{number}_bn", ours)
            timm += unit_layers(f"{place}conv_{word}", f"{place}bn{i + 1}", ours)
    return Entry(
        MobileNetV1, "mobilenet", 2017, "Howard et al. 2017, MobileNets", size=224,
        elsewhere={
            "torchvision": TORCHVISION,
            "timm": Elsewhere(layer_rules(timm), options={"padding": "symmetric", "epsilon": 1e-5}),
            "keras": Elsewhere(tuple(Rule(*pair) for pair in keras), normalization="-1-1"),
        },
    )  # fmt: skip


def _v2_entry() -> Entry:
    words = BlockWords(("expand", "expand_BN"), ("depthwise", "depthwise_BN"), ("project", "project_BN"))
    widths = [channels for _, channels, blocks, _ in V2_STAGES for _ in range(blocks)]
    end = f"convs.{len(widths) + 1}"
    keras = unit_layers("Conv1", "bn_Conv1", "convs.0") + unit_layers("Conv_1", "Conv_1_bn", end)
    timm = unit_layers("conv_stem", "bn1", "convs.0") + unit_layers("conv_head", "bn2", end)
    for i, place in enumerate(timm_blocks(widths)):
        ours = f"convs.{i + 1}.conv"
        keras += block_layers(words, f"block_{i}_" if i else "expanded_conv_", ours, widens=i > 0, apart=True)
        timm += block_layers(TIMM_WORDS, place, ours, widens=i > 0, apart=True)
    return Entry(
        MobileNetV2, "mobilenet", 2018, "Sandler et al. 2018, Inverted residuals and linear bottlenecks", size=224,
        published=torchvision_file("mobilenet_v2-b0353104.pth", 71.878),
        elsewhere={
            "torchvision": TORCHVISION,
            "timm": Elsewhere(layer_rules([*timm, ("classifier", "classifier.1")])),
            "keras": Elsewhere(
                tuple(Rule(*pair) for pair in [*keras, ("predictions", "classifier.1")]),
                options={"padding": "same", "epsilon": 1e-3}, normalization="-1-1",
            ),
        },
    )  # fmt: skip


ENTRIES = {"mobilenet_v1": _v1_entry(), "mobilenet_v2": _v2_entry()}
