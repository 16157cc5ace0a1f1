"""Weight initialization, as in the papers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from torch import nn

CUT = 0.8796  # what is left of a normal's deviation when it is cut at two of them


def he_initialise(module: nn.Module) -> None:
    """He et al. 2015, "Delving deep into rectifiers", fan out, for convolutions; normal with 0.01 for dense layers."""
    for layer in weighted_layers(module):
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        else:
            nn.init.normal_(layer.weight, std=0.01)


def xavier_initialise(module: nn.Module) -> None:
    """Glorot & Bengio 2010, uniform, for convolutions and dense layers; zeros for biases."""
    for layer in weighted_layers(module):
        nn.init.xavier_uniform_(layer.weight)


def keep_torchs(module: nn.Module) -> None:
    """What torch gives every layer by itself: uniform within 1 / sqrt(inputs), biases too."""


FirstWeights = Literal["he", "glorot", "torch"]  # the papers' of residual nets; what Keras gives every layer; torch's
FIRST_WEIGHTS: dict[FirstWeights, Callable[[nn.Module], None]] = {
    "he": he_initialise, "glorot": xavier_initialise, "torch": keep_torchs,
}  # fmt: skip


def fan_out_initialise(module: nn.Module) -> None:
    """By what a layer's outputs are: 2 / fan out, cut normal, for convolutions; 1/3 / fan out, uniform, for dense ones.

    As Keras' EfficientNet has them.
    """
    for layer in weighted_layers(module):
        if isinstance(layer, nn.Conv2d):
            outputs = layer.weight.numel() / layer.weight.shape[1]  # channels times the kernel's area
            std = (2 / outputs) ** 0.5 / CUT
            nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
        else:
            limit = (1 / layer.out_features) ** 0.5  # of variance limit^2 / 3
            nn.init.uniform_(layer.weight, -limit, limit)


def lecun_initialise(module: nn.Module) -> None:
    """LeCun et al. 1998, "Efficient backprop": normal with 1 / sqrt(inputs), cut at two deviations; biases zero."""
    for layer in weighted_layers(module):
        std = layer.weight[0].numel() ** -0.5 / CUT
        nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)


def truncated_normal_initialise(module: nn.Module, *, std: float) -> None:
    """Normal with `std`, cut at two of them, for convolutions and dense layers; zeros for biases."""
    for layer in weighted_layers(module):
        nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)


def weighted_layers(module: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """Convolutions and dense layers, their biases set to zero, for giving them first weights.

    None on the meta device, where there are no numbers to draw.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and not layer.weight.is_meta:
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            yield layer
