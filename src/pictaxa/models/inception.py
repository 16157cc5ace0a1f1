"""Inception v2 and v3.

v2: Ioffe, Szegedy 2015, "Batch normalization" (BN-Inception): GoogLeNet with batch norm, and two 3x3 for each 5x5.
v3: Szegedy et al. 2015, "Rethinking the Inception architecture": 7x7 as 1x7 and 7x1, grids halved by convolution and
pooling side by side, label smoothing. Module names of v3 are torchvision's.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, torchvision_file
from .initialisation import truncated_normal_initialise
from .layers import ConvUnit


class Widths(NamedTuple):
    """Channels in a v2 module: a row of figure 5 in "Batch normalization". Without a 1x1 branch it halves the grid."""

    one: int
    three_reduce: int
    three: int
    double_reduce: int
    double: int
    pool: Literal["average", "max"]
    projection: int  # after the pool; 0: passed through


V2_MODULES = {
    "inception3a": Widths(64, 64, 64, 64, 96, "average", 32),
    "inception3b": Widths(64, 64, 96, 64, 96, "average", 64),
    "inception3c": Widths(0, 128, 160, 64, 96, "max", 0),
    "inception4a": Widths(224, 64, 96, 96, 128, "average", 128),
    "inception4b": Widths(192, 96, 128, 96, 128, "average", 128),
    "inception4c": Widths(160, 128, 160, 128, 160, "average", 96),
    "inception4d": Widths(96, 128, 192, 160, 192, "average", 96),
    "inception4e": Widths(0, 128, 192, 192, 256, "max", 0),
    "inception5a": Widths(352, 192, 320, 160, 224, "average", 128),
    "inception5b": Widths(352, 192, 320, 192, 224, "max", 128),
}


class InceptionV2Module(nn.Module):
    """1x1, 3x3, two 3x3 and pooling side by side; the halving ones have no 1x1 branch and stride 2 in the others."""

    def __init__(self, in_channels: int, widths: Widths) -> None:
        super().__init__()
        self.stride = 1 if widths.one else 2
        stride = self.stride
        self.pool_kind = widths.pool
        one = [ConvUnit(in_channels, widths.one, kernel=1)] if widths.one else []
        three = nn.Sequential(
            ConvUnit(in_channels, widths.three_reduce, kernel=1),
            ConvUnit(widths.three_reduce, widths.three, kernel=3, stride=stride),
        )
        double = nn.Sequential(
            ConvUnit(in_channels, widths.double_reduce, kernel=1),
            ConvUnit(widths.double_reduce, widths.double, kernel=3),
            ConvUnit(widths.double, widths.double, kernel=3, stride=stride),
        )
        self.branches = nn.ModuleList([*one, three, double])
        self.projection = ConvUnit(in_channels, widths.projection, kernel=1) if widths.projection else nn.Identity()
        pooled = widths.projection or in_channels
        self.out_channels = widths.one + widths.three + widths.double + pooled

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, h, w) -> (N, out_channels, h / stride, w / stride)."""
        if self.pool_kind == "max":
            pooled = F.max_pool2d(images, kernel_size=3, stride=self.stride, padding=1)
        else:
            pooled = F.avg_pool2d(images, kernel_size=3, stride=1, padding=1)
        return torch.cat([*(branch(images) for branch in self.branches), self.projection(pooled)], dim=1)


