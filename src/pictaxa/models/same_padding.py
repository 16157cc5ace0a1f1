"""TensorFlow's "same" padding and its layers: out = ceil(in / stride), the odd pixel on the right and at the bottom."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .convolution import Conv2d

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

    rows, columns = rows_and_columns(kernel)
    return total(images.shape[-2], rows), total(images.shape[-1], columns)


def rows_and_columns(kernel: Kernel) -> tuple[int, int]:
    """A kernel's two sides, pixels."""
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
