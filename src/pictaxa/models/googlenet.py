"""GoogLeNet (Inception v1): Szegedy et al. 2014, "Going deeper with convolutions".

    stem -> inception 3a-3b -> pool -> 4a-4e -> pool -> 5a-5b -> average -> dense

What it introduced: modules that look at several scales side by side, 1x1 convolutions that make that cheap, an average
over the last map instead of hidden dense layers, and auxiliary classifiers that bring gradients to the middle.

Two forms: the paper's (biases, a true 5x5 branch, TF-same padding) and torchvision's (batch norm; its "5x5" branch is
a 3x3, a known slip of the port that its weights need). Names are torchvision's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Entry, torchvision_file
from .initialisation import xavier_initialise
from .layers import ConvUnit, Padding, activate, make_max_pool
from .same_padding import SameAvgPool2d

AuxPool = Literal["valid", "same", "adaptive"]


class Widths(NamedTuple):
    """Channels in an inception module: table 1 of the paper, columns "#1x1" to "pool proj"."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int

    @property
    def out(self) -> int:
        """Channels of the four branches together."""
        return self.one + self.three + self.five + self.pool


MODULES = {
    "inception3a": Widths(64, 96, 128, 16, 32, 32),
    "inception3b": Widths(128, 128, 192, 32, 96, 64),
    "inception4a": Widths(192, 96, 208, 16, 48, 64),
    "inception4b": Widths(160, 112, 224, 24, 64, 64),
    "inception4c": Widths(128, 128, 256, 24, 64, 64),
    "inception4d": Widths(112, 144, 288, 32, 64, 64),
    "inception4e": Widths(256, 160, 320, 32, 128, 128),
    "inception5a": Widths(256, 160, 320, 32, 128, 128),
    "inception5b": Widths(384, 192, 384, 48, 128, 128),
}


@dataclass(frozen=True)
class GoogLeNetForm:
    """What differs between the paper's network and torchvision's."""

    epsilon: float | None  # of batch norm; None: biases instead
    padding: Padding
    five: int  # kernel of the "5x5" branch
    last_pool: int  # kernel of the pool before 5a
    dropout: float  # before the classifier
    aux_pool: AuxPool  # of the auxiliary heads: 5x5/3 with this padding, or averages of a 4 x 4 grid
    aux_dropouts: tuple[float, float]  # after the flattening and after the hidden layer of the auxiliary heads


FORMS = {
    "googlenet": GoogLeNetForm(
        epsilon=None, padding="same", five=5, last_pool=3, dropout=0.4, aux_pool="valid",
        aux_dropouts=(0.5, 0.5)
    ),
    "googlenet_bn": GoogLeNetForm(
        epsilon=1e-3, padding="symmetric", five=3, last_pool=2, dropout=0.2, aux_pool="adaptive",
        aux_dropouts=(0.0, 0.7)
    ),
}  # fmt: skip

AUX_WEIGHT = 0.3  # section 5
AUX_GRID = {"valid": 4, "same": 5, "adaptive": 4}  # side of the auxiliary heads' pooled map


class Inception(nn.Module):
    """Figure 2b: 1x1, 3x3, 5x5 and pooling side by side, each behind or before a 1x1, put together by channel."""

    def __init__(self, in_channels: int, widths: Widths, *, form: GoogLeNetForm) -> None:
        super().__init__()
        epsilon = form.epsilon
        self.branch1 = ConvUnit(in_channels, widths.one, kernel=1, epsilon=epsilon)
        self.branch2 = nn.Sequential(
            ConvUnit(in_channels, widths.three_reduce, kernel=1, epsilon=epsilon),
            ConvUnit(widths.three_reduce, widths.three, kernel=3, epsilon=epsilon),
        )
        self.branch3 = nn.Sequential(
            ConvUnit(in_channels, widths.five_reduce, kernel=1, epsilon=epsilon),
            ConvUnit(widths.five_reduce, widths.five, kernel=form.five, epsilon=epsilon),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            ConvUnit(in_channels, widths.pool, kernel=1, epsilon=epsilon),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, h, w) -> (N, widths.out, h, w)."""
        branches = (self.branch1(images), self.branch2(images), self.branch3(images), self.branch4(images))
        return torch.cat(branches, dim=1)


class AuxiliaryHead(nn.Module):
    """Section 5: average pool 5x5/3, 1x1 with 128, dense 1024, classes."""

    def __init__(self, in_channels: int, num_classes: int, *, form: GoogLeNetForm) -> None:
        super().__init__()
        self.grid = AUX_GRID[form.aux_pool]
        pools = {"valid": nn.AvgPool2d(5, stride=3), "same": SameAvgPool2d(5, stride=3), "adaptive": nn.Identity()}
        self.pool = pools[form.aux_pool]
        self.adaptive = nn.AdaptiveAvgPool2d(self.grid)  # changes nothing at 224 px, but for "adaptive"
        self.conv = ConvUnit(in_channels, 128, kernel=1, epsilon=form.epsilon)
        self.fc1 = nn.Linear(128 * self.grid**2, 1024)
        self.fc2 = classifier_layer(1024, num_classes)
        self.dropout1, self.dropout2 = nn.Dropout(form.aux_dropouts[0]), nn.Dropout(form.aux_dropouts[1])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, 14, 14) at 224 px -> (N, 128, 4, 4) -> (N, 2048) -> (N, num_classes)."""
        pooled = self.adaptive(self.pool(maps) if min(maps.shape[2:]) >= 5 else maps)
        out = self.dropout1(self.conv(pooled).flatten(1))
        return self.fc2(self.dropout2(activate(self.fc1(out))))


