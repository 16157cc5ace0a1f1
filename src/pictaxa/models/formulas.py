"""The arithmetic of convolutional networks: sizes, receptive fields, parameters, multiply-adds.

As textbooks have it; `summary.py` reads the same figures from a real network, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


def output_size(size: int, *, kernel: int, stride: int = 1, padding: int | Literal["valid", "same"] = "valid") -> int:
    """Pixels along a side after a convolution or a pool.

    valid: ceil((W - F + 1) / S); same: ceil(W / S); P pixels on each side: floor((W - F + 2 P) / S) + 1.
    """
    if padding == "same":
        return -(-size // stride)
    if padding == "valid":
        return -(-(size - kernel + 1) // stride)
    return (size - kernel + 2 * padding) // stride + 1


class Layer(NamedTuple):
    """What a layer does to positions: a kernel and a stride, in pixels of its input."""

    kernel: int
    stride: int = 1


def receptive_field(layers: Sequence[Layer], *, field: int = 1) -> int:
    """Pixels along a side of the input that `field` pixels after the last layer see, from the last layer back.

    A field of r after a layer is one of (r - 1) * stride + kernel before it.
    """
    for layer in reversed(layers):
        field = (field - 1) * layer.stride + layer.kernel
    return field


def conv_parameters(in_channels: int, channels: int, *, kernel: int, bias: bool = True, groups: int = 1) -> int:
    """Weights of a square convolution: each output channel has one kernel for each input channel of its group."""
    return kernel * kernel * (in_channels // groups) * channels + (channels if bias else 0)


def dense_parameters(inputs: int, outputs: int, *, bias: bool = True) -> int:
    """Weights of a dense layer."""
    return inputs * outputs + (outputs if bias else 0)


def conv_multiply_adds(in_channels: int, channels: int, *, kernel: int, size: int, groups: int = 1) -> int:
    """Multiplications (each with an addition) of a convolution whose output has `size` pixels along a side."""
    return conv_parameters(in_channels, channels, kernel=kernel, bias=False, groups=groups) * size * size


def separable_share(channels: int, *, kernel: int = 3) -> float:
    """Cost of a depthwise separable convolution relative to a full one: 1 / N + 1 / k^2 (MobileNets, section 3.1)."""
    return 1 / channels + 1 / kernel**2
