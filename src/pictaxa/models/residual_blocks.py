"""The residual blocks of ResNet and ResNeXt, and what may differ in them between published ports.

A block computes relu(shortcut(x) + residual(x)), so that a layer learns what to add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ..config.learning import Normalization
from .initialisation import FirstWeights
from .layers import Activation, Padding, Pooling, activate, make_conv

StageDepths = tuple[int, int, int, int]


@dataclass(frozen=True)
class ResNetForm:
    """A row of SIZES."""

    bottleneck: bool
    blocks: StageDepths  # in each stage
    groups: int = 1  # of the bottleneck's 3x3
    group_width: int = 64  # its channels in a group, in the first stage
    stride_in: Literal["3x3", "1x1"] = "3x3"  # where a bottleneck halves
    bias: bool = False  # of the convolutions
    epsilon: float = 1e-5  # of batch norm
    momentum: float = 0.1  # of batch norm: the part of each batch in the running statistics, 0.01 for Keras' 0.99
    padding: Padding = "symmetric"
    pool_padding: Padding = "symmetric"  # of the stem's pool
    shortcuts: bool = True  # without them it is a plain network (section 3.3)
    shortcut_norm: bool = True  # batch norm after the shortcut's 1x1
    activation: Activation = "relu"
    slope: float = 0.01  # of leaky_relu below zero
    last_inner_width: int = 512  # of the last stage's bottlenecks after its first
    final_pool: Literal["global", "valid", "same"] = "global"  # or 2x2 and flatten
    pooling: Pooling = "avg"  # of the global one
    normalization: Normalization = "imagenet"
    first_weights: FirstWeights = "he"


def make_norm(channels: int, form: ResNetForm) -> nn.BatchNorm2d:
    """The batch norm of a form."""
    return nn.BatchNorm2d(channels, eps=form.epsilon, momentum=form.momentum)


class Projection(nn.Sequential):
    """The shortcut's 1x1 where the shape changes (option B of the paper), with its batch norm."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, form: ResNetForm) -> None:
        conv = make_conv(in_channels, channels, kernel=1, stride=stride, bias=form.bias)
        super().__init__(conv, *([make_norm(channels, form)] if form.shortcut_norm else []))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (figure 5, left)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, *, stride: int, form: ResNetForm, project: bool) -> None:
        super().__init__()
        self.conv1 = make_conv(in_channels, width, kernel=3, stride=stride, padding=form.padding, bias=form.bias)
        self.bn1 = make_norm(width, form)
        self.conv2 = make_conv(width, width, kernel=3, padding=form.padding, bias=form.bias)
        self.bn2 = make_norm(width, form)
        self.downsample = Projection(in_channels, width, stride=stride, form=form) if project else None
        self.form = form

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, width, H / stride, W / stride)."""
        form = self.form
        out = activate(self.bn1(self.conv1(images)), form.activation, slope=form.slope)
        out = self.bn2(self.conv2(out))
        if form.shortcuts:
            out = out.add_(images if self.downsample is None else self.downsample(images))
        return activate(out, form.activation, slope=form.slope)


class Bottleneck(nn.Module):
    """1x1 down, 3x3 (grouped in ResNeXt), 1x1 up, with a shortcut (figure 5, right)."""

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        form: ResNetForm,
        project: bool,
        inner_width: int | None = None,
    ) -> None:
        super().__init__()
        channels = width * self.expansion
        inner = (inner_width or width) * form.group_width // 64 * form.groups
        first, second = (stride, 1) if form.stride_in == "1x1" else (1, stride)
        self.conv1 = make_conv(in_channels, inner, kernel=1, stride=first, bias=form.bias)
        self.bn1 = make_norm(inner, form)
        self.conv2 = make_conv(
            inner, inner, kernel=3, stride=second, padding=form.padding, bias=form.bias, groups=form.groups
        )
        self.bn2 = make_norm(inner, form)
        self.conv3 = make_conv(inner, channels, kernel=1, bias=form.bias)
        self.bn3 = make_norm(channels, form)
        self.downsample = Projection(in_channels, channels, stride=stride, form=form) if project else None
        self.form = form

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        form = self.form
        out = activate(self.bn1(self.conv1(images)), form.activation, slope=form.slope)
        out = activate(self.bn2(self.conv2(out)), form.activation, slope=form.slope)
        out = self.bn3(self.conv3(out))
        if form.shortcuts:
            out = out.add_(images if self.downsample is None else self.downsample(images))
        return activate(out, form.activation, slope=form.slope)
