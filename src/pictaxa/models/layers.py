"""Layers that families share: convolutions and pooling with either library's padding, convolution with batch norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .convolution import Conv2d

# What lies around a picture: symmetric is kernel // 2 zeros on every side (torchvision, timm), same is TensorFlow's
# (out = ceil(in / stride), the odd pixel on the right and at the bottom), valid is nothing.
Padding = Literal["symmetric", "same", "valid"]
PortPadding = Literal["symmetric", "same"]  # in which ports of one network differ


# Nair, Hinton 2010; Maas et al. 2013; Clevert et al. 2015; Hendrycks, Gimpel 2016; Ramachandran et al. 2017 (swish).
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu"]
_ACTIVATIONS: dict[Activation, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "relu": lambda images, _: F.relu(images, inplace=True),
    "leaky_relu": lambda images, slope: F.leaky_relu(images, slope, inplace=True),
    "elu": lambda images, _: F.elu(images, inplace=True),
    "gelu": lambda images, _: F.gelu(images),
    "silu": lambda images, _: F.silu(images, inplace=True),
}


def activate(images: torch.Tensor, activation: Activation = "relu", *, slope: float = 0.01) -> torch.Tensor:
    """Apply an activation, in place where it can be.

    Args:
        images: float of any shape; may be overwritten.
        activation: which.
        slope: of leaky_relu below zero: 0.01 is torch's, 0.3 that of Keras' LeakyReLU in TensorFlow 2.

    Returns:
        Float of the same shape.
    """
    return _ACTIVATIONS[activation](images, slope)


Pooling = Literal["avg", "max", "none"]  # of the last map, over all its pixels; none: it stays a map


def make_global_pool(pooling: Pooling, *, num_classes: int) -> nn.Module:
    """Make what turns the last map into a vector, as Keras' `pooling=` says it.

    Args:
        pooling: "avg", "max", or "none" for the map itself, which is for models without classes.
        num_classes: of the model.

    Returns:
        The layer, (N, C, h, w) -> (N, C, 1, 1); with "none" it changes nothing.

    Raises:
        ModelError: "none" with classes.
    """
    if pooling == "none" and num_classes:
        raise ModelError(
            "pooling=avg or max for a model with classes", found="none",
            fix="Use num_classes=0 for a map, as include_top=False gives it in Keras.",
        )  # fmt: skip
    layers: dict[Pooling, Callable[[], nn.Module]] = {
        "avg": lambda: nn.AdaptiveAvgPool2d(1), "max": lambda: nn.AdaptiveMaxPool2d(1), "none": nn.Identity,
    }  # fmt: skip
    return layers[pooling]()


Kernel = int | tuple[int, ...]  # pixels: the side of a square, or rows and columns


def same_pixels(images: torch.Tensor, *, kernel: Kernel, stride: int) -> tuple[int, int]:
    """Compute the total padding with which out = ceil(in / stride), as TensorFlow's "same" has it.

    Args:
        images: (N, C, H, W); only its shape matters.
        kernel: side of the kernel, or its rows and columns, pixels.
        stride: pixels between two windows.

    Returns:
        Rows and columns to add in all, both sides together.
    """

    def total(length: int, side: int) -> int:
        outputs = -(-length // stride)
        return max(0, (outputs - 1) * stride + side - length)

    rows, columns = _pair(kernel)
    return total(images.shape[-2], rows), total(images.shape[-1], columns)


def _pair(kernel: Kernel) -> tuple[int, int]:
    return (kernel, kernel) if isinstance(kernel, int) else (kernel[0], kernel[1])


def pad_same(images: torch.Tensor, *, kernel: Kernel, stride: int, value: float = 0.0) -> torch.Tensor:
    """Pad maps as TensorFlow's "same" does, the odd pixel on the right and at the bottom.

    Args:
        images: (N, C, H, W).
        kernel: side of the kernel, or its rows and columns, pixels.
        stride: pixels between two windows.
        value: what the new pixels hold.

    Returns:
        (N, C, H', W'), on which a layer without padding gives ceil(H / stride) rows and ceil(W / stride) columns.

    Example:
        padded = pad_same(torch.rand(1, 3, 224, 224), kernel=3, stride=2)  # (1, 3, 225, 225)
    """
    vertical, horizontal = same_pixels(images, kernel=kernel, stride=stride)
    left_right_top_bottom = (horizontal // 2, -(-horizontal // 2), vertical // 2, -(-vertical // 2))
    return F.pad(images, left_right_top_bottom, value=value)


class SameConv2d(Conv2d):
    """A convolution with TensorFlow's "same" padding.

    It takes the arguments of torch.nn.Conv2d: one stride for both directions, and no `padding`.

    Example:
        layer = SameConv2d(3, 8, 3, stride=2)
        out = layer(torch.rand(1, 3, 225, 225))  # (1, 8, 113, 113)
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Convolve maps.

        Args:
            input: (N, in_channels, H, W).

        Returns:
            (N, out_channels, ceil(H / stride), ceil(W / stride)).
        """
        return super().forward(pad_same(input, kernel=self.kernel_size, stride=self.stride[0]))


def is_plain(part: nn.Module) -> bool:
    """Check whether a part is a convolution and nothing more; a class derived from one may do more.

    Args:
        part: any module.

    Returns:
        True for torch's Conv2d, ours, and SameConv2d; False for classes derived from them.
    """
    return type(part) in (nn.Conv2d, Conv2d, SameConv2d)


def convolve(conv: nn.Conv2d, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Compute a convolution with other weights than its own.

    Args:
        conv: the layer, whose stride, padding, dilation and groups count.
        images: (N, C, H, W).
        weight: (O, C / groups, k, k).
        bias: (O,), or None.

    Returns:
        (N, O, h, w).
    """
    if isinstance(conv, SameConv2d):
        images = pad_same(images, kernel=conv.kernel_size, stride=conv.stride[0])
    if isinstance(conv, Conv2d):
        return conv.convolve(images, weight, bias)
    return conv._conv_forward(images, weight, bias)