class InceptionV2(Classifier):
    """BN-Inception: 224 px, ten modules, global average, dense."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.conv1 = ConvUnit(in_channels, 64, kernel=7, stride=2)
        self.conv2 = ConvUnit(64, 64, kernel=1)
        self.conv3 = ConvUnit(64, 192, kernel=3)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = 192
        modules = []
        for widths in V2_MODULES.values():
            modules.append(InceptionV2Module(channels, widths))
            channels = modules[-1].out_channels
        self.inception = nn.Sequential(*modules)
        self.fc = classifier_layer(channels, num_classes)
        truncated_normal_initialise(self, std=0.1)
        self.set_normalization(*NORMALIZATIONS["imagenet"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 1024, H / 32, W / 32)."""
        out = self.maxpool(self.conv1(images))  # -> (N, 64, H / 4, W / 4)
        out = self.maxpool(self.conv3(self.conv2(out)))  # -> (N, 192, H / 8, W / 8)
        return self.inception(out)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 1024, h, w) -> (N, 1024) -> (N, num_classes)."""
        return self.fc(features.mean(dim=(2, 3)))


class InceptionA(nn.Module):
    """Figure 5 of "Rethinking": 1x1, 5x5, two 3x3, average pool; for the 35 x 35 grid."""

    def __init__(self, in_channels: int, *, pool_features: int, pool_counts_padding: bool) -> None:
        super().__init__()
        self.branch1x1 = ConvUnit(in_channels, 64, kernel=1)
        self.branch5x5_1 = ConvUnit(in_channels, 48, kernel=1)
        self.branch5x5_2 = ConvUnit(48, 64, kernel=5)
        self.branch3x3dbl_1 = ConvUnit(in_channels, 64, kernel=1)
        self.branch3x3dbl_2 = ConvUnit(64, 96, kernel=3)
        self.branch3x3dbl_3 = ConvUnit(96, 96, kernel=3)
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=pool_counts_padding)
        self.branch_pool = ConvUnit(in_channels, pool_features, kernel=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, 35, 35) -> (N, 224 + pool_features, 35, 35)."""
        five = self.branch5x5_2(self.branch5x5_1(images))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(images)))
        return torch.cat([self.branch1x1(images), five, double, self.branch_pool(self.pool(images))], dim=1)


