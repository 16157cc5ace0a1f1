"""The arithmetic of convolutional networks: sizes, receptive fields, parameters, multiply-adds.

As textbooks have it; working.py writes it out, and a test holds it to what graph.py reads from real networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..errors import ModelError


def output_size(size: int, *, kernel: int, stride: int = 1, padding: int | Literal["valid", "same"] = "valid") -> int:
    """Compute the pixels along a side after a convolution or a pool.

    valid: ceil((W - F + 1) / S); same: ceil(W / S); P pixels on each side: floor((W - F + 2 P) / S) + 1.

    Args:
        size: pixels along a side of the input, W.
        kernel: side of the kernel, F.
        stride: pixels between two windows, S.
        padding: "valid" (none), "same" (TensorFlow's), or the pixels on each side, P.

    Returns:
        Pixels along a side of the output.

    Raises:
        ModelError: the kernel is larger than the padded input, or a number is below its least.

    Example:
        output_size(227, kernel=11, stride=4)  # 55
    """
    for word, value, least in (("size", size, 1), ("kernel", kernel, 1), ("stride", stride, 1)):
        _at_least(word, value, least)
    if padding == "same":
        return -(-size // stride)
    around = 0 if padding == "valid" else padding
    _at_least("padding", around, 0)
    if kernel > size + 2 * around:
        raise ModelError(
            f"a kernel of at most {size + 2 * around} pixels",
            found=str(kernel),
            fix="Use a smaller kernel or more padding.",
        )
    return -(-(size - kernel + 1) // stride) if padding == "valid" else (size - kernel + 2 * around) // stride + 1


class Layer(NamedTuple):
    """What a layer does to positions: a kernel and a stride, in pixels of its input."""

    kernel: int
    stride: int = 1


def read_layer(text: str) -> Layer:
    """Read a layer as people write it.

    Args:
        text: kernel and stride, such as `7/2`, or the kernel alone, for a stride of 1.

    Returns:
        The layer.

    Raises:
        ModelError: it is not written so, or a number is below 1.

    Example:
        read_layer("7/2")  # Layer(kernel=7, stride=2)
    """
    kernel, slash, stride = text.partition("/")
    words = (kernel, stride) if slash else (kernel, "1")
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ModelError("layers as KERNEL or KERNEL/STRIDE", found=repr(text), fix="For example, use 7/2 3/2 3 3.")
    return Layer(*map(int, words))


def receptive_field(layers: Sequence[Layer], *, field: int = 1) -> int:
    """Compute what part of the input a position sees after layers, from the last layer back.

    A field of r after a layer is one of (r - 1) * stride + kernel before it. Padding does not matter.

    Args:
        layers: from the first to the last.
        field: pixels along a side after the last layer.

    Returns:
        Pixels along a side of the input.

    Example:
        receptive_field([Layer(3), Layer(3), Layer(3)])  # 7
    """
    for layer in reversed(layers):
        field = (field - 1) * layer.stride + layer.kernel
    return field


def conv_parameters(in_channels: int, channels: int, *, kernel: int, bias: bool = True, groups: int = 1) -> int:
    """Count the weights of a square convolution: each output channel has a kernel for each input channel of its group.

    Args:
        in_channels: channels of the input, a multiple of `groups`.
        channels: channels of the output, a multiple of `groups`.
        kernel: side of the kernel, pixels.
        bias: whether each output channel has a bias.
        groups: number of groups; as many as channels for a depthwise convolution.

    Returns:
        Number of weights, biases included.

    Raises:
        ModelError: the groups don't divide the channels, or a number is below 1.

    Example:
        conv_parameters(128, 128, kernel=3, groups=32, bias=False)  # 4608
    """
    named = (("in_channels", in_channels), ("channels", channels), ("kernel", kernel), ("groups", groups))
    for word, value in named:
        _at_least(word, value, 1)
    for word, value in named[:2]:
        if value % groups:
            raise ModelError(
                f"{word} a multiple of {groups} groups", found=str(value), fix="Use groups that divide both numbers."
            )
    return kernel * kernel * (in_channels // groups) * channels + (channels if bias else 0)


def dense_parameters(inputs: int, outputs: int, *, bias: bool = True) -> int:
    """Count the weights of a dense layer.

    Args:
        inputs: length of its input.
        outputs: length of its output.
        bias: whether each output has a bias.

    Returns:
        Number of weights, biases included.

    Example:
        dense_parameters(400, 120)  # 48120
    """
    return inputs * outputs + (outputs if bias else 0)


def conv_multiply_adds(in_channels: int, channels: int, *, kernel: int, size: int, groups: int = 1) -> int:
    """Count the multiplications, each with an addition, of a square convolution.

    Args:
        in_channels: channels of the input, a multiple of `groups`.
        channels: channels of the output, a multiple of `groups`.
        kernel: side of the kernel, pixels.
        size: pixels along a side of the output.
        groups: number of groups.

    Returns:
        Number of multiply-adds for one picture.

    Raises:
        ModelError: as conv_parameters.

    Example:
        conv_multiply_adds(3, 64, kernel=7, size=112)  # 118013952
    """
    return conv_parameters(in_channels, channels, kernel=kernel, bias=False, groups=groups) * size * size


def separable_share(channels: int, *, kernel: int = 3) -> float:
    """Compute the cost of a depthwise separable convolution relative to a full one (MobileNets, section 3.1).

    Args:
        channels: channels of the output, N.
        kernel: side of the kernel, k.

    Returns:
        1 / N + 1 / k^2.

    Example:
        1 / separable_share(256)  # 8.69
    """
    return 1 / channels + 1 / kernel**2


def _at_least(word: str, value: int, least: int) -> None:
    if value < least:
        raise ModelError(f"{word} of {least} or more", found=str(value), fix=f"Change {word}.")
