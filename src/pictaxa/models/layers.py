"""What every family shares: the model contract, normalisation inside the model, TF-same padding."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .convolution import Conv2d

# What lies around a picture: symmetric is kernel // 2 zeros on every side (torchvision, timm), same is TensorFlow's
# (out = ceil(in / stride), the odd pixel on the right and at the bottom), valid is nothing.
Padding = Literal["symmetric", "same", "valid"]

# Statistics of ImageNet's training pictures, RGB in [0, 1], as torchvision's checkpoints expect.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# The mean colour that Caffe's networks take from pixels in [0, 255], and nothing else.
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)

# EfficientNet-Lite's trainings took (x - 127) / 128 of pixels in [0, 255]: near 0.5, but not it.
LITE_MEAN = (127 / 255, 127 / 255, 127 / 255)
LITE_STD = (128 / 255, 128 / 255, 128 / 255)


class Classifier(nn.Module):
    """The contract of every entry: float pictures in [0, 1] in, logits out, normalisation inside.

    A family sets `mean`/`std` through `set_normalization` and defines `features` and `head`:

        features(images)         normalised (N, C, H, W) -> (N, C', h, w), or (N, tokens, width)
        head(features)           -> (N, num_classes) logits
    """

    mean: torch.Tensor
    std: torch.Tensor
    entry = ""  # its name in the zoo; `create_model` sets it
    options: Mapping[str, Any] = MappingProxyType({})  # of the entry, as `create_model` was given them
    min_size = 1  # of the pictures' sides, pixels; `create_model` sets the entry's
    auxiliary: tuple[str, ...] = ()  # names of the auxiliary heads, each None where it is left out

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("std", torch.ones(in_channels))

    def set_normalization(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Fill the buffers; three values are averaged for grey input."""
        if len(mean) != self.in_channels:
            mean = (sum(mean) / len(mean),) * self.in_channels
            std = (sum(std) / len(std),) * self.in_channels
        self.mean.copy_(torch.tensor(mean))
        self.std.copy_(torch.tensor(std))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) float in [0, 1] -> the same shape, minus mean, over std."""
        scale = 1 / self.std[:, None, None]
        return torch.addcmul(-self.mean[:, None, None] * scale, images, scale)  # one pass over the pixels

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures in [0, 1], (N, C, H, W) -> the last feature map, (N, C', h, w); ModelError for other pictures."""
        self.check(images)
        return self.backbone(self.normalise(images))

    def check(self, images: torch.Tensor) -> None:
        """ModelError when pictures have another number of channels or are too small."""
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[1] != self.in_channels:
            raise ModelError(
                f"pictures (N, {self.in_channels}, H, W)",
                found=f"shape {shape}",
                fix=f"Create the model with in_channels={shape[1] if len(shape) == 4 else 3}, or convert the pictures.",
            )
        if min(shape[2:]) < self.min_size:
            raise ModelError(
                f"pictures of at least {self.min_size} pixels",
                found=f"{shape[3]} x {shape[2]}",
                fix="Enlarge them, or choose a model with fewer strides.",
            )

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised pictures -> features; each family writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no backbone")  # an abstract method

    def grid(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, C', h, w), for explanations."""
        return features

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, num_classes) logits; each family writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no head")  # an abstract method

    def head_layers(self) -> tuple[str, ...]:
        """Paths of the dense layers whose outputs are the classes, auxiliary heads' among them."""
        return tuple(path for path, part in self.named_modules() if isinstance(part, ClassifierLayer))

    def main_head(self) -> str:
        """Path of the part that gives the logits: the last dense layer, or the hidden layers that end in it."""
        return self.blocks_in_order()[-1][0]

    def blocks_in_order(self) -> list[list[str]]:
        """Paths of parts (or parameters) with weights in their order, but for auxiliary heads; the last is the head.

        A part is a block, or a layer that stands alone, with the norms that follow it.
        """
        parts: list[list[str]] = []
        for name, child in self.named_children():
            if name in self.auxiliary:
                continue
            for path, part in _expanded(name, child):
                weights = [parameter.ndim for parameter in part.parameters()]
                if weights and max(weights) > 1:
                    parts.append([path])
                elif weights and parts:
                    parts[-1].append(path)
        return parts

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures in [0, 1], (N, C, H, W) float -> (N, num_classes) logits."""
        return self.head(self.features(images))

    def training_logits(self, images: torch.Tensor) -> tuple[tuple[torch.Tensor, float], ...]:
        """Logits and their weight in the loss: the main head, then any auxiliary heads."""
        return ((self.forward(images), 1.0),)


class StackedHead(nn.Sequential):
    """Where a model's last layer stood: that layer, and what goes on from its outputs. Each part is a block."""


def _expanded(path: str, part: nn.Module) -> list[tuple[str, nn.Module]]:
    """A sequence of blocks as its blocks; a block that is itself a sequence of layers stays one."""
    if type(part) not in (nn.Sequential, nn.ModuleList, StackedHead):
        return [(path, part)]
    inner = [(f"{path}.{name}", child) for name, child in part.named_children()]
    if type(part) is not StackedHead and "." in path and all(not list(child.children()) for _, child in inner):
        return [(path, part)]
    return [item for inner_path, child in inner for item in _expanded(inner_path, child)]


class ClassifierLayer(nn.Linear):
    """The dense layer whose outputs are the classes: what becomes another one when the classes do."""


