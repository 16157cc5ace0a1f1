"""What MobileNets and EfficientNet-Lite are built of, and what other libraries call its layers.

A block of Sandler et al. 2018, "Inverted residuals and linear bottlenecks", widens by 1x1, filters each channel by
itself (depthwise), and narrows by 1x1 without an activation; Howard et al. 2019, "Searching for MobileNetV3", puts
squeeze-and-excitation before the last.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .entry import Elsewhere, Rule
from .layers import Padding, make_conv, make_divisible

Activation = Literal["relu", "relu6", "hardswish", "none"]
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
}


class Norm(NamedTuple):
    """Batch norm's settings and the padding, which differ between the ports."""

    epsilon: float
    momentum: float
    padding: Padding


class ConvNormAct(nn.Sequential):
    """Convolution, batch norm, activation; `groups=in_channels` makes it depthwise."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel: int,
        norm: Norm,
        stride: int = 1,
        groups: int = 1,
        activation: Activation = "relu6",
    ) -> None:
        conv = make_conv(in_channels, channels, kernel=kernel, stride=stride, padding=norm.padding, groups=groups)
        layers: list[nn.Module] = [conv, nn.BatchNorm2d(channels, eps=norm.epsilon, momentum=norm.momentum)]
        if activation != "none":
            layers.append(_ACTIVATIONS[activation]())
        super().__init__(*layers)


class Row(NamedTuple):
    """An inverted residual: a row of tables 1 and 2 of v3's paper."""

    kernel: int
    wide: int  # "exp size"
    channels: int
    squeeze: bool
    activation: Activation
    stride: int


Blocks = list[tuple[int, Row]]  # (channels before it, the block)


class SqueezeExcite(nn.Module):
    """Hu et al. 2017, "Squeeze-and-excitation networks": each channel times a gate that the whole map decides.

    From v3 on.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = make_divisible(channels // 4)
        self.fc1 = nn.Conv2d(channels, squeezed, kernel_size=1)
        self.fc2 = nn.Conv2d(squeezed, channels, kernel_size=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape."""
        gate = images.mean(dim=(2, 3), keepdim=True)  # -> (N, C, 1, 1)
        gate = F.hardsigmoid(self.fc2(F.relu(self.fc1(gate))))
        return images * gate


def residual_units(in_channels: int, row: Row, *, norm: Norm) -> list[nn.Module]:
    """Widen by 1x1, filter by a depthwise kernel, squeeze and excite, narrow by 1x1 without activation."""
    layers: list[nn.Module] = []
    if row.wide != in_channels:
        layers.append(ConvNormAct(in_channels, row.wide, kernel=1, norm=norm, activation=row.activation))
    layers.append(
        ConvNormAct(
            row.wide, row.wide, kernel=row.kernel, stride=row.stride, groups=row.wide, norm=norm,
            activation=row.activation,
        )
    )  # fmt: skip
    if row.squeeze:
        layers.append(SqueezeExcite(row.wide))
    layers.append(ConvNormAct(row.wide, row.channels, kernel=1, norm=norm, activation="none"))
    return layers


# What other libraries call the layers: (theirs, ours) pairs.
Layers = list[tuple[str, str]]


class BlockWords(NamedTuple):
    """What a library calls the layers of an inverted residual: a convolution and its batch norm each."""

    widen: tuple[str, str]
    filter: tuple[str, str]
    narrow: tuple[str, str]
    gate: tuple[str, str] = ("", "")  # the two convolutions of squeeze-and-excitation
    plain: tuple[tuple[str, str], ...] = ()  # filter and narrow in a block that does not widen, where otherwise


TIMM_WORDS = BlockWords(
    widen=("conv_pw", "bn1"), filter=("conv_dw", "bn2"), narrow=("conv_pwl", "bn3"),
    gate=("se.conv_reduce", "se.conv_expand"), plain=(("conv_dw", "bn1"), ("conv_pw", "bn2")),
)  # fmt: skip
TORCHVISION = Elsewhere((Rule(r"features\.(.+)", r"convs.\1"),))  # a module there; a method of the contract here


def timm_blocks(widths: Iterable[int]) -> list[str]:
    """timm's paths of blocks with these channels: by stage, one for each width, and place in it."""
    stages = enumerate(itertools.groupby(widths))
    return [f"blocks.{stage}.{place}." for stage, (_, blocks) in stages for place, _ in enumerate(blocks)]


def unit_layers(convolution: str, norm: str, ours: str) -> Layers:
    """The layers of a ConvNormAct."""
    return [(convolution, f"{ours}.0"), (norm, f"{ours}.1")]


def block_layers(
    words: BlockWords, theirs: str, ours: str, *, widens: bool, gates: bool = False, apart: bool = False
) -> Layers:
    """The layers of an inverted residual; in v2 the narrowing convolution and its norm stand apart."""
    middle, last = words.plain if words.plain and not widens else (words.filter, words.narrow)
    units = [*([words.widen] if widens else []), middle, *([words.gate] if gates else []), last]
    layers: Layers = []
    for i, unit in enumerate(units):
        parts = ("fc1", "fc2") if unit == words.gate else ("0", "1")
        paths = (f"{i}", f"{i + 1}") if apart and unit == last else (f"{i}.{part}" for part in parts)
        layers += [(f"{theirs}{word}", f"{ours}.{path}") for word, path in zip(unit, paths, strict=True)]
    return layers
