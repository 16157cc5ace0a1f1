"""ResNet v2: He et al. 2016, "Identity mappings in deep residual networks", in Keras' form.

Batch norm and ReLU come before each convolution (pre-activation), so that a shortcut is a plain sum from the first
block to the last. In this form a stack halves in its last block, whose shortcut is then a 1x1 max pool with stride 2,
and only the first block of a stack has a projection, taken from the pre-activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Rule, keras_file
from .initialisation import FIRST_WEIGHTS, FirstWeights
from .layers import Activation, Pooling, activate, make_conv, make_global_pool
from .resnet import keras_block_rules

EXPANSION = 4

# Blocks in each stack: table 1 of He et al. 2015.
SIZES: dict[str, tuple[int, int, int, int]] = {
    "resnet50v2": (3, 4, 6, 3),
    "resnet101v2": (3, 4, 23, 3),
    "resnet152v2": (3, 8, 36, 3),
}


@dataclass(frozen=True)
class V2Form:
    """What may differ between ports of one depth; `ResNetV2` tells of each."""

    epsilon: float
    momentum: float
    bias: bool
    conv_bias: bool
    activation: Activation
    slope: float

    def norm(self, channels: int) -> nn.BatchNorm2d:
        """Its batch norm."""
        return nn.BatchNorm2d(channels, eps=self.epsilon, momentum=self.momentum)

    def activate(self, maps: torch.Tensor) -> torch.Tensor:
        """Its activation, in place where it can be."""
        return activate(maps, self.activation, slope=self.slope)


class PreactBottleneck(nn.Module):
    """BN, ReLU, then 1x1 down, 3x3, 1x1 up, each but the last followed by BN and ReLU (figure 4e)."""

    def __init__(self, in_channels: int, width: int, *, stride: int, project: bool, form: V2Form) -> None:
        super().__init__()
        channels = EXPANSION * width
        self.preact_bn = form.norm(in_channels)
        self.projection = make_conv(in_channels, channels, kernel=1, stride=stride, bias=form.bias) if project else None
        self.conv1 = make_conv(in_channels, width, kernel=1, bias=form.conv_bias)
        self.bn1 = form.norm(width)
        self.conv2 = make_conv(width, width, kernel=3, stride=stride, bias=form.conv_bias)
        self.bn2 = form.norm(width)
        self.conv3 = make_conv(width, channels, kernel=1, bias=form.bias)
        self.form = form
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        active = self.form.activate(self.preact_bn(images))
        if self.projection is not None:
            shortcut = self.projection(active)
        else:
            shortcut = images[:, :, :: self.stride, :: self.stride]  # a 1x1 max pool takes every other pixel
        out = self.form.activate(self.bn1(self.conv1(active)))
        out = self.form.activate(self.bn2(self.conv2(out)))
        return self.conv3(out) + shortcut


class ResNetV2(Classifier):
    """7x7/2, max pool /2, four stacks, BN and ReLU, global average, dense; pictures are normalised to [-1, 1].

    Without options it is that of keras.applications, whose weights load. Tutorials that write it out themselves have
    what their layers have by default: in Keras `epsilon=0.001`, in torch `epsilon=1e-5 momentum=0.1 bias=False
    pool_pads="lowest"`.

    Args:
        num_classes: number of classes; 0 for a model without its last layer.
        in_channels: 3 for RGB, 1 for grey.
        blocks: in each stack, a row of SIZES.
        preact: False puts BN and ReLU behind the 7x7 and leaves out those behind the last stack, as `preact=False` of
            Keras' own function does.
        stem_preact: BN and ReLU between the 7x7 and the pool, whatever stands behind the last stack.
        bias: biases of projections and of the last 1x1 in a block.
        conv_bias: biases of the other convolutions in a block.
        stem_bias: a bias of the 7x7; Keras' `use_bias`.
        epsilon: of batch norm; BatchNormalization() has 1e-3 and keras.applications 1.001e-5.
        momentum: of batch norm, as torch counts it: the part of each batch in the running statistics. Keras' 0.99, the
            default of its layer, is 0.01 here.
        pool_pads: with what the map is padded before the pool: "zeros" (Keras), or "lowest", which never wins (torch).
        activation: after each batch norm.
        slope: of leaky_relu below zero.
        pooling: of the last map; "none", with `num_classes=0`, gives the map, as Keras' include_top=False does.
        first_weights: "he" as in the paper, "glorot" as Keras' layers begin, "torch" as torch's.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        blocks: tuple[int, int, int, int],
        preact: bool = True,
        stem_preact: bool = False,
        bias: bool = True,
        conv_bias: bool = False,
        stem_bias: bool = True,
        epsilon: float = 1.001e-5,
        momentum: float = 0.01,
        pool_pads: Literal["zeros", "lowest"] = "zeros",
        activation: Activation = "relu",
        slope: float = 0.01,
        pooling: Pooling = "avg",
        first_weights: FirstWeights = "he",
    ) -> None:
        super().__init__(num_classes, in_channels)
        form = V2Form(epsilon, momentum, bias, conv_bias, activation, slope)
        self.form = form
        self.pool_value = 0.0 if pool_pads == "zeros" else float("-inf")
        self.conv1 = make_conv(in_channels, 64, kernel=7, stride=2, bias=stem_bias)
        self.stem_bn = form.norm(64) if stem_preact or not preact else None
        channels = 64
        stacks = []
        for number, depth in enumerate(blocks):
            width = 64 * 2**number
            units = []
            for i in range(depth):
                stride = 2 if i == depth - 1 and number < 3 else 1
                units.append(PreactBottleneck(channels, width, stride=stride, project=i == 0, form=form))
                channels = EXPANSION * width
            stacks.append(nn.Sequential(*units))
        self.layer1, self.layer2, self.layer3, self.layer4 = stacks
        self.post_bn = form.norm(channels) if preact else None
        self.pooling = pooling
        self.avgpool = make_global_pool(pooling, num_classes=num_classes)
        self.fc = classifier_layer(channels, num_classes)
        FIRST_WEIGHTS[first_weights](self)
        self.set_normalization(*NORMALIZATIONS["-1-1"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 2048, H / 32, W / 32)."""
        out = self.conv1(images)  # -> (N, 64, H / 2, W / 2)
        if self.stem_bn is not None:
            out = self.form.activate(self.stem_bn(out))
        # Keras pads with zeros before this pool, and values may be negative here.
        out = F.max_pool2d(F.pad(out, (1, 1, 1, 1), value=self.pool_value), kernel_size=3, stride=2)
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))  # of (N, 64, H / 4, W / 4)
        return out if self.post_bn is None else self.form.activate(self.post_bn(out))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 2048, h, w) -> (N, 2048) -> (N, num_classes); with `pooling="none"` the map itself."""
        pooled = self.avgpool(features)
        return pooled if self.pooling == "none" else self.fc(pooled.flatten(1))


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
