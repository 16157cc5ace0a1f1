"""ResNet v2: He et al. 2016, "Identity mappings in deep residual networks", in Keras' form.

Batch norm and ReLU come before each convolution (pre-activation), so that a shortcut is a plain sum from the first
block to the last. In this form a stack halves in its last block, whose shortcut is then a 1x1 max pool with stride 2,
and only the first block of a stack has a projection, taken from the pre-activation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Rule, keras_file
from .initialisation import he_initialise
from .layers import make_conv
from .resnet import keras_block_rules

EPSILON = 1.001e-5
EXPANSION = 4

# Blocks in each stack: table 1 of He et al. 2015.
SIZES: dict[str, tuple[int, int, int, int]] = {
    "resnet50v2": (3, 4, 6, 3),
    "resnet101v2": (3, 4, 23, 3),
    "resnet152v2": (3, 8, 36, 3),
}


class PreactBottleneck(nn.Module):
    """BN, ReLU, then 1x1 down, 3x3, 1x1 up, each but the last followed by BN and ReLU (figure 4e)."""

    def __init__(self, in_channels: int, width: int, *, stride: int, project: bool, conv_bias: bool) -> None:
        super().__init__()
        channels = EXPANSION * width
        self.preact_bn = nn.BatchNorm2d(in_channels, eps=EPSILON)
        self.projection = make_conv(in_channels, channels, kernel=1, stride=stride, bias=True) if project else None
        self.conv1 = make_conv(in_channels, width, kernel=1, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width, eps=EPSILON)
        self.conv2 = make_conv(width, width, kernel=3, stride=stride, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width, eps=EPSILON)
        self.conv3 = make_conv(width, channels, kernel=1, bias=True)
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        active = F.relu(self.preact_bn(images), inplace=True)
        if self.projection is not None:
            shortcut = self.projection(active)
        else:
            shortcut = images[:, :, :: self.stride, :: self.stride]  # a 1x1 max pool takes every other pixel
        out = F.relu(self.bn1(self.conv1(active)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        return self.conv3(out) + shortcut


class ResNetV2(Classifier):
    """7x7/2, max pool /2, four stacks, BN and ReLU, global average, dense.

    `stem_preact` puts BN and ReLU between the 7x7 and the pool, `conv_bias` a bias on every convolution; both are
    variants in use. Pictures are normalised to [-1, 1].
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        blocks: tuple[int, int, int, int],
        stem_preact: bool = False,
        conv_bias: bool = False,
    ) -> None:
        super().__init__(num_classes, in_channels)
        self.conv1 = make_conv(in_channels, 64, kernel=7, stride=2, bias=True)
        self.stem_bn = nn.BatchNorm2d(64, eps=EPSILON) if stem_preact else None
        channels = 64
        stacks = []
        for number, depth in enumerate(blocks):
            width = 64 * 2**number
            units = []
            for i in range(depth):
                stride = 2 if i == depth - 1 and number < 3 else 1
                units.append(PreactBottleneck(channels, width, stride=stride, project=i == 0, conv_bias=conv_bias))
                channels = EXPANSION * width
            stacks.append(nn.Sequential(*units))
        self.layer1, self.layer2, self.layer3, self.layer4 = stacks
        self.post_bn = nn.BatchNorm2d(channels, eps=EPSILON)
        self.fc = classifier_layer(channels, num_classes)
        he_initialise(self)
        self.set_normalization(*NORMALIZATIONS["-1-1"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 2048, H / 32, W / 32)."""
        out = self.conv1(images)  # -> (N, 64, H / 2, W / 2)
        if self.stem_bn is not None:
            out = F.relu(self.stem_bn(out), inplace=True)
        # Keras pads with zeros before this pool, and values may be negative here.
        out = F.max_pool2d(F.pad(out, (1, 1, 1, 1)), kernel_size=3, stride=2)  # -> (N, 64, H / 4, W / 4)
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        return F.relu(self.post_bn(out), inplace=True)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 2048, h, w) -> (N, 2048) -> (N, num_classes)."""
        return self.fc(features.mean(dim=(2, 3)))


_PUBLISHED = {
    "resnet50v2": keras_file("resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", 76.0, normalization="-1-1"),
    "resnet101v2": keras_file("resnet101v2", "6343647c601c52e1368623803854d971", 77.2, normalization="-1-1"),
    "resnet152v2": keras_file("resnet152v2", "a49b44d1979771252814e80f8ec446f9", 78.0, normalization="-1-1"),
}

_KERAS = Elsewhere(
    (
        Rule("conv1_conv", "conv1"),
        Rule("post_bn", "post_bn"),
        Rule("predictions", "fc"),
        *keras_block_rules({"preact_bn": "preact_bn", "0_conv": "projection", r"(\d)_(conv|bn)": r"\2\1"}),
    ),
    normalization="-1-1",
)

ENTRIES = {
    name: Entry(
        ResNetV2, "resnet_v2", 2016, "He et al. 2016, Identity mappings in deep residual networks", size=224,
        row={"blocks": SIZES[name]}, published=published, elsewhere={"keras": _KERAS},
    )
    for name, published in _PUBLISHED.items()
}  # fmt: skip
