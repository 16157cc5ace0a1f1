"""The experiments of He et al. 2016, "Identity mappings in deep residual networks": shortcuts and activation orders.

A block is a shortcut and a residual unit F that meet in a sum. Figure 2 and table 1 change the shortcut, figure 4 and
table 2 the order of convolution, batch norm and ReLU in F and after the sum. Each shortcut is a small class here, each
order a row of a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from .convolution import Conv2d

Shortcut = Literal["identity", "none", "constant", "exclusive_gating", "shortcut_only_gating", "conv1x1", "dropout"]
Order = Literal["original", "bn_after_addition", "relu_before_addition", "relu_only_preact", "full_preact"]


@dataclass(frozen=True)
class Ablation:
    """What a block's two paths are, and how they meet."""

    shortcut: Shortcut
    order: Order
    shortcut_scale: float  # of "constant"
    residual_scale: float  # of "constant"
    gate_bias: float  # of the gatings: the bias their convolution starts with


class Pad(nn.Module):
    """Option A: every `stride`-th pixel, and zeros for the channels that are new."""

    def __init__(self, new_channels: int, *, stride: int) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C + new_channels, H / stride, W / stride)."""
        return F.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class Gate(nn.Module):
    """sigmoid(W x + b), a 1x1 convolution: how open each pixel of each channel is (section 3.1)."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, bias: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride)
        self.start_bias = bias

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride), in (0, 1)."""
        return torch.sigmoid(self.conv(images))


@dataclass(frozen=True)
class Place:
    """Where a block's shortcut stands."""

    in_channels: int
    channels: int
    stride: int
    bottleneck: bool

    def align(self) -> nn.Module:
        """What brings the input to the output's shape: nothing, option A, or in bottlenecks a 1x1."""
        if self.stride == 1 and self.in_channels == self.channels:
            return nn.Identity()
        if self.bottleneck:
            return self.projection()
        return Pad(self.channels - self.in_channels, stride=self.stride)

    def projection(self) -> nn.Module:
        """A 1x1 to the output's shape."""
        return Conv2d(self.in_channels, self.channels, kernel_size=1, stride=self.stride, bias=False)


class IdentityShortcut(nn.Module):
    """x + F(x) (figure 2a)."""

    def __init__(self, place: Place, ablation: Ablation) -> None:
        super().__init__()
        self.align = place.align()

    def forward(self, images: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) and (N, channels, h, w) -> (N, channels, h, w)."""
        return self.align(images) + residual


class NoShortcut(nn.Module):
    """F(x): a plain network (He et al. 2015, figure 6 left), which deeper is worse."""

    def __init__(self, place: Place, ablation: Ablation) -> None:
        super().__init__()

    def forward(self, images: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) and (N, channels, h, w) -> (N, channels, h, w)."""
        return residual


class ConstantShortcut(IdentityShortcut):
    """a x + b F(x) (figure 2b)."""

    def __init__(self, place: Place, ablation: Ablation) -> None:
        super().__init__(place, ablation)
        self.shortcut_scale = ablation.shortcut_scale
        self.residual_scale = ablation.residual_scale

    def forward(self, images: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) and (N, channels, h, w) -> (N, channels, h, w)."""
        return self.align(images) * self.shortcut_scale + residual * self.residual_scale


class ExclusiveGating(IdentityShortcut):
    """(1 - g) x + g F(x), as in highway networks (figure 2c)."""

    def __init__(self, place: Place, ablation: Ablation) -> None:
        super().__init__(place, ablation)
        self.gate = Gate(place.in_channels, place.channels, stride=place.stride, bias=ablation.gate_bias)

    def forward(self, images: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) and (N, channels, h, w) -> (N, channels, h, w)."""
        gate = self.gate(images)
        return self.align(images) * (1 - gate) + residual * gate


class ShortcutOnlyGating(ExclusiveGating):
    """(1 - g) x + F(x) (figure 2d)."""

    def forward(self, images: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) and (N, channels, h, w) -> (N, channels, h, w)."""
        return self.align(images) * (1 - self.gate(images)) + residual


class Conv1x1Shortcut(IdentityShortcut):
    """W x + F(x), a 1x1 in every block (figure 2e)."""

    def __init__(self, place: Place, ablation: Ablation) -> None:
        nn.Module.__init__(self)
        self.align = place.projection()


class DropoutShortcut(IdentityShortcut):
    """dropout(x) + F(x) (figure 2f)."""

    def __init__(self, place: Place, ablation: Ablation) -> None:
        super().__init__(place, ablation)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) and (N, channels, h, w) -> (N, channels, h, w)."""
        return self.dropout(self.align(images)) + residual


SHORTCUTS: dict[Shortcut, Callable[[Place, Ablation], nn.Module]] = {
    "identity": IdentityShortcut,
    "none": NoShortcut,
    "constant": ConstantShortcut,
    "exclusive_gating": ExclusiveGating,
    "shortcut_only_gating": ShortcutOnlyGating,
    "conv1x1": Conv1x1Shortcut,
    "dropout": DropoutShortcut,
}

ConvSizes = tuple[tuple[int, int, int], ...]  # (kernel, channels, stride) of a block's convolutions

Steps = tuple[Literal["norm", "relu"], ...]


@dataclass(frozen=True)
class Arrangement:
    """A row of ORDERS: what stands around the convolutions of F, and what follows the sum."""

    before: Steps = ()  # each convolution
    between: Steps = ()  # after each but the last
    last: Steps = ()  # after the last
    total: Steps = ()  # after the sum
    stem_norm: bool = True  # whether the network's first convolution has its own BN and ReLU
    end: Steps = ()  # after the network's last block


ORDERS: dict[Order, Arrangement] = {  # figure 4, a to e
    "original": Arrangement(between=("norm", "relu"), last=("norm",), total=("relu",)),
    "bn_after_addition": Arrangement(between=("norm", "relu"), total=("norm", "relu")),
    "relu_before_addition": Arrangement(between=("norm", "relu"), last=("norm", "relu")),  # the sum can only grow
    "relu_only_preact": Arrangement(before=("relu",), between=("norm",), last=("norm",), end=("relu",)),
    # The first shortcut takes the bare convolution.
    "full_preact": Arrangement(before=("norm", "relu"), stem_norm=False, end=("norm", "relu")),
}


def take_steps(images: torch.Tensor, steps: Steps, norm: nn.Module | None) -> torch.Tensor:
    """BN and ReLU, as the steps say."""
    for step in steps:
        images = F.relu(images) if step == "relu" or norm is None else norm(images)
    return images


class ResidualUnit(nn.Module):
    """F(x): a block's convolutions, each with its BN and with ReLUs in one order, and what follows the sum."""

    def __init__(self, in_channels: int, sizes: ConvSizes, *, order: Order) -> None:
        super().__init__()
        self.order = ORDERS[order]
        widths = (in_channels, *(channels for _, channels, _ in sizes))
        self.convs = nn.ModuleList(
            Conv2d(before, channels, kernel, stride=stride, padding=kernel // 2, bias=False)
            for before, (kernel, channels, stride) in zip(widths, sizes, strict=False)
        )
        normed = widths[:-1] if "norm" in self.order.before else widths[1:]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in normed)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), start=1):
            images = conv(take_steps(images, self.order.before, norm))
            images = take_steps(images, self.order.between if i < len(self.convs) else self.order.last, norm)
        return images

    def after(self, total: torch.Tensor) -> torch.Tensor:
        """What follows the sum."""
        return take_steps(total, self.order.total, self.norms[-1])
