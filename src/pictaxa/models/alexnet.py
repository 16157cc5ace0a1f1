"""AlexNet: Krizhevsky, Sutskever, Hinton 2012, "ImageNet classification with deep convolutional neural networks".

    11x11/4 -> pool -> 5x5 -> pool -> 3x3 -> 3x3 -> 3x3 -> pool -> dense -> dense -> classes

What it introduced at this scale: ReLU, dropout, training on GPUs. The paper splits the channels over two GPUs; these
forms have one tower. Pools are 3x3 with stride 2, without padding: they overlap (section 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .convolution import Conv2d
from .entry import Elsewhere, Entry, layer_rules, torchvision_file
from .initialisation import weighted_layers, xavier_initialise
from .layers import activate, make_lrn

# The paper's section 5; Glorot's, which Keras gives every layer; torch's own.
FirstWeights = Literal["paper", "glorot", "torch"]
GRID = 6  # side of the last feature map at the native size; other sizes are averaged to it


@dataclass(frozen=True)
class AlexNetForm:
    """A row of FORMS."""

    widths: tuple[int, int, int, int, int]  # channels of the five convolutions
    head: tuple[int, int]  # widths of the two hidden dense layers
    dropout: float
    dropout_first: bool  # dropout before the two hidden dense layers instead of after them
    padding: tuple[int, int]  # of the 11x11 convolution: pixels left and above, right and below
    first_weights: FirstWeights = "paper"
    imagenet_statistics: bool = False  # whether pictures are normalised with them


HALF = (48, 128, 192, 192, 128)
FORMS = {
    # The paper's widths in one tower, as most reproductions have it; 227 px without padding.
    "alexnet": AlexNetForm((96, 256, 384, 384, 256), (4096, 4096), dropout=0.5, dropout_first=False, padding=(0, 0)),
    # Half of the paper's widths, i.e. one of its two GPUs, as widely taught with flowers.
    "alexnet_half": AlexNetForm(HALF, (2048, 2048), dropout=0.2, dropout_first=True, padding=(1, 2)),
    "alexnet_half_slim": AlexNetForm(HALF, (1024, 128), dropout=0.2, dropout_first=True, padding=(1, 2)),
    # Krizhevsky 2014, "One weird trick", as torchvision has it.
    "alexnet_owt": AlexNetForm(
        (64, 192, 384, 256, 256), (4096, 4096), dropout=0.5, dropout_first=True, padding=(2, 2),
        first_weights="torch", imagenet_statistics=True,
    ),
}  # fmt: skip


class AlexNet(Classifier):
    """Five convolutions, three pools, three dense layers; `lrn` adds the paper's local response normalisation."""

    def __init__(
        self, num_classes: int, in_channels: int, *, form: AlexNetForm, lrn: bool = False,
        first_weights: FirstWeights = "paper",
    ) -> None:  # fmt: skip
        super().__init__(num_classes, in_channels)
        first, second, third, fourth, fifth = form.widths
        before, after = form.padding
        self.pad = nn.ZeroPad2d((before, after, before, after))
        self.conv1 = Conv2d(in_channels, first, kernel_size=11, stride=4)
        self.conv2 = Conv2d(first, second, kernel_size=5, padding=2)
        self.conv3 = Conv2d(second, third, kernel_size=3, padding=1)
        self.conv4 = Conv2d(third, fourth, kernel_size=3, padding=1)
        self.conv5 = Conv2d(fourth, fifth, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2)
        self.norm = make_lrn() if lrn else nn.Identity()
        self.average = nn.AdaptiveAvgPool2d(GRID)
        self.flattened = {"fc1": fifth}
        self.dropout1 = nn.Dropout(form.dropout if form.dropout_first else 0.0)
        self.fc1 = nn.Linear(fifth * GRID * GRID, form.head[0])
        self.dropout2 = nn.Dropout(form.dropout)
        self.fc2 = nn.Linear(*form.head)
        self.dropout3 = nn.Dropout(0.0 if form.dropout_first else form.dropout)
        self.fc3 = classifier_layer(form.head[1], num_classes)
        if first_weights == "paper":
            self._initialise()
        elif first_weights == "glorot":
            xavier_initialise(self)
        if form.imagenet_statistics:
            self.set_normalization(*NORMALIZATIONS["imagenet"])

    def _initialise(self) -> None:
        """Section 5: normal with 0.01; biases 1 in the 2nd, 4th, 5th convolution and hidden dense layers, else 0."""
        ones = (self.conv2, self.conv4, self.conv5, self.fc1, self.fc2)
        for layer in weighted_layers(self):
            nn.init.normal_(layer.weight, std=0.01)
            if layer in ones:
                assert layer.bias is not None
                nn.init.ones_(layer.bias)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, 227, 227) -> (N, 256, 6, 6) with the paper's widths."""
        out = self.pool(self.norm(activate(self.conv1(self.pad(images)))))  # -> (N, 96, 27, 27)
        out = self.pool(self.norm(activate(self.conv2(out))))  # -> (N, 256, 13, 13)
        out = activate(self.conv4(activate(self.conv3(out))))  # -> (N, 384, 13, 13)
        return self.pool(activate(self.conv5(out)))  # -> (N, 256, 6, 6)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 256, 6, 6) -> (N, 9216) -> (N, 4096) -> (N, 4096) -> (N, num_classes)."""
        out = self.average(features).flatten(1)
        for dropout, layer in ((self.dropout1, self.fc1), (self.dropout2, self.fc2)):
            out = activate(layer(dropout(out)))
        return self.fc3(self.dropout3(out))


_PAPER = "Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks"

# torchvision numbers the layers of two sequences, activations and pools among them.
_TORCHVISION = Elsewhere(
    layer_rules(
        [(f"features.{number}", f"conv{place}") for place, number in enumerate((0, 3, 6, 8, 10), start=1)]
        + [(f"classifier.{number}", f"fc{place}") for place, number in enumerate((1, 4, 6), start=1)]
    )
)


def _entry(name: str, *, size: int, min_size: int, year: int = 2012, paper: str = _PAPER) -> Entry:
    return Entry(
        AlexNet, "alexnet", year, paper, size=size, min_size=min_size, row={"form": FORMS[name]},
        defaults={"first_weights": FORMS[name].first_weights}, elsewhere={"torchvision": _TORCHVISION},
    )  # fmt: skip


ENTRIES = {
    "alexnet": _entry("alexnet", size=227, min_size=67),
    "alexnet_half": _entry("alexnet_half", size=224, min_size=64),
    "alexnet_half_slim": _entry("alexnet_half_slim", size=224, min_size=64),
    "alexnet_owt": replace(
        _entry("alexnet_owt", size=224, min_size=63, year=2014, paper="Krizhevsky 2014, One weird trick"),
        published=torchvision_file("alexnet-owt-7be5be79.pth", 56.522),
    ),
}
