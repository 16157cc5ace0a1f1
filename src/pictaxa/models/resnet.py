"""ResNet and ResNeXt: He et al. 2015, "Deep residual learning"; Xie et al. 2016, "Aggregated residual transformations".

    stem (7x7/2, max pool /2) -> four stages of residual blocks, each but the first halving -> average -> dense

The blocks are in residual_blocks.py. What differs between the published ports is a row of SIZES:

    v1.5      the stride of a bottleneck is in its 3x3 (torchvision, NVIDIA)
    v1        it is in its first 1x1, as in the paper, and convolutions have biases (Keras' ResNet50)
    course    v1 as a widely taught Keras exercise has it
    textbook  the ResNet-18 of a textbook: biases, no batch norm in the shortcuts
    ResNeXt   the 3x3 is grouped

The options of `resnet` turn any of them into its variants: other activations, groups, pools, and plain networks.

Module names are torchvision's, so its checkpoints load as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Rule, keras_file, torchvision_file
from .initialisation import FIRST_WEIGHTS, FirstWeights
from .layers import (
    Activation,
    Pooling,
    PortPadding,
    activate,
    make_conv,
    make_global_pool,
    make_max_pool,
)
from .residual_blocks import BasicBlock, Bottleneck, ResNetForm, StageDepths, make_norm
from .same_padding import SameAvgPool2d

STAGE_WIDTHS = (64, 128, 256, 512)  # table 1 of the paper; a bottleneck gives four times as many channels

# What Keras' layers have where nothing else is said: BatchNormalization(), and the first weights of all.
_KERAS_DEFAULTS = ResNetForm(
    bottleneck=True, blocks=(3, 4, 6, 3), bias=True, epsilon=1e-3, momentum=0.01, first_weights="glorot"
)
_COURSE = replace(
    _KERAS_DEFAULTS, stride_in="1x1", pool_padding="valid", last_inner_width=256, final_pool="valid"
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
    "resnet50_course_leaky": replace(_COURSE, activation="leaky_relu", slope=0.3, final_pool="same"),
    "resnet18_textbook": replace(
        _KERAS_DEFAULTS, bottleneck=False, blocks=(2, 2, 2, 2), padding="same", pool_padding="same", shortcut_norm=False
    ),
} | {
    f"{name}_v1": ResNetForm(
        bottleneck=True, blocks=blocks, stride_in="1x1", bias=True, epsilon=1.001e-5, momentum=0.01,
        normalization="caffe",
    )
    for name, blocks in {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}.items()
}  # fmt: skip


class ResNet(Classifier):
    """Stem, four stages, pool, one dense layer. `size` matters only where the last map is flattened."""

    def __init__(self, num_classes: int, in_channels: int, *, form: ResNetForm, size: int = 224) -> None:
        super().__init__(num_classes, in_channels)
        self.form = form
        self.conv1 = make_conv(in_channels, 64, kernel=7, stride=2, padding=form.padding, bias=form.bias)
        self.bn1 = make_norm(64, form)
        self.maxpool = make_max_pool(3, stride=2, padding=form.pool_padding)
        channels = 64
        stages = []
        for number in range(4):
            stages.append(_stage(number, channels, form=form))
            channels = STAGE_WIDTHS[number] * (Bottleneck.expansion if form.bottleneck else BasicBlock.expansion)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        pools = {
            "global": make_global_pool(form.pooling, num_classes=num_classes),
            "valid": nn.AvgPool2d(2), "same": SameAvgPool2d(2, stride=2),
        }  # fmt: skip
        self.avgpool = pools[form.final_pool]
        self.flattened = {} if form.final_pool == "global" else {"fc": channels}
        self.fc = classifier_layer(channels * _flattened_pixels(form, size), num_classes)
        FIRST_WEIGHTS[form.first_weights](self)
        self.set_normalization(*NORMALIZATIONS[form.normalization])

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 512 or 2048, H / 32, W / 32)."""
        out = activate(self.bn1(self.conv1(images)), self.form.activation, slope=self.form.slope)
        out = self.maxpool(out)  # -> (N, 64, H / 4, W / 4)
        return self.layer4(self.layer3(self.layer2(self.layer1(out))))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) -> (N, C) -> (N, num_classes); with `pooling="none"` the map itself."""
        pooled = self.avgpool(features)
        return pooled if self.form.pooling == "none" else self.fc(pooled.flatten(1))


def _stage(number: int, in_channels: int, *, form: ResNetForm) -> nn.Sequential:
    width = STAGE_WIDTHS[number]
    units: list[nn.Module] = []
    for i in range(form.blocks[number]):
        stride = 2 if number > 0 and i == 0 else 1
        if form.bottleneck:
            inner = form.last_inner_width if number == 3 and i > 0 else width
            project = form.shortcuts and (in_channels != width * 4 or stride > 1)
            units.append(Bottleneck(in_channels, width, stride=stride, form=form, project=project, inner_width=inner))
            in_channels = width * 4
        else:
            project = form.shortcuts and (in_channels != width or stride > 1)
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


def resnet(
    num_classes: int,
    in_channels: int,
    *,
    form: ResNetForm,
    padding: PortPadding = "symmetric",
    groups: int = 1,
    width: int = 64,
    shortcuts: bool = True,
    activation: Activation = "relu",
    slope: float = 0.01,
    pooling: Pooling = "avg",
    first_weights: FirstWeights = "he",
) -> ResNet:
    """A v1.5 or v1 ResNet.

    Args:
        num_classes: number of classes; 0 for a model without its last layer.
        in_channels: 3 for RGB, 1 for grey.
        form: a row of SIZES.
        padding: "same" is that of Keras ports of v1.5.
        groups: of a bottleneck's 3x3: ResNeXt's cardinality, C in table 2 of its paper.
        width: channels in a group in the first stage, d in that table; 64 in one group is ResNet, 128 Wide ResNet-50-2.
        shortcuts: False makes a plain network (He et al. 2015, section 3.3), for seeing what shortcuts do.
        activation: after each batch norm and each sum.
        slope: of leaky_relu below zero.
        pooling: of the last map; "none", with `num_classes=0`, gives the map, as Keras' include_top=False does.
        first_weights: "he" as in the paper, "glorot" as Keras' layers begin, "torch" as torch's.

    Example:
        plain = create_model("resnet34", 10, shortcuts=False)  # 34 layers without shortcuts
    """
    changes = replace(
        form, padding=padding, pool_padding=padding, groups=groups, group_width=width, shortcuts=shortcuts,
        activation=activation, slope=slope, pooling=pooling, first_weights=first_weights,
    )  # fmt: skip
    return ResNet(num_classes, in_channels, form=changes)


def course(
    num_classes: int,
    in_channels: int,
    *,
    form: ResNetForm,
    size: int = 64,
    activation: Activation = "relu",
    slope: float = 0.01,
) -> ResNet:
    """The exercise's ResNet-50, whose dense layer fits one `size` of pictures, with another activation if asked for."""
    return ResNet(num_classes, in_channels, form=replace(form, activation=activation, slope=slope), size=size)


