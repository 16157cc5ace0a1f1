"""What Keras' applications call the layers of our entries, and in what else they are Keras' own."""

from __future__ import annotations

from .rules import Rule

_VGG_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def _vgg(name: str) -> tuple[Rule, ...]:
    rules = [
        Rule("fc1", r"classifier.0"),
        Rule("fc2", r"classifier.3"),
        Rule("predictions", r"classifier.6"),
    ]
    place = 0
    for block, convolutions in enumerate(_VGG_BLOCKS[name], start=1):
        for number in range(1, convolutions + 1):
            rules.append(Rule(f"block{block}_conv{number}", rf"convs.{place}"))
            place += 2  # the convolution and its ReLU
        place += 1  # the pool
    return tuple(rules)


def _stages(pattern: str, target: str) -> list[Rule]:
    """Rules for the four stages of a ResNet: Keras counts stages from conv2 and blocks from 1, torch from 1 and 0."""
    rules = []
    for stage in range(1, 5):
        for block in range(36):
            rules.append(
                Rule(pattern.format(stage=stage + 1, block=block + 1), target.format(stage=stage, block=block))
            )
    return rules


_RESNET_V1 = (
    Rule("conv1_(conv|bn)", r"\g<1>1"),
    Rule("predictions", r"fc"),
    *_stages(r"conv{stage}_block{block}_0_conv", r"layer{stage}.{block}.downsample.0"),
    *_stages(r"conv{stage}_block{block}_0_bn", r"layer{stage}.{block}.downsample.1"),
    *_stages(r"conv{stage}_block{block}_(\d)_(conv|bn)", r"layer{stage}.{block}.\2\1"),
)
_RESNET_V2 = (
    Rule("conv1_conv", r"conv1"),
    Rule("post_bn", r"post_bn"),
    Rule("predictions", r"fc"),
    *_stages(r"conv{stage}_block{block}_preact_bn", r"layer{stage}.{block}.preact_bn"),
    *_stages(r"conv{stage}_block{block}_0_conv", r"layer{stage}.{block}.projection"),
    *_stages(r"conv{stage}_block{block}_(\d)_(conv|bn)", r"layer{stage}.{block}.\2\1"),
)


def _mobilenet_v1() -> tuple[Rule, ...]:
    rules = [
        Rule("conv1", r"convs.0.0"),
        Rule("conv1_bn", r"convs.0.1"),
        Rule("conv_preds", r"fc"),
    ]
    for block in range(1, 14):
        for i, word in enumerate(("dw", "pw")):
            rules.append(Rule(f"conv_{word}_{block}", rf"convs.{block}.{i}.0"))
            rules.append(Rule(f"conv_{word}_{block}_bn", rf"convs.{block}.{i}.1"))
    return tuple(rules)


def _mobilenet_v2() -> tuple[Rule, ...]:
    rules = [
        Rule("Conv1", r"convs.0.0"),
        Rule("bn_Conv1", r"convs.0.1"),
        Rule("Conv_1", r"convs.18.0"),
        Rule("Conv_1_bn", r"convs.18.1"),
        Rule("predictions", r"classifier.1"),
    ]
    for block in range(17):
        theirs = "expanded_conv_" if block == 0 else f"block_{block}_"
        ours = f"convs.{block + 1}.conv."
        names = ("depthwise",) if block == 0 else ("expand", "depthwise")
        for i, word in enumerate(names):
            rules.append(Rule(f"{theirs}{word}", rf"{ours}{i}.0"))
            rules.append(Rule(f"{theirs}{word}_BN", rf"{ours}{i}.1"))
        rules.append(Rule(f"{theirs}project", rf"{ours}{len(names)}"))
        rules.append(Rule(f"{theirs}project_BN", rf"{ours}{len(names) + 1}"))
    return tuple(rules)


def _mobilenet_v3(name: str) -> tuple[Rule, ...]:
    from ..models.mobilenet import V3_SIZES  # a table

    rows = V3_SIZES[name].rows
    last = len(rows) + 1
    rules = [
        Rule("conv", r"convs.0.0"),
        Rule("conv_bn", r"convs.0.1"),
        Rule("conv_1", rf"convs.{last}.0"),
        Rule("conv_1_bn", rf"convs.{last}.1"),
        Rule("conv_2", r"classifier.0"),
        Rule("logits", r"classifier.3"),
    ]
    channels = 16
    for block, row in enumerate(rows):
        theirs = "expanded_conv_" if block == 0 else f"expanded_conv_{block}_"
        units = [(("depthwise", "0"), ("depthwise_bn", "1"))]
        if row.wide != channels:
            units.insert(0, (("expand", "0"), ("expand_bn", "1")))
        if row.squeeze:
            units.append((("squeeze_excite_conv", "fc1"), ("squeeze_excite_conv_1", "fc2")))
        units.append((("project", "0"), ("project_bn", "1")))
        for i, unit in enumerate(units):
            for word, part in unit:
                rules.append(Rule(f"{theirs}{word}", rf"convs.{block + 1}.block.{i}.{part}"))
        channels = row.channels
    return tuple(rules)


RULES: dict[str, tuple[Rule, ...]] = {
    "vgg16": _vgg("vgg16"),
    "vgg19": _vgg("vgg19"),
    "resnet50_v1": _RESNET_V1,
    "resnet101_v1": _RESNET_V1,
    "resnet152_v1": _RESNET_V1,
    "resnet50v2": _RESNET_V2,
    "resnet101v2": _RESNET_V2,
    "resnet152v2": _RESNET_V2,
    "mobilenet_v1": _mobilenet_v1(),
    "mobilenet_v2": _mobilenet_v2(),
    "mobilenet_v3_small": _mobilenet_v3("mobilenet_v3_small"),
    "mobilenet_v3_large": _mobilenet_v3("mobilenet_v3_large"),
}

# Dense layers that see a flattened map, and its channels.
FLATTENED = {
    "vgg16": {"classifier.0": 512},
    "vgg19": {"classifier.0": 512},
    "simple_cnn": {"d1": 32},
    "lenet5": {"fc1": 16},
    "alexnet": {"fc1": 256},
    "alexnet_half": {"fc1": 128},
    "alexnet_half_slim": {"fc1": 128},
    "googlenet": {"aux1.fc1": 128, "aux2.fc1": 128},
    "resnet50_course_leaky": {"fc": 2048},
}

# How Keras' applications feed pictures; MobileNet v3 takes them in [0, 255] and scales them to [-1, 1] itself.
KERAS_NORMALIZATION: dict[str, str] = {
    **dict.fromkeys(("vgg16", "vgg19", "resnet50_v1", "resnet101_v1", "resnet152_v1"), "caffe"),
    **dict.fromkeys(("inception_v3", "resnet50v2", "resnet101v2", "resnet152v2"), "-1-1"),
    **dict.fromkeys(("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"), "-1-1"),
}

# Entries whose batch norms have no scale in Keras.
WITHOUT_SCALE = ("inception_v3",)

# The options with which an entry computes what Keras' own network of that name does, or one that pads as Keras does.
KERAS_OPTIONS: dict[str, dict[str, object]] = {
    "inception_v3": {"pool_counts_padding": False},
    **{f"resnet{depth}": {"padding": "same"} for depth in (18, 34, 50, 101, 152)},
    **{f"resnext{kind}": {"padding": "same"} for kind in ("50_32x4d", "101_32x8d", "101_64x4d")},
    "mobilenet_v2": {"padding": "same", "epsilon": 1e-3},
    "mobilenet_v3_small": {"padding": "same"},
    "mobilenet_v3_large": {"padding": "same"},
}
