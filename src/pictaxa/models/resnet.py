"""ResNet v1.5: He et al. 2015, "Deep residual learning for image recognition".

    stem (7x7/2, max pool /2) -> four stages of residual blocks, each but the first halving -> average -> dense

A block computes relu(shortcut(x) + residual(x)). Module names are torchvision's, so its checkpoints load as they
are. In v1.5 the stride of a bottleneck is in its 3x3 (torchvision, NVIDIA), not in its first 1x1 (the paper).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from .convolution import Conv2d
from .layers import IMAGENET_MEAN, IMAGENET_STD, Classifier, SameConv2d, SameMaxPool2d, classifier_layer, he_initialise

Padding = Literal["symmetric", "same"]

STAGE_WIDTHS = (64, 128, 256, 512)  # table 1 of the paper; a bottleneck gives four times as many channels

# name: (bottleneck?, blocks in each stage), table 1 of the paper.
SIZES: dict[str, tuple[bool, tuple[int, int, int, int]]] = {
    "resnet18": (False, (2, 2, 2, 2)),
    "resnet50": (True, (3, 4, 6, 3)),
}


def _conv(in_channels: int, channels: int, *, kernel: int, stride: int = 1, padding: Padding = "symmetric") -> Conv2d:
    if padding == "same" and stride > 1:
        return SameConv2d(in_channels, channels, kernel, stride=stride, bias=False)
    return Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2, bias=False)


def _projection(in_channels: int, channels: int, *, stride: int) -> nn.Module | None:
    """The shortcut's 1x1 where the shape changes (option B of the paper), else none."""
    if stride == 1 and in_channels == channels:
        return None
    return nn.Sequential(
        Conv2d(in_channels, channels, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(channels)
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (figure 5, left)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, *, stride: int, padding: Padding) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, width, kernel=3, stride=stride, padding=padding)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, kernel=3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(in_channels, width, stride=stride)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, width, H / stride, W / stride)."""
        shortcut = images if self.downsample is None else self.downsample(images)
        out = F.relu(self.bn1(self.conv1(images)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)).add_(shortcut), inplace=True)


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up beside a shortcut (figure 5, right); the stride is in the 3x3."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, *, stride: int, padding: Padding) -> None:
        super().__init__()
        channels = width * self.expansion
        self.conv1 = _conv(in_channels, width, kernel=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, kernel=3, stride=stride, padding=padding)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, channels, kernel=1)
        self.bn3 = nn.BatchNorm2d(channels)
        self.downsample = _projection(in_channels, channels, stride=stride)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        shortcut = images if self.downsample is None else self.downsample(images)
        out = F.relu(self.bn1(self.conv1(images)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        return F.relu(self.bn3(self.conv3(out)).add_(shortcut), inplace=True)


class ResNet(Classifier):
    """Stem, four stages, global average, one dense layer; a row of SIZES with its two paddings."""

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        bottleneck: bool,
        blocks: tuple[int, int, int, int],
        padding: Padding = "symmetric",
    ) -> None:
        super().__init__(num_classes, in_channels)
        block = Bottleneck if bottleneck else BasicBlock
        self.conv1 = _conv(in_channels, 64, kernel=7, stride=2, padding=padding)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = _max_pool(padding)
        channels = 64
        stages = []
        for number, (depth, width) in enumerate(zip(blocks, STAGE_WIDTHS, strict=True)):
            units = []
            for place in range(depth):
                stride = 2 if number > 0 and place == 0 else 1
                units.append(block(channels, width, stride=stride, padding=padding))
                channels = width * block.expansion
            stages.append(nn.Sequential(*units))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = classifier_layer(channels, num_classes)
        he_initialise(self)
        self.set_normalisation(IMAGENET_MEAN, IMAGENET_STD)

    def body(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 512 or 2048, H / 32, W / 32)."""
        out = self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))  # -> (N, 64, H / 4, W / 4)
        maps: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        return maps

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, C) -> (N, num_classes)."""
        logits: torch.Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


def _max_pool(padding: Padding) -> nn.Module:
    if padding == "same":
        return SameMaxPool2d(3, stride=2)
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)


def builder(name: str) -> Callable[..., ResNet]:
    """The constructor of a row of SIZES."""
    bottleneck, blocks = SIZES[name]

    def build(num_classes: int, in_channels: int, *, padding: Padding = "symmetric") -> ResNet:
        return ResNet(num_classes, in_channels, bottleneck=bottleneck, blocks=blocks, padding=padding)

    return build