class InceptionB(nn.Module):
    """Figure 10: halves 35 x 35 to 17 x 17 by convolutions and a pool side by side."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3 = ConvUnit(in_channels, 384, kernel=3, stride=2, padding="valid")
        self.branch3x3dbl_1 = ConvUnit(in_channels, 64, kernel=1)
        self.branch3x3dbl_2 = ConvUnit(64, 96, kernel=3)
        self.branch3x3dbl_3 = ConvUnit(96, 96, kernel=3, stride=2, padding="valid")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, 35, 35) -> (N, 480 + in_channels, 17, 17)."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(images)))
        return torch.cat([self.branch3x3(images), double, F.max_pool2d(images, kernel_size=3, stride=2)], dim=1)


class InceptionC(nn.Module):
    """Figure 6: 7x7 as 1x7 and 7x1; for the 17 x 17 grid."""

    def __init__(self, in_channels: int, *, width: int, pool_counts_padding: bool) -> None:
        super().__init__()
        self.branch1x1 = ConvUnit(in_channels, 192, kernel=1)
        self.branch7x7_1 = ConvUnit(in_channels, width, kernel=1)
        self.branch7x7_2 = ConvUnit(width, width, kernel=(1, 7))
        self.branch7x7_3 = ConvUnit(width, 192, kernel=(7, 1))
        self.branch7x7dbl_1 = ConvUnit(in_channels, width, kernel=1)
        self.branch7x7dbl_2 = ConvUnit(width, width, kernel=(7, 1))
        self.branch7x7dbl_3 = ConvUnit(width, width, kernel=(1, 7))
        self.branch7x7dbl_4 = ConvUnit(width, width, kernel=(7, 1))
        self.branch7x7dbl_5 = ConvUnit(width, 192, kernel=(1, 7))
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=pool_counts_padding)
        self.branch_pool = ConvUnit(in_channels, 192, kernel=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, 17, 17) -> (N, 768, 17, 17)."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(images)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(images)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(images), seven, double, self.branch_pool(self.pool(images))], dim=1)


class InceptionD(nn.Module):
    """Halves 17 x 17 to 8 x 8."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = ConvUnit(in_channels, 192, kernel=1)
        self.branch3x3_2 = ConvUnit(192, 320, kernel=3, stride=2, padding="valid")
        self.branch7x7x3_1 = ConvUnit(in_channels, 192, kernel=1)
        self.branch7x7x3_2 = ConvUnit(192, 192, kernel=(1, 7))
        self.branch7x7x3_3 = ConvUnit(192, 192, kernel=(7, 1))
        self.branch7x7x3_4 = ConvUnit(192, 192, kernel=3, stride=2, padding="valid")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, 17, 17) -> (N, 512 + in_channels, 8, 8)."""
        three = self.branch3x3_2(self.branch3x3_1(images))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(images))))
        return torch.cat([three, seven, F.max_pool2d(images, kernel_size=3, stride=2)], dim=1)


class InceptionE(nn.Module):
    """Figure 7: the 3x3s end in 1x3 and 3x1 side by side; for the 8 x 8 grid."""

    def __init__(self, in_channels: int, *, pool_counts_padding: bool) -> None:
        super().__init__()
        self.branch1x1 = ConvUnit(in_channels, 320, kernel=1)
        self.branch3x3_1 = ConvUnit(in_channels, 384, kernel=1)
        self.branch3x3_2a = ConvUnit(384, 384, kernel=(1, 3))
        self.branch3x3_2b = ConvUnit(384, 384, kernel=(3, 1))
        self.branch3x3dbl_1 = ConvUnit(in_channels, 448, kernel=1)
        self.branch3x3dbl_2 = ConvUnit(448, 384, kernel=3)
        self.branch3x3dbl_3a = ConvUnit(384, 384, kernel=(1, 3))
        self.branch3x3dbl_3b = ConvUnit(384, 384, kernel=(3, 1))
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=pool_counts_padding)
        self.branch_pool = ConvUnit(in_channels, 192, kernel=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, 8, 8) -> (N, 2048, 8, 8)."""
        three, double = self.branch3x3_1(images), self.branch3x3dbl_2(self.branch3x3dbl_1(images))
        # Joined in two steps as in Keras' graph, whose order is all that some of its files keep (keras_order.py).
        threes = torch.cat([self.branch3x3_2a(three), self.branch3x3_2b(three)], dim=1)
        doubles = torch.cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], dim=1)
        branches = (self.branch1x1(images), threes, doubles, self.branch_pool(self.pool(images)))
        return torch.cat(branches, dim=1)


AUX_WEIGHT = 0.4  # section 4 gives no figure; TensorFlow's and torchvision's trainings use this one


class AuxiliaryHead(nn.Module):
    """Figure 8: average pool 5x5/3, 1x1, 5x5 to a single pixel, classes."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = ConvUnit(in_channels, 128, kernel=1)
        self.conv1 = ConvUnit(128, 768, kernel=5, padding="valid")
        self.fc = classifier_layer(768, num_classes)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, 768, 17, 17) at 299 px -> (N, 128, 5, 5) -> (N, 768, 1, 1) -> (N, num_classes)."""
        if min(maps.shape[2:]) >= 17:
            pooled = F.avg_pool2d(maps, kernel_size=5, stride=3)
        else:
            pooled = F.adaptive_avg_pool2d(maps, 5)  # for pictures below 299 px
        out = self.conv1(self.conv0(pooled))
        return self.fc(out.mean(dim=(2, 3)))


