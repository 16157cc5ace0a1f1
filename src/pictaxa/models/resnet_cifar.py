"""ResNets for 32-pixel pictures, and the ablations of their shortcuts and activation orders.

He et al. 2015, section 4.2: a 3x3, three stages of n blocks with 16, 32 and 64 channels, average, dense; 6n + 2
layers with two-convolution blocks. He et al. 2016, "Identity mappings in deep residual networks": pre-activation, and
9n + 2 layers with bottlenecks of four times the channels. Shortcuts have no parameters where the shape changes (option
A: every other pixel, and zeros for the new channels), but in bottlenecks, whose first shortcut of a stage is a 1x1.

`shortcut` and `order` are the paper's experiments: tables 1 and 2, figures 2 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from .convolution import Conv2d
from .layers import Classifier, classifier_layer, he_initialise

Shortcut = Literal["identity", "constant", "exclusive_gating", "shortcut_only_gating", "conv1x1", "dropout"]
Order = Literal["original", "bn_after_addition", "relu_before_addition", "relu_only_preact", "full_preact"]

# Statistics of CIFAR-10's training pictures, RGB in [0, 1].
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2470, 0.2435, 0.2616)

STAGE_WIDTHS = (16, 32, 64)


@dataclass(frozen=True)
class Size:
    """A row of SIZES."""

    blocks: int  # in each of the three stages: n
    bottleneck: bool
    order: Order


# 6n + 2 layers, or 9n + 2 with bottlenecks.
SIZES = {
    f"cifar_resnet{depth}": Size(blocks=(depth - 2) // 6, bottleneck=False, order="original")
    for depth in (20, 32, 44, 56, 110, 1202)
} | {
    "cifar_preresnet110": Size(blocks=18, bottleneck=False, order="full_preact"),
    "cifar_preresnet164": Size(blocks=18, bottleneck=True, order="full_preact"),
    "cifar_preresnet1001": Size(blocks=111, bottleneck=True, order="full_preact"),
}


@dataclass(frozen=True)
class Ablation:
    """What a block's two paths are, and how they meet."""

    shortcut: Shortcut
    order: Order
    shortcut_scale: float  # of "constant"
    residual_scale: float  # of "constant"
    gate_bias: float  # of the gatings: the bias their convolution starts with