def classifier_layer(width: int, num_classes: int) -> nn.Module:
    """The last dense layer, or nothing for `num_classes=0`, which gives pooled features."""
    return ClassifierLayer(width, num_classes) if num_classes else nn.Identity()


def activate(images: torch.Tensor, slope: float = 0.0) -> torch.Tensor:
    """ReLU in place, or LeakyReLU where the slope below zero is not 0."""
    return F.leaky_relu(images, slope, inplace=True) if slope else F.relu(images, inplace=True)


def same_pixels(images: torch.Tensor, *, kernel: int, stride: int) -> tuple[int, int]:
    """How many rows and columns TF-same padding adds in all, so that out = ceil(in / stride)."""

    def total(length: int) -> int:
        outputs = -(-length // stride)
        return max(0, (outputs - 1) * stride + kernel - length)

    return total(images.shape[-2]), total(images.shape[-1])


def pad_same(images: torch.Tensor, *, kernel: int, stride: int, value: float = 0.0) -> torch.Tensor:
    """TF-same padding of (N, C, H, W), the odd pixel on the right and at the bottom."""
    vertical, horizontal = same_pixels(images, kernel=kernel, stride=stride)
    left_right_top_bottom = (horizontal // 2, -(-horizontal // 2), vertical // 2, -(-vertical // 2))
    return F.pad(images, left_right_top_bottom, value=value)


class SameConv2d(Conv2d):
    """A convolution with TF-same padding; square kernel and stride."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        return super().forward(pad_same(input, kernel=self.kernel_size[0], stride=self.stride[0]))


def is_plain(part: nn.Module) -> bool:
    """Whether a part is a convolution of its weights and nothing more, which a class derived from it may do."""
    return type(part) in (nn.Conv2d, Conv2d, SameConv2d)


def convolve(conv: nn.Conv2d, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """What a convolution would give with other weights: (N, C, H, W) -> (N, O, h, w)."""
    if isinstance(conv, SameConv2d):
        images = pad_same(images, kernel=conv.kernel_size[0], stride=conv.stride[0])
    if isinstance(conv, Conv2d):
        return conv.convolve(images, weight, bias)
    return conv._conv_forward(images, weight, bias)


class SameMaxPool2d(nn.Module):
    """Max pooling with TF-same padding; what lies beyond the edge never wins, whatever the sign of the values."""

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride))."""
        vertical, horizontal = same_pixels(images, kernel=self.kernel, stride=self.stride)
        # The two cases of 3x3/2 and of stride 1 need no padded copy: windows may reach over the edge evenly, or by a
        # pixel at the end.
        if vertical % 2 == horizontal % 2 == 0:
            padding = (vertical // 2, horizontal // 2)
            return F.max_pool2d(images, self.kernel, stride=self.stride, padding=padding)
        if vertical == horizontal == 1 and self.stride > 1:
            return F.max_pool2d(images, self.kernel, stride=self.stride, ceil_mode=True)
        padded = pad_same(images, kernel=self.kernel, stride=self.stride, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel, stride=self.stride)


def make_conv(
    in_channels: int,
    channels: int,
    *,
    kernel: int,
    stride: int = 1,
    padding: Padding = "symmetric",
    bias: bool = False,
    groups: int = 1,
) -> Conv2d:
    """A convolution with the padding of the reference; "symmetric" is kernel // 2 on every side."""
    if padding == "same" and stride > 1:  # with stride 1 and an odd kernel the two are equal
        return SameConv2d(in_channels, channels, kernel, stride=stride, bias=bias, groups=groups)
    pixels = 0 if padding == "valid" else kernel // 2
    return Conv2d(in_channels, channels, kernel, stride=stride, padding=pixels, bias=bias, groups=groups)


def make_max_pool(kernel: int, *, stride: int, padding: Padding = "symmetric") -> nn.Module:
    """Max pooling with the padding of the reference."""
    if padding == "same":
        return SameMaxPool2d(kernel, stride=stride)
    return nn.MaxPool2d(kernel, stride=stride, padding=0 if padding == "valid" else kernel // 2)


class SameAvgPool2d(nn.Module):
    """Average pooling with TF-same padding; what lies beyond the edge does not count in an average."""

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride))."""
        sums = self._pool(images)
        return sums / self._pool(torch.ones_like(images[:1, :1]))  # the share of each window that is picture

    def _pool(self, images: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(pad_same(images, kernel=self.kernel, stride=self.stride), self.kernel, stride=self.stride)


class ConvUnit(nn.Module):
    """Convolution, batch norm (unless `epsilon` is None, when it has a bias instead), ReLU."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: Padding = "symmetric",
        epsilon: float | None = 1e-3,
    ) -> None:
        super().__init__()
        if isinstance(kernel, tuple):  # n x 1 and 1 x n, stride 1
            pixels = (kernel[0] // 2, kernel[1] // 2)
            self.conv = Conv2d(in_channels, channels, kernel, padding=pixels, bias=epsilon is None)
        else:
            self.conv = make_conv(
                in_channels, channels, kernel=kernel, stride=stride, padding=padding, bias=epsilon is None
            )
        self.bn = None if epsilon is None else nn.BatchNorm2d(channels, eps=epsilon)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        out = self.conv(images)
        return F.relu(out if self.bn is None else self.bn(out), inplace=True)


def make_divisible(channels: float, *, divisor: int = 8) -> int:
    """A scaled width as MobileNet rounds it: to the nearest multiple of 8, never more than a tenth below."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
