"""ResNet and ResNeXt: He et al. 2015, "Deep residual learning"; Xie et al. 2016, "Aggregated residual transformations".

    stem (7x7/2, max pool /2) -> four stages of residual blocks, each but the first halving -> average -> dense

A block computes relu(shortcut(x) + residual(x)), so that a layer learns what to add. What differs between the
published ports is a row of SIZES:

    v1.5      the stride of a bottleneck is in its 3x3 (torchvision, NVIDIA)
    v1        it is in its first 1x1, as in the paper, and convolutions have biases (Keras' ResNet50)
    course    v1 as a widely taught Keras exercise has it
    textbook  the ResNet-18 of a textbook: biases, no batch norm in the shortcuts
    ResNeXt   the 3x3 is grouped

Module names are torchvision's, so its checkpoints load as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from ..config.learning import Normalization
from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Rule, keras_file, torchvision_file
from .initialisation import he_initialise, xavier_initialise
from .layers import Padding, SameAvgPool2d, activate, make_conv, make_max_pool

STAGE_WIDTHS = (64, 128, 256, 512)  # table 1 of the paper; a bottleneck gives four times as many channels

StageDepths = tuple[int, int, int, int]


@dataclass(frozen=True)
class ResNetForm:
    """A row of SIZES."""

    bottleneck: bool
    blocks: StageDepths  # in each stage
    groups: int = 1  # of the bottleneck's 3x3
    group_width: int = 64  # its channels in a group, in the first stage
    stride_in: Literal["3x3", "1x1"] = "3x3"  # where a bottleneck halves
    bias: bool = False  # of the convolutions
    epsilon: float = 1e-5  # of batch norm
    padding: Padding = "symmetric"
    pool_padding: Padding = "symmetric"  # of the stem's pool
    shortcut_norm: bool = True  # batch norm after the shortcut's 1x1
    slope: float = 0.0  # of the activation below zero
    last_inner_width: int = 512  # of the last stage's bottlenecks after its first
    final_pool: Literal["global", "valid", "same"] = "global"  # or 2x2 and flatten
    normalization: Normalization = "imagenet"
    xavier: bool = False  # first weights as Keras' layers have them, else He's


_COURSE = ResNetForm(
    bottleneck=True, blocks=(3, 4, 6, 3), stride_in="1x1", bias=True, epsilon=1e-3, pool_padding="valid",
    last_inner_width=256, final_pool="valid", xavier=True,
)  # fmt: skip

# Depths: table 1 of the paper; ResNeXt: table 1 of its paper and torchvision's names.
SIZES: dict[str, ResNetForm] = {
    "resnet18": ResNetForm(bottleneck=False, blocks=(2, 2, 2, 2)),
    "resnet34": ResNetForm(bottleneck=False, blocks=(3, 4, 6, 3)),
    "resnet50": ResNetForm(bottleneck=True, blocks=(3, 4, 6, 3)),
    "resnet101": ResNetForm(bottleneck=True, blocks=(3, 4, 23, 3)),
    "resnet152": ResNetForm(bottleneck=True, blocks=(3, 8, 36, 3)),
    "resnext50_32x4d": ResNetForm(bottleneck=True, blocks=(3, 4, 6, 3), groups=32, group_width=4),
    "resnext101_32x8d": ResNetForm(bottleneck=True, blocks=(3, 4, 23, 3), groups=32, group_width=8),
    "resnext101_64x4d": ResNetForm(bottleneck=True, blocks=(3, 4, 23, 3), groups=64, group_width=4),
    "resnet50_course": _COURSE,
    "resnet50_course_leaky": replace(_COURSE, slope=0.3, final_pool="same"),
    "resnet18_textbook": ResNetForm(
        bottleneck=False, blocks=(2, 2, 2, 2), bias=True, epsilon=1e-3, padding="same", pool_padding="same",
        shortcut_norm=False, xavier=True,
    ),
} | {
    f"{name}_v1": ResNetForm(
        bottleneck=True, blocks=blocks, stride_in="1x1", bias=True, epsilon=1.001e-5, normalization="caffe"
    )
    for name, blocks in {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}.items()
}  # fmt: skip


class Projection(nn.Sequential):
    """The shortcut's 1x1 where the shape changes (option B of the paper), with its batch norm."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, form: ResNetForm) -> None:
        conv = make_conv(in_channels, channels, kernel=1, stride=stride, bias=form.bias)
        super().__init__(conv, *([nn.BatchNorm2d(channels, eps=form.epsilon)] if form.shortcut_norm else []))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (figure 5, left)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, *, stride: int, form: ResNetForm, project: bool) -> None:
        super().__init__()
        self.conv1 = make_conv(in_channels, width, kernel=3, stride=stride, padding=form.padding, bias=form.bias)
        self.bn1 = nn.BatchNorm2d(width, eps=form.epsilon)
        self.conv2 = make_conv(width, width, kernel=3, padding=form.padding, bias=form.bias)
        self.bn2 = nn.BatchNorm2d(width, eps=form.epsilon)
        self.downsample = Projection(in_channels, width, stride=stride, form=form) if project else None
        self.slope = form.slope

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, width, H / stride, W / stride)."""
        shortcut = images if self.downsample is None else self.downsample(images)
        out = activate(self.bn1(self.conv1(images)), self.slope)
        return activate(self.bn2(self.conv2(out)).add_(shortcut), self.slope)


class Bottleneck(nn.Module):
    """1x1 down, 3x3 (grouped in ResNeXt), 1x1 up, with a shortcut (figure 5, right)."""

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        form: ResNetForm,
        project: bool,
        inner_width: int | None = None,
    ) -> None:
        super().__init__()
        channels = width * self.expansion
        inner = (inner_width or width) * form.group_width // 64 * form.groups
        first, second = (stride, 1) if form.stride_in == "1x1" else (1, stride)
        self.conv1 = make_conv(in_channels, inner, kernel=1, stride=first, bias=form.bias)
        self.bn1 = nn.BatchNorm2d(inner, eps=form.epsilon)
        self.conv2 = make_conv(
            inner, inner, kernel=3, stride=second, padding=form.padding, bias=form.bias, groups=form.groups
        )
        self.bn2 = nn.BatchNorm2d(inner, eps=form.epsilon)
        self.conv3 = make_conv(inner, channels, kernel=1, bias=form.bias)
        self.bn3 = nn.BatchNorm2d(channels, eps=form.epsilon)
        self.downsample = Projection(in_channels, channels, stride=stride, form=form) if project else None
        self.slope = form.slope

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        shortcut = images if self.downsample is None else self.downsample(images)
        out = activate(self.bn1(self.conv1(images)), self.slope)
        out = activate(self.bn2(self.conv2(out)), self.slope)
        return activate(self.bn3(self.conv3(out)).add_(shortcut), self.slope)


class ResNet(Classifier):
    """Stem, four stages, pool, one dense layer. `size` matters only where the last map is flattened."""

    def __init__(self, num_classes: int, in_channels: int, *, form: ResNetForm, size: int = 224) -> None:
        super().__init__(num_classes, in_channels)
        self.slope = form.slope
        self.conv1 = make_conv(in_channels, 64, kernel=7, stride=2, padding=form.padding, bias=form.bias)
        self.bn1 = nn.BatchNorm2d(64, eps=form.epsilon)
        self.maxpool = make_max_pool(3, stride=2, padding=form.pool_padding)
        channels = 64
        stages = []
        for number in range(4):
            stages.append(_stage(number, channels, form=form))
            channels = STAGE_WIDTHS[number] * (Bottleneck.expansion if form.bottleneck else BasicBlock.expansion)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        pools = {"global": nn.AdaptiveAvgPool2d(1), "valid": nn.AvgPool2d(2), "same": SameAvgPool2d(2, stride=2)}
        self.avgpool = pools[form.final_pool]
        self.flattened = {} if form.final_pool == "global" else {"fc": channels}
        self.fc = classifier_layer(channels * _flattened_pixels(form, size), num_classes)
        if form.xavier:
            xavier_initialise(self)
        else:
            he_initialise(self)
        self.set_normalization(*NORMALIZATIONS[form.normalization])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 512 or 2048, H / 32, W / 32)."""
        out = self.maxpool(activate(self.bn1(self.conv1(images)), self.slope))  # -> (N, 64, H / 4, W / 4)
        return self.layer4(self.layer3(self.layer2(self.layer1(out))))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, C) -> (N, num_classes)."""
        return self.fc(self.avgpool(features).flatten(1))


def _stage(number: int, in_channels: int, *, form: ResNetForm) -> nn.Sequential:
    width = STAGE_WIDTHS[number]
    units: list[nn.Module] = []
    for i in range(form.blocks[number]):
        stride = 2 if number > 0 and i == 0 else 1
        if form.bottleneck:
            inner = form.last_inner_width if number == 3 and i > 0 else width
            project = in_channels != width * 4 or stride > 1
            units.append(Bottleneck(in_channels, width, stride=stride, form=form, project=project, inner_width=inner))
            in_channels = width * 4
        else:
            project = in_channels != width or stride > 1
            units.append(BasicBlock(in_channels, width, stride=stride, form=form, project=project))
            in_channels = width
    return nn.Sequential(*units)


def _flattened_pixels(form: ResNetForm, size: int) -> int:
    """Pixels of the last map that the dense layer sees: 1 behind a global average."""
    if form.final_pool == "global":
        return 1
    side = (size - 1) // 2 + 1  # 7x7/2 with 3 pixels of padding
    side = (side - 3) // 2 + 1  # the valid pool
    for _ in range(3):
        side = (side - 1) // 2 + 1  # the halving 1x1 of a stage
    side = side // 2 if form.final_pool == "valid" else -(-side // 2)
    return side * side


def resnet(num_classes: int, in_channels: int, *, form: ResNetForm, padding: Padding = "symmetric") -> ResNet:
    """A v1.5 or v1 ResNet; `padding="same"` is that of Keras ports of v1.5."""
    return ResNet(num_classes, in_channels, form=replace(form, padding=padding, pool_padding=padding))


def textbook(num_classes: int, in_channels: int, *, blocks: StageDepths = (2, 2, 2, 2)) -> ResNet:
    """The textbook's ResNet-18, or another depth of it."""
    return ResNet(num_classes, in_channels, form=replace(SIZES["resnet18_textbook"], blocks=blocks))


