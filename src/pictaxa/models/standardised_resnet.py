"""The ResNet of the ViT hybrid: Kolesnikov et al. 2019, "Big Transfer".

Weights are standardised (Qiao et al. 2019) and channels normalised in groups (Wu, He 2018), so that nothing depends on
the batch. TF-same padding throughout, as the published weights expect; names are timm's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .same_padding import SameConv2d, SameMaxPool2d, pad_same


class StandardisedConv2d(SameConv2d):
    """A TF-same convolution whose weights are brought to mean 0 and deviation 1 in each output channel (Qiao 2019)."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        flat = self.weight.flatten(1)  # (C', C, k, k) -> (C', C * k * k)
        deviation = torch.sqrt(flat.var(dim=1, correction=0, keepdim=True) + 1e-8)
        weight = ((flat - flat.mean(dim=1, keepdim=True)) / deviation).view_as(self.weight)
        padded = pad_same(input, kernel=self.kernel_size[0], stride=self.stride[0])
        return F.conv2d(padded, weight, self.bias, self.stride)


def _standardised(in_channels: int, channels: int, *, kernel: int, stride: int = 1) -> StandardisedConv2d:
    return StandardisedConv2d(in_channels, channels, kernel, stride=stride, bias=False)


class ConvNorm(nn.Module):
    """A convolution and its group norm: a shortcut, or the stem with ReLU and pool."""

    def __init__(self, in_channels: int, channels: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = _standardised(in_channels, channels, kernel=kernel, stride=stride)
        self.norm = nn.GroupNorm(32, channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        return self.norm(self.conv(images))


class GroupNormBottleneck(nn.Module):
    """1x1, 3x3, 1x1, each standardised and group-normalised, with a shortcut; ReLU after the sum."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, project: bool) -> None:
        super().__init__()
        width = channels // 4
        self.downsample = ConvNorm(in_channels, channels, kernel=1, stride=stride) if project else None
        self.conv1 = _standardised(in_channels, width, kernel=1)
        self.norm1 = nn.GroupNorm(32, width)
        self.conv2 = _standardised(width, width, kernel=3, stride=stride)
        self.norm2 = nn.GroupNorm(32, width)
        self.conv3 = _standardised(width, channels, kernel=1)
        self.norm3 = nn.GroupNorm(32, channels)
        nn.init.zeros_(self.norm3.weight)  # the block starts as its shortcut, as in the published code

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        shortcut = images if self.downsample is None else self.downsample(images)
        out = F.relu(self.norm1(self.conv1(images)))
        out = F.relu(self.norm2(self.conv2(out)))
        return F.relu(self.norm3(self.conv3(out)) + shortcut)


class Stage(nn.Module):
    """Bottlenecks, the first of which may halve."""

    def __init__(self, in_channels: int, channels: int, *, blocks: int, stride: int) -> None:
        super().__init__()
        first = GroupNormBottleneck(in_channels, channels, stride=stride, project=True)
        rest = (GroupNormBottleneck(channels, channels, stride=1, project=False) for _ in range(blocks - 1))
        self.blocks = nn.Sequential(first, *rest)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        return self.blocks(images)


class StandardisedResNet(nn.Module):
    """7x7/2, max pool /2, stages of 256, 512, 1024, 2048 channels, all with TF-same padding."""

    def __init__(self, in_channels: int, *, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = ConvNorm(in_channels, 64, kernel=7, stride=2)
        self.pool = SameMaxPool2d(3, stride=2)
        channels = 64
        stages = []
        for number, depth in enumerate(blocks):
            stages.append(Stage(channels, 256 * 2**number, blocks=depth, stride=1 if number == 0 else 2))
            channels = 256 * 2**number
        self.stages = nn.Sequential(*stages)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, 1024 or 2048, S / 16, S / 16 or S / 32, S / 32)."""
        return self.stages(self.pool(F.relu(self.stem(images))))


_JAX_UNIT = {
    "conv_proj": "downsample.conv", "gn_proj": "downsample.norm",
    "conv1": "conv1", "gn1": "norm1", "conv2": "conv2", "gn2": "norm2", "conv3": "conv3", "gn3": "norm3",
}  # fmt: skip
# What Google's checkpoints call each layer -> our path; a stage has nine blocks at most.
JAX_LAYERS = {"conv_root": "stem.conv", "gn_root": "stem.norm"} | {
    f"block{stage + 1}/unit{block + 1}/{theirs}": f"stages.{stage}.blocks.{block}.{ours}"
    for stage in range(4)
    for block in range(9)
    for theirs, ours in _JAX_UNIT.items()
}