def textbook(
    num_classes: int,
    in_channels: int,
    *,
    blocks: StageDepths = (2, 2, 2, 2),
    activation: Activation = "relu",
    slope: float = 0.01,
    pooling: Pooling = "avg",
) -> ResNet:
    """The textbook's ResNet-18, or another depth of it; the other options are those of `resnet`."""
    form = replace(SIZES["resnet18_textbook"], blocks=blocks, activation=activation, slope=slope, pooling=pooling)
    return ResNet(num_classes, in_channels, form=form)


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
    return {name: _entry(name, keras=keras, year=year, paper=paper) for name in names}


def _entry(name: str, *, keras: Elsewhere, year: int, paper: str) -> Entry:
    """Only bottlenecks have groups and a width of them to choose."""
    form = SIZES[name]
    grouping = {"groups": form.groups, "width": form.group_width}
    row, defaults = ({}, grouping) if form.bottleneck else (grouping, {})
    return Entry(
        resnet, "resnet", year, paper, size=224, row={"form": form, **row}, defaults=defaults,
        published=_PUBLISHED[name], elsewhere={"keras": keras},
    )  # fmt: skip


def _course(name: str, *, size: int, min_size: int) -> Entry:
    """Its dense layer fits one size of pictures."""
    form = SIZES[name]
    return Entry(
        course, "resnet", 2015, _PAPER, size=size, min_size=min_size, size_option=True, row={"form": form},
        defaults={"size": size, "activation": form.activation, "slope": form.slope},
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