_PAPER = "He et al. 2015, Deep residual learning for image recognition"
_RESNEXT = "Xie et al. 2016, Aggregated residual transformations"

_PUBLISHED = {
    "resnet18": torchvision_file("resnet18-f37072fd.pth", 69.758),
    "resnet34": torchvision_file("resnet34-b627a593.pth", 73.314),
    "resnet50": torchvision_file("resnet50-0676ba61.pth", 76.130),
    "resnet101": torchvision_file("resnet101-63fe2227.pth", 77.374),
    "resnet152": torchvision_file("resnet152-394f9c45.pth", 78.312),
    "resnext50_32x4d": torchvision_file("resnext50_32x4d-7cdf4587.pth", 77.618),
    "resnext101_32x8d": torchvision_file("resnext101_32x8d-8ba56ff5.pth", 79.312),
    "resnext101_64x4d": torchvision_file("resnext101_64x4d-173b62eb.pth", 83.246, resized=232),
    "resnet50_v1": keras_file("resnet50", "2cb95161c43110f7111970584f804107", 74.9, normalization="caffe"),
    "resnet101_v1": keras_file("resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", 76.4, normalization="caffe"),
    "resnet152_v1": keras_file("resnet152", "100835be76be38e30d865e96f2aaae62", 76.6, normalization="caffe"),
}