class _SamePool2d(nn.Module):
    """A window that moves over maps, with TensorFlow's "same" padding."""

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride


class SameMaxPool2d(_SamePool2d):
    """Max pooling with TensorFlow's "same" padding. Padding never wins, even where all values are negative.

    Args:
        kernel: side of the window, pixels.
        stride: pixels between two windows.

    Example:
        out = SameMaxPool2d(3, stride=2)(torch.rand(1, 8, 113, 113))  # (1, 8, 57, 57)
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pool maps.

        Args:
            images: (N, C, H, W).

        Returns:
            (N, C, ceil(H / stride), ceil(W / stride)).
        """
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
    kernel: Kernel,
    stride: int = 1,
    padding: Padding = "symmetric",
    bias: bool = False,
    groups: int = 1,
) -> Conv2d:
    """Make a convolution that pads as its reference does.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel: side of the kernel, or its rows and columns, pixels; odd where padding is "symmetric".
        stride: pixels between two windows.
        padding: "symmetric" (kernel // 2 on every side), "same" (TensorFlow's) or "valid" (none).
        bias: whether it has a bias.
        groups: groups of channels; as many as channels for a depthwise convolution.

    Returns:
        The layer, (N, in_channels, H, W) -> (N, channels, h, w); a SameConv2d only where that differs from "symmetric".

    Example:
        stem = make_conv(3, 32, kernel=3, stride=2, padding="same")
    """
    rows, columns = _pair(kernel)
    if padding == "same" and (stride > 1 or rows % 2 == 0 or columns % 2 == 0):  # the two are equal otherwise
        return SameConv2d(in_channels, channels, (rows, columns), stride=stride, bias=bias, groups=groups)
    pixels = (0, 0) if padding == "valid" else (rows // 2, columns // 2)
    return Conv2d(in_channels, channels, (rows, columns), stride=stride, padding=pixels, bias=bias, groups=groups)


def make_max_pool(kernel: int, *, stride: int, padding: Padding = "symmetric") -> nn.Module:
    """Make a max pooling that pads as its reference does.

    Args:
        kernel: side of the window, pixels.
        stride: pixels between two windows.
        padding: "symmetric" (kernel // 2 on every side), "same" (TensorFlow's) or "valid" (none).

    Returns:
        The layer, (N, C, H, W) -> (N, C, h, w).
    """
    if padding == "same":
        return SameMaxPool2d(kernel, stride=stride)
    return nn.MaxPool2d(kernel, stride=stride, padding=0 if padding == "valid" else kernel // 2)


def make_lrn() -> nn.LocalResponseNorm:
    """Make the local response normalization of AlexNet (section 3.3): n = 5, k = 2, alpha = 1e-4, beta = 0.75.

    Returns:
        The layer, (N, C, H, W) -> the same shape. Its alpha is on the mean of the five channels, the paper's on their
        sum.
    """
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


class SameAvgPool2d(_SamePool2d):
    """Average pooling with TensorFlow's "same" padding. Padding does not count in an average.

    Args:
        kernel: side of the window, pixels.
        stride: pixels between two windows.

    Example:
        out = SameAvgPool2d(5, stride=3)(torch.rand(1, 8, 14, 14))  # (1, 8, 5, 5)
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pool maps.

        Args:
            images: (N, C, H, W).

        Returns:
            (N, C, ceil(H / stride), ceil(W / stride)).
        """
        sums = self._pool(images)
        return sums / self._pool(torch.ones_like(images[:1, :1]))  # the share of each window that is picture

    def _pool(self, images: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(pad_same(images, kernel=self.kernel, stride=self.stride), self.kernel, stride=self.stride)


class ConvUnit(nn.Module):
    """Convolution, batch norm and ReLU; or convolution with a bias and ReLU.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel: side of the kernel, or its rows and columns, pixels; odd where padding is "symmetric".
        stride: pixels between two windows.
        padding: "symmetric" (kernel // 2 on every side), "same" (TensorFlow's) or "valid" (none).
        epsilon: batch norm's; None for a bias instead of batch norm.

    Example:
        out = ConvUnit(3, 32, kernel=3, stride=2)(torch.rand(2, 3, 224, 224))  # (2, 32, 112, 112)
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel: Kernel,
        stride: int = 1,
        padding: Padding = "symmetric",
        epsilon: float | None = 1e-3,
    ) -> None:
        super().__init__()
        self.conv = make_conv(
            in_channels, channels, kernel=kernel, stride=stride, padding=padding, bias=epsilon is None
        )
        self.bn = None if epsilon is None else nn.BatchNorm2d(channels, eps=epsilon)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Convolve, normalize and activate maps.

        Args:
            images: (N, in_channels, H, W).

        Returns:
            (N, channels, ceil(H / stride), ceil(W / stride)); less with valid padding.
        """
        out = self.conv(images)
        return F.relu(out if self.bn is None else self.bn(out), inplace=True)


def make_divisible(channels: float, *, divisor: int = 8) -> int:
    """Round a scaled width as MobileNet does: to the nearest multiple of the divisor, never more than a tenth below.

    Args:
        channels: the width, scaled; above 0.
        divisor: what the result is a multiple of, and the least it can be.

    Returns:
        Number of channels.

    Example:
        make_divisible(32 * 0.35)  # 16
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
