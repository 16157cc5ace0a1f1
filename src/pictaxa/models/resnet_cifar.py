"""ResNets for 32-pixel pictures.

He et al. 2015, section 4.2: a 3x3, three stages of n blocks with 16, 32 and 64 channels, average, dense; 6n + 2
layers with two-convolution blocks. He et al. 2016, "Identity mappings in deep residual networks": pre-activation, and
9n + 2 layers with bottlenecks of four times the channels. Shortcuts have no parameters where the shape changes (option
A: every other pixel, and zeros for the new channels), but in bottlenecks, whose first shortcut of a stage is a 1x1.

`shortcut` and `order` are the experiments of the second paper (resnet_ablations.py); `shortcut="none"` is the first
paper's plain network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .contract import Classifier, classifier_layer
from .convolution import Conv2d
from .entry import Entry
from .initialisation import he_initialise
from .resnet_ablations import (
    ORDERS,
    SHORTCUTS,
    Ablation,
    ConvSizes,
    Gate,
    Order,
    Place,
    ResidualUnit,
    Shortcut,
    take_steps,
)

# Statistics of CIFAR-10's training pictures, RGB in [0, 1].
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2470, 0.2435, 0.2616)

STAGE_WIDTHS = (16, 32, 64)

# Blocks up to which batch norm's usual first statistics, mean 0 and variance 1, do. He's first weights double the
# variance with each block as long as no norm divides by it, and float32 ends at 2 to the 128.
MAX_UNMEASURED = 100


MEASURED, MEASURED_SIDE = 8, 16  # pictures of noise, and their side in pixels


@dataclass(frozen=True)
class Size:
    """A row of SIZES."""

    blocks: int  # in each of the three stages: n
    bottleneck: bool
    order: Order


# 6n + 2 layers, or 9n + 2 with bottlenecks.
SIZES = {
    f"cifar_resnet{depth}": Size(blocks=(depth - 2) // 6, bottleneck=False, order="original")
    for depth in (20, 32, 44, 56, 110, 1202)
} | {
    "cifar_preresnet110": Size(blocks=18, bottleneck=False, order="full_preact"),
    "cifar_preresnet164": Size(blocks=18, bottleneck=True, order="full_preact"),
    "cifar_preresnet1001": Size(blocks=111, bottleneck=True, order="full_preact"),
}


class Block(nn.Module):
    """A residual path and a shortcut, and the way they meet."""

    def __init__(self, in_channels: int, width: int, *, stride: int, bottleneck: bool, ablation: Ablation) -> None:
        super().__init__()
        channels = 4 * width if bottleneck else width
        basic: ConvSizes = ((3, width, stride), (3, width, 1))
        narrow: ConvSizes = ((1, width, 1), (3, width, stride), (1, channels, 1))
        self.residual = ResidualUnit(in_channels, narrow if bottleneck else basic, order=ablation.order)
        self.shortcut = SHORTCUTS[ablation.shortcut](Place(in_channels, channels, stride, bottleneck), ablation)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        return self.residual.after(self.shortcut(images, self.residual(images)))


class CifarResNet(Classifier):
    """3x3, three stages, (BN and ReLU where no block ends with them,) average, dense."""

    def __init__(self, num_classes: int, in_channels: int, *, size: Size, ablation: Ablation) -> None:
        super().__init__(num_classes, in_channels)
        self.conv1 = Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False)
        order = ORDERS[ablation.order]
        self.bn1 = nn.BatchNorm2d(16) if order.stem_norm else None
        channels = 16
        stages = []
        for number, width in enumerate(STAGE_WIDTHS):
            units = []
            for i in range(size.blocks):
                stride = 2 if number > 0 and i == 0 else 1
                units.append(Block(channels, width, stride=stride, bottleneck=size.bottleneck, ablation=ablation))
                channels = 4 * width if size.bottleneck else width
            stages.append(nn.Sequential(*units))
        self.layer1, self.layer2, self.layer3 = stages
        self.last_bn = nn.BatchNorm2d(channels) if "norm" in order.end else None
        self.end = order.end
        self.fc = classifier_layer(channels, num_classes)
        he_initialise(self)
        for part in self.modules():
            if isinstance(part, Gate):
                assert part.conv.bias is not None
                nn.init.constant_(part.conv.bias, part.start_bias)
        self.set_normalization(CIFAR_MEAN, CIFAR_STD)
        if 3 * size.blocks > MAX_UNMEASURED:
            measure_statistics(self)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, 32, 32) -> (N, 64 or 256, 8, 8)."""
        out = self.conv1(images)  # -> (N, 16, 32, 32)
        if self.bn1 is not None:
            out = F.relu(self.bn1(out))
        return take_steps(self.layer3(self.layer2(self.layer1(out))), self.end, self.last_bn)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, C) -> (N, num_classes)."""
        return self.fc(features.mean(dim=(2, 3)))


@torch.no_grad()
def measure_statistics(model: CifarResNet) -> None:
    """Begin with the running statistics of a batch of noise, so that a fresh network can be evaluated.

    Weights, and so the training, stay as they are: there a batch has its own statistics, and the running ones soon
    forget what they began with. On the meta device nothing happens.

    Args:
        model: the network, in training mode; its running statistics are changed.
    """
    if model.conv1.weight.is_meta:
        return
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    generator = torch.Generator("cpu").manual_seed(0)
    shape = (MEASURED, model.in_channels, MEASURED_SIDE, MEASURED_SIDE)
    noise = torch.randn(shape, generator=generator, device="cpu").to(model.conv1.weight.device)
    with torch.random.fork_rng(devices=[]):  # dropout among the shortcuts draws too
        for norm in norms:
            norm.momentum = 1.0
        model.backbone(noise)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.zero_()


def builder(name: str) -> Callable[..., CifarResNet]:
    """The constructor of a row of SIZES, with the paper's ablations as options."""
    size = SIZES[name]

    def build(
        num_classes: int,
        in_channels: int,
        *,
        shortcut: Shortcut = "identity",
        order: Order = size.order,
        shortcut_scale: float = 0.5,
        residual_scale: float = 0.5,
        gate_bias: float = -6.0,
    ) -> CifarResNet:
        ablation = Ablation(shortcut, order, shortcut_scale, residual_scale, gate_bias)
        return CifarResNet(num_classes, in_channels, size=size, ablation=ablation)

    return build


_PAPERS = {
    2015: "He et al. 2015, Deep residual learning for image recognition",
    2016: "He et al. 2016, Identity mappings in deep residual networks",
}


def _entry(name: str) -> Entry:
    year = 2015 if SIZES[name].order == "original" else 2016
    return Entry(builder(name), "resnet_cifar", year, _PAPERS[year], size=32, min_size=8)


ENTRIES = {name: _entry(name) for name in SIZES}