def keras_block_rules(layers: Mapping[str, str]) -> tuple[Rule, ...]:
    """Rules for the blocks of a ResNet of Keras, which counts stages from conv2 and blocks from 1.

    Args:
        layers: what a layer is called in its block -> our name of it there.
    """
    return tuple(
        Rule(f"conv{stage + 1}_block{block + 1}_{theirs}", f"layer{stage}.{block}.{ours}")
        for stage in range(1, 5)
        for block in range(max(form.blocks[2] for form in SIZES.values()))
        for theirs, ours in layers.items()
    )


_KERAS = Elsewhere(
    (
        Rule("conv1_(conv|bn)", r"\g<1>1"),
        Rule("predictions", "fc"),
        *keras_block_rules({"0_conv": "downsample.0", "0_bn": "downsample.1", r"(\d)_(conv|bn)": r"\2\1"}),
    ),
    normalization="caffe",
)
_KERAS_PORT = Elsewhere(options={"padding": "same"})  # of v1.5, which Keras' own are not


def _entries(*names: str, keras: Elsewhere, year: int = 2015, paper: str = _PAPER) -> dict[str, Entry]:
    return {
        name: Entry(
            resnet,
            "resnet",
            year,
            paper,
            size=224,
            row={"form": SIZES[name]},
            published=_PUBLISHED[name],
            elsewhere={"keras": keras},
        )
        for name in names
    }


def _course(name: str, *, size: int, min_size: int) -> Entry:
    """Its dense layer fits one size of pictures."""
    return Entry(
        ResNet, "resnet", 2015, _PAPER, size=size, min_size=min_size, size_option=True, row={"form": SIZES[name]},
        defaults={"size": size},
    )  # fmt: skip


ENTRIES = {
    **_entries("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", keras=_KERAS_PORT),
    **_entries("resnet50_v1", "resnet101_v1", "resnet152_v1", keras=_KERAS),
    "resnet50_course": _course("resnet50_course", size=64, min_size=37),
    "resnet50_course_leaky": _course("resnet50_course_leaky", size=128, min_size=32),
    "resnet18_textbook": Entry(textbook, "resnet", 2015, _PAPER, size=224, channels=1),
    **_entries(
        "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", keras=_KERAS_PORT, year=2016, paper=_RESNEXT
    ),
}  # fmt: skip
