"""resnet_lite: a small residual network for training from scratch on a CPU.

The ideas are published ones: a stem of 3x3 convolutions and average-pooled shortcuts (He et al. 2018, "Bag of
tricks", ResNet-C and ResNet-D) and blocks that start as the identity (Goyal et al. 2017: the last batch norm's scale
is zero). docs/measured.md says how its sizes were found.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .convolution import Conv2d
from .entry import Entry
from .initialisation import he_initialise

STEM_WIDTHS = (32, 48)
STAGES = ((1, 48), (2, 96), (2, 192), (1, 384))  # (blocks, width); each but the first halves
DROPOUT = 0.2


class LiteBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut that halves by averaging."""

    def __init__(self, in_channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(in_channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        shortcut: list[nn.Module] = []
        if stride == 2:
            shortcut.append(nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False))
        if stride == 2 or in_channels != width:
            shortcut += [Conv2d(in_channels, width, kernel_size=1, bias=False), nn.BatchNorm2d(width)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, width, ceil(H / stride), ceil(W / stride))."""
        out = F.relu(self.bn1(self.conv1(images)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(images), inplace=True)


class ResNetLite(Classifier):
    """Stem of two 3x3 convolutions and a max pool (a quarter of the size), four stages, average, dropout, dense."""

    def __init__(self, num_classes: int, in_channels: int, *, dropout: float = DROPOUT) -> None:
        super().__init__(num_classes, in_channels)
        first, second = STEM_WIDTHS
        self.stem = nn.Sequential(
            Conv2d(in_channels, first, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            Conv2d(first, second, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(second),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )
        blocks = []
        channels = second
        for number, (depth, width) in enumerate(STAGES):
            for i in range(depth):
                blocks.append(LiteBlock(channels, width, stride=2 if number > 0 and i == 0 else 1))
                channels = width
        self.stages = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.fc = classifier_layer(channels, num_classes)
        he_initialise(self)
        for block in blocks:
            nn.init.zeros_(block.bn2.weight)
        self.set_normalization(*NORMALIZATIONS["imagenet"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 384, H / 32, W / 32)."""
        return self.stages(self.stem(images))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 384, h, w) -> (N, 384) -> (N, num_classes)."""
        return self.fc(self.dropout(features.mean(dim=(2, 3))))


ENTRIES = {"resnet_lite": Entry(ResNetLite, "resnet_lite", 2026, "ours, for training from scratch on a CPU", size=128)}
