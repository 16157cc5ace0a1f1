"""Layers that families share: convolutions and pooling with either library's padding, convolution with batch norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .convolution import Conv2d
from .same_padding import Kernel, SameConv2d, SameMaxPool2d, pad_same, rows_and_columns

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
    rows, columns = rows_and_columns(kernel)
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
