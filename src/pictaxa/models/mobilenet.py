"""MobileNet v1, v2 and v3: networks for phones.

v1: Howard et al. 2017, "MobileNets": a 3x3 for each channel (depthwise), then a 1x1 across channels (pointwise), cost
    an eighth of a full 3x3.
v2: Sandler et al. 2018, "Inverted residuals and linear bottlenecks": blocks that widen, filter, and narrow again
    without an activation, with the shortcut between the narrow ends.
v3: Howard et al. 2019, "Searching for MobileNetV3": squeeze-and-excitation, hard-swish, a cheaper last stage.

Names of v2 and v3 are torchvision's, but for `convs`, which is its `features`. The papers say nothing of first weights:
these are He's, as in torchvision's trainings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .contract import IMAGENET_MEAN, IMAGENET_STD, Classifier, classifier_layer
from .initialisation import he_initialise
from .layers import Padding, make_conv, make_divisible

Activation = Literal["relu", "relu6", "hardswish", "none"]
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
}


class Norm(NamedTuple):
    """Batch norm's settings and the padding, which differ between the ports."""

    epsilon: float
    momentum: float
    padding: Padding


class ConvNormAct(nn.Sequential):
    """Convolution, batch norm, activation; `groups=in_channels` makes it depthwise."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel: int,
        norm: Norm,
        stride: int = 1,
        groups: int = 1,
        activation: Activation = "relu6",
    ) -> None:
        conv = make_conv(in_channels, channels, kernel=kernel, stride=stride, padding=norm.padding, groups=groups)
        layers: list[nn.Module] = [conv, nn.BatchNorm2d(channels, eps=norm.epsilon, momentum=norm.momentum)]
        if activation != "none":
            layers.append(_ACTIVATIONS[activation]())
        super().__init__(*layers)


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
        padding: Padding = "same",
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
        self.set_normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1024 * width, H / 32, W / 32)."""
        maps: torch.Tensor = self.convs(images)
        return maps

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1024 * width, h, w) -> (N, num_classes)."""
        logits: torch.Tensor = self.fc(self.dropout(features.mean(dim=(2, 3))))
        return logits


# v2: (expansion, channels, blocks, stride of the first), table 2 of its paper.
V2_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


class InvertedResidual(nn.Module):
    """Widen by 1x1, filter by a depthwise 3x3, narrow by a 1x1 without activation; v2's figure 3b."""

    def __init__(self, in_channels: int, channels: int, *, expansion: int, stride: int, norm: Norm) -> None:
        super().__init__()
        wide = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvNormAct(in_channels, wide, kernel=1, norm=norm))
        layers.append(ConvNormAct(wide, wide, kernel=3, stride=stride, groups=wide, norm=norm))
        narrow = make_conv(wide, channels, kernel=1)
        self.conv = nn.Sequential(*layers, narrow, nn.BatchNorm2d(channels, eps=norm.epsilon, momentum=norm.momentum))
        self.residual = stride == 1 and in_channels == channels

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
        padding: Padding = "symmetric",
        epsilon: float = 1e-5,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(num_classes, in_channels)
        norm = Norm(epsilon, 0.1, padding)
        channels = make_divisible(32 * width)
        layers: list[nn.Module] = [ConvNormAct(in_channels, channels, kernel=3, stride=2, norm=norm)]
        for expansion, full_width, blocks, first_stride in V2_STAGES:
            scaled = make_divisible(full_width * width)
            for i in range(blocks):
                stride = first_stride if i == 0 else 1
                layers.append(InvertedResidual(channels, scaled, expansion=expansion, stride=stride, norm=norm))
                channels = scaled
        last = make_divisible(1280 * max(1.0, width))
        layers.append(ConvNormAct(channels, last, kernel=1, norm=norm))
        self.convs = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), classifier_layer(last, num_classes))
        he_initialise(self)
        self.set_normalization(IMAGENET_MEAN, IMAGENET_STD)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1280, H / 32, W / 32)."""
        maps: torch.Tensor = self.convs(images)
        return maps

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1280, h, w) -> (N, 1280) -> (N, num_classes)."""
        logits: torch.Tensor = self.classifier(features.mean(dim=(2, 3)))
        return logits