class InceptionV3(Classifier):
    """Table 1 of "Rethinking", in torchvision's form.

    `aux` adds the auxiliary head, which only training uses. `pool_counts_padding=False` is Keras' average pooling: what
    lies beyond the edge does not count.
    """

    auxiliary = ("AuxLogits",)

    def __init__(
        self, num_classes: int, in_channels: int, *, aux: bool = True, pool_counts_padding: bool = True
    ) -> None:
        super().__init__(num_classes, in_channels)
        counts = pool_counts_padding
        self.Conv2d_1a_3x3 = ConvUnit(in_channels, 32, kernel=3, stride=2, padding="valid")
        self.Conv2d_2a_3x3 = ConvUnit(32, 32, kernel=3, padding="valid")
        self.Conv2d_2b_3x3 = ConvUnit(32, 64, kernel=3)
        self.Conv2d_3b_1x1 = ConvUnit(64, 80, kernel=1)
        self.Conv2d_4a_3x3 = ConvUnit(80, 192, kernel=3, padding="valid")
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = InceptionA(192, pool_features=32, pool_counts_padding=counts)
        self.Mixed_5c = InceptionA(256, pool_features=64, pool_counts_padding=counts)
        self.Mixed_5d = InceptionA(288, pool_features=64, pool_counts_padding=counts)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, width=128, pool_counts_padding=counts)
        self.Mixed_6c = InceptionC(768, width=160, pool_counts_padding=counts)
        self.Mixed_6d = InceptionC(768, width=160, pool_counts_padding=counts)
        self.Mixed_6e = InceptionC(768, width=192, pool_counts_padding=counts)
        self.AuxLogits = AuxiliaryHead(768, num_classes) if aux and num_classes else None
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280, pool_counts_padding=counts)
        self.Mixed_7c = InceptionE(2048, pool_counts_padding=counts)
        self.dropout = nn.Dropout(0.5)
        self.fc = classifier_layer(2048, num_classes)
        truncated_normal_initialise(self, std=0.1)
        if self.AuxLogits is not None:  # as the published training
            truncated_normal_initialise(self.AuxLogits.conv1, std=0.01)
            truncated_normal_initialise(self.AuxLogits.fc, std=0.001)
        self.set_normalization(*NORMALIZATIONS["imagenet"])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, 299, 299) -> (N, 2048, 8, 8)."""
        return self._from_6e(self._to_6e(images))

    def _to_6e(self, images: torch.Tensor) -> torch.Tensor:
        out = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))  # -> (N, 64, 147, 147)
        out = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool(out)))  # -> (N, 192, 71, 71)
        out = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.maxpool(out))))  # -> (N, 288, 35, 35)
        out = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(out)))  # -> (N, 768, 17, 17)
        return self.Mixed_6e(self.Mixed_6d(out))

    def _from_6e(self, maps: torch.Tensor) -> torch.Tensor:
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(maps)))  # -> (N, 2048, 8, 8)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 2048, h, w) -> (N, 2048) -> (N, num_classes)."""
        return self.fc(self.dropout(features.mean(dim=(2, 3))))

    def training_logits(self, images: torch.Tensor) -> tuple[tuple[torch.Tensor, float], ...]:
        """The main head, and with `aux` the head after 6e at weight 0.4."""
        if self.AuxLogits is None:
            return super().training_logits(images)
        self.check(images)
        after_6e = self._to_6e(self.normalise(images))
        return (self.head(self._from_6e(after_6e)), 1.0), (self.AuxLogits(after_6e), AUX_WEIGHT)


ENTRIES = {
    "inception_v2": Entry(InceptionV2, "inception", 2015, "Ioffe, Szegedy 2015, Batch normalization", size=224),
    # Weights ported from TensorFlow: pictures in [-1, 1], which torchvision's model turns its into (transform_input).
    "inception_v3": Entry(
        InceptionV3, "inception", 2015, "Szegedy et al. 2015, Rethinking the Inception architecture", size=299,
        min_size=75,
        published=torchvision_file(
            "inception_v3_google-0cc3c7bd.pth", 77.294, size=299, resized=342, normalization="-1-1"
        ),
        elsewhere={
            "keras": Elsewhere(
                options={"pool_counts_padding": False}, normalization="-1-1", norm_scale=False, counted=True
            ),
        },
    ),
}  # fmt: skip