class GoogLeNet(Classifier):
    """The network of table 1; `aux` adds the auxiliary heads, which only training uses."""

    auxiliary = ("aux1", "aux2")
    flattened = MappingProxyType({"aux1.fc1": 128, "aux2.fc1": 128})

    def __init__(self, num_classes: int, in_channels: int, *, form: GoogLeNetForm, aux: bool = True) -> None:
        super().__init__(num_classes, in_channels)
        self.conv1 = ConvUnit(in_channels, 64, kernel=7, stride=2, padding=form.padding, epsilon=form.epsilon)
        self.maxpool1 = _pool(3, form=form)
        self.conv2 = ConvUnit(64, 64, kernel=1, epsilon=form.epsilon)
        self.conv3 = ConvUnit(64, 192, kernel=3, epsilon=form.epsilon)
        self.maxpool2 = _pool(3, form=form)
        channels = 192
        for name, widths in MODULES.items():
            self.add_module(name, Inception(channels, widths, form=form))
            channels = widths.out
        self.maxpool3 = _pool(3, form=form)
        self.maxpool4 = _pool(form.last_pool, form=form)
        heads = aux and num_classes > 0
        self.aux1, self.aux2 = (
            AuxiliaryHead(MODULES[name].out, num_classes, form=form) if heads else None
            for name in ("inception4a", "inception4d")
        )  # fmt: skip
        self.dropout = nn.Dropout(form.dropout)
        self.fc = classifier_layer(channels, num_classes)
        xavier_initialise(self)
        self.set_normalization(*NORMALIZATIONS["imagenet"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1024, H / 32, W / 32)."""
        return self._from_4d(self._to_4d(self._to_4a(images)))

    def _through(self, maps: torch.Tensor, *places: str) -> torch.Tensor:
        for place in places:
            maps = self.get_submodule(f"inception{place}")(maps)
        return maps

    def _to_4a(self, images: torch.Tensor) -> torch.Tensor:
        out = self.maxpool1(self.conv1(images))  # (N, C, H, W) -> (N, 64, H / 4, W / 4)
        out = self.maxpool2(self.conv3(self.conv2(out)))  # -> (N, 192, H / 8, W / 8)
        out = self.maxpool3(self._through(out, "3a", "3b"))  # -> (N, 480, H / 16, W / 16)
        return self._through(out, "4a")

    def _to_4d(self, maps: torch.Tensor) -> torch.Tensor:
        return self._through(maps, "4b", "4c", "4d")

    def _from_4d(self, maps: torch.Tensor) -> torch.Tensor:
        out = self.maxpool4(self._through(maps, "4e"))  # -> (N, 832, H / 32, W / 32)
        return self._through(out, "5a", "5b")

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1024, h, w) -> (N, 1024) -> (N, num_classes)."""
        return self.fc(self.dropout(features.mean(dim=(2, 3))))

    def training_logits(self, images: torch.Tensor) -> tuple[tuple[torch.Tensor, float], ...]:
        """The main head, and with `aux` the heads after 4a and 4d at weight 0.3 each."""
        if self.aux1 is None or self.aux2 is None:
            return super().training_logits(images)
        self.check(images)
        after_4a = self._to_4a(self.normalise(images))
        after_4d = self._to_4d(after_4a)
        main = self.head(self._from_4d(after_4d))
        return (main, 1.0), (self.aux1(after_4a), AUX_WEIGHT), (self.aux2(after_4d), AUX_WEIGHT)


def _pool(kernel: int, *, form: GoogLeNetForm) -> nn.Module:
    if form.padding == "same":
        return make_max_pool(kernel, stride=2, padding="same")
    return nn.MaxPool2d(kernel, stride=2, ceil_mode=True)  # as torchvision


def googlenet(num_classes: int, in_channels: int, *, aux: bool = True, aux_pool: AuxPool = "valid") -> GoogLeNet:
    """The paper's network. `aux_pool="same"` is a variant in use: TF-same pools in the heads, and no dropout."""
    form = FORMS["googlenet"]
    if aux_pool == "same":
        form = replace(form, aux_pool="same", dropout=0.0, aux_dropouts=(0.0, 0.0))
    return GoogLeNet(num_classes, in_channels, form=form, aux=aux)


_PAPER = "Szegedy et al. 2014, Going deeper with convolutions"

ENTRIES = {
    "googlenet": Entry(googlenet, "googlenet", 2014, _PAPER, size=224),
    # Weights ported from TensorFlow: pictures in [-1, 1], which torchvision's model turns its into (transform_input).
    "googlenet_bn": Entry(
        GoogLeNet, "googlenet", 2014, _PAPER, size=224, row={"form": FORMS["googlenet_bn"]},
        published=torchvision_file("googlenet-1378be20.pth", 69.778, normalization="-1-1"),
    ),
}  # fmt: skip