class Pad(nn.Module):
    """Option A: every `stride`-th pixel, and zeros for the channels that are new."""

    def __init__(self, new_channels: int, *, stride: int) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C + new_channels, H / stride, W / stride)."""
        return F.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class Gate(nn.Module):
    """sigmoid(W x + b), a 1x1 convolution: how open each pixel of each channel is (section 3.1)."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, bias: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride)
        self.start_bias = bias

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride), in (0, 1)."""
        return torch.sigmoid(self.conv(images))


class Units(nn.Module):
    """The residual path: convolutions with batch norm and ReLU in one of the five orders (figure 4)."""

    def __init__(self, in_channels: int, layers: tuple[tuple[int, int, int], ...], *, order: Order) -> None:
        super().__init__()
        self.order = order
        convs, norms = [], []
        for kernel, width, stride in layers:
            convs.append(Conv2d(in_channels, width, kernel, stride=stride, padding=kernel // 2, bias=False))
            norms.append(nn.BatchNorm2d(in_channels if order == "full_preact" else width))
            in_channels = width
        if order == "bn_after_addition":
            norms.pop()  # it stands behind the sum
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(norms)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        last = len(self.convs) - 1
        for place, conv in enumerate(self.convs):
            if self.order == "full_preact":
                images = conv(F.relu(self.norms[place](images)))
                continue
            if self.order == "relu_only_preact":
                images = self.norms[place](conv(F.relu(images)))
                continue
            images = conv(images)
            if place < last:
                images = F.relu(self.norms[place](images))
            elif self.order != "bn_after_addition":
                images = self.norms[place](images)
        return F.relu(images) if self.order == "relu_before_addition" else images


class Block(nn.Module):
    """A residual path and a shortcut, and the way they meet."""

    def __init__(self, in_channels: int, width: int, *, stride: int, bottleneck: bool, ablation: Ablation) -> None:
        super().__init__()
        channels = 4 * width if bottleneck else width
        # (kernel, channels, stride) of each convolution
        layers = ((1, width, 1), (3, width, stride), (1, channels, 1)) if bottleneck else (
            (3, width, stride), (3, width, 1)
        )  # fmt: skip
        self.ablation = ablation
        self.residual = Units(in_channels, layers, order=ablation.order)
        changes = stride > 1 or in_channels != channels
        self.align: nn.Module = nn.Identity()
        if ablation.shortcut == "conv1x1" or (bottleneck and changes):
            self.align = Conv2d(in_channels, channels, kernel_size=1, stride=stride, bias=False)
        elif changes:
            self.align = Pad(channels - in_channels, stride=stride)
        gated = ablation.shortcut in ("exclusive_gating", "shortcut_only_gating")
        self.gate = Gate(in_channels, channels, stride=stride, bias=ablation.gate_bias) if gated else None
        self.dropout = nn.Dropout(0.5) if ablation.shortcut == "dropout" else nn.Identity()
        self.norm = nn.BatchNorm2d(channels) if ablation.order == "bn_after_addition" else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        shortcut, residual = self.dropout(self.align(images)), self.residual(images)
        if self.ablation.shortcut == "constant":
            shortcut, residual = shortcut * self.ablation.shortcut_scale, residual * self.ablation.residual_scale
        elif self.gate is not None:
            gate = self.gate(images)
            shortcut = shortcut * (1 - gate)
            if self.ablation.shortcut == "exclusive_gating":
                residual = residual * gate
        total: torch.Tensor = shortcut + residual
        if self.norm is not None:
            total = self.norm(total)
        return F.relu(total) if self.ablation.order in ("original", "bn_after_addition") else total


class CifarResNet(Classifier):
    """3x3, three stages, (BN and ReLU where no block ends with them,) average, dense."""

    def __init__(self, num_classes: int, in_channels: int, *, size: Size, ablation: Ablation) -> None:
        super().__init__(num_classes, in_channels)
        self.conv1 = Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False)
        # The first block's shortcut takes what the stem gives: with full pre-activation that is the bare convolution.
        self.bn1 = nn.BatchNorm2d(16) if ablation.order != "full_preact" else None
        channels = 16
        stages = []
        for number, width in enumerate(STAGE_WIDTHS):
            units = []
            for place in range(size.blocks):
                stride = 2 if number > 0 and place == 0 else 1
                units.append(Block(channels, width, stride=stride, bottleneck=size.bottleneck, ablation=ablation))
                channels = 4 * width if size.bottleneck else width
            stages.append(nn.Sequential(*units))
        self.layer1, self.layer2, self.layer3 = stages
        self.last_bn = nn.BatchNorm2d(channels) if ablation.order == "full_preact" else None
        self.last_relu = ablation.order in ("full_preact", "relu_only_preact")
        self.fc = classifier_layer(channels, num_classes)
        he_initialise(self)
        for part in self.modules():
            if isinstance(part, Gate):
                assert part.conv.bias is not None
                nn.init.constant_(part.conv.bias, part.start_bias)
        self.set_normalisation(CIFAR_MEAN, CIFAR_STD)

    def body(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, 32, 32) -> (N, 64 or 256, 8, 8)."""
        out = self.conv1(images)  # -> (N, 16, 32, 32)
        if self.bn1 is not None:
            out = F.relu(self.bn1(out))
        out = self.layer3(self.layer2(self.layer1(out)))
        if self.last_bn is not None:
            out = self.last_bn(out)
        return F.relu(out) if self.last_relu else out

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, C) -> (N, num_classes)."""
        logits: torch.Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


def builder(name: str) -> Callable[..., CifarResNet]:
    """The constructor of a row of SIZES, with the paper's ablations as options."""
    size = SIZES[name]

    def build(
        num_classes: int,
        in_channels: int,
        *,
        shortcut: Shortcut = "identity",
        order: Order = size.order,
        shortcut_scale: float = 0.5,
        residual_scale: float = 0.5,
        gate_bias: float = -6.0,
    ) -> CifarResNet:
        ablation = Ablation(shortcut, order, shortcut_scale, residual_scale, gate_bias)
        return CifarResNet(num_classes, in_channels, size=size, ablation=ablation)

    return build