class Row(NamedTuple):
    """A block of v3: tables 1 and 2 of its paper."""

    kernel: int
    wide: int  # "exp size"
    channels: int
    squeeze: bool
    activation: Activation
    stride: int


class V3Size(NamedTuple):
    """The blocks, and the widths of the last convolution and the hidden dense layer."""

    rows: tuple[Row, ...]
    last: int
    hidden: int


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


class SqueezeExcite(nn.Module):
    """Hu et al. 2017, "Squeeze-and-excitation networks": each channel times a gate that the whole map decides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = make_divisible(channels // 4)
        self.fc1 = nn.Conv2d(channels, squeezed, kernel_size=1)
        self.fc2 = nn.Conv2d(squeezed, channels, kernel_size=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape."""
        gate = images.mean(dim=(2, 3), keepdim=True)  # -> (N, C, 1, 1)
        gate = F.hardsigmoid(self.fc2(F.relu(self.fc1(gate))))
        return images * gate


class V3Block(nn.Module):
    """An inverted residual with a kernel, an activation and squeeze-and-excitation of its own; v3's figure 4."""

    def __init__(self, in_channels: int, row: Row, *, norm: Norm) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if row.wide != in_channels:
            layers.append(ConvNormAct(in_channels, row.wide, kernel=1, norm=norm, activation=row.activation))
        layers.append(
            ConvNormAct(
                row.wide, row.wide, kernel=row.kernel, stride=row.stride, groups=row.wide, norm=norm,
                activation=row.activation,
            )
        )  # fmt: skip
        if row.squeeze:
            layers.append(SqueezeExcite(row.wide))
        layers.append(ConvNormAct(row.wide, row.channels, kernel=1, norm=norm, activation="none"))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and in_channels == row.channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        out: torch.Tensor = self.block(images)
        return images + out if self.residual else out


class MobileNetV3(Classifier):
    """3x3/2, the table's blocks, 1x1, average, hidden dense layer, dense; `padding="same"` is Keras' form.

    timm's has `epsilon=1e-5`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        size: V3Size,
        padding: Padding = "symmetric",
        epsilon: float = 1e-3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(num_classes, in_channels)
        norm = Norm(epsilon, 0.01, padding)
        layers: list[nn.Module] = [ConvNormAct(in_channels, 16, kernel=3, stride=2, norm=norm, activation="hardswish")]
        channels = 16
        for row in size.rows:
            layers.append(V3Block(channels, row, norm=norm))
            channels = row.channels
        layers.append(ConvNormAct(channels, size.last, kernel=1, norm=norm, activation="hardswish"))
        self.convs = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(size.last, size.hidden), nn.Hardswish(inplace=True), nn.Dropout(dropout),
            classifier_layer(size.hidden, num_classes),
        )  # fmt: skip
        he_initialise(self)
        self.set_normalization(IMAGENET_MEAN, IMAGENET_STD)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 576 or 960, H / 32, W / 32)."""
        maps: torch.Tensor = self.convs(images)
        return maps

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 576 or 960, h, w) -> (N, 1024 or 1280) -> (N, num_classes)."""
        logits: torch.Tensor = self.classifier(features.mean(dim=(2, 3)))
        return logits


def v3_builder(name: str) -> Callable[..., MobileNetV3]:
    """The constructor of a row of V3_SIZES."""

    def build(
        num_classes: int,
        in_channels: int,
        *,
        padding: Padding = "symmetric",
        epsilon: float = 1e-3,
        dropout: float = 0.2,
    ) -> MobileNetV3:
        size = V3_SIZES[name]
        return MobileNetV3(num_classes, in_channels, size=size, padding=padding, epsilon=epsilon, dropout=dropout)

    return build
