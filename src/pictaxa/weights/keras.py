"""Layers of a Keras file as our tensors: which module each is, and the axes of kernels.

Keras keeps kernels as (height, width, in, out), depthwise ones as (height, width, channels, 1), dense ones as (in,
out), and flattens maps as (height, width, channel); torch has (out, in, height, width), (out, in) and (channel,
height, width).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..errors import WeightsError
from ..models.layers import Classifier
from .keras_files import StoredLayer
from .keras_order import paths_by_order
from .rules import Rule, rename

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
        for place, word in enumerate(("dw", "pw")):
            rules.append(Rule(f"conv_{word}_{block}", rf"convs.{block}.{place}.0"))
            rules.append(Rule(f"conv_{word}_{block}_bn", rf"convs.{block}.{place}.1"))
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
        for place, word in enumerate(names):
            rules.append(Rule(f"{theirs}{word}", rf"{ours}{place}.0"))
            rules.append(Rule(f"{theirs}{word}_BN", rf"{ours}{place}.1"))
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
        for place, unit in enumerate(units):
            for word, part in unit:
                rules.append(Rule(f"{theirs}{word}", rf"convs.{block + 1}.block.{place}.{part}"))
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


# How Keras names layers that were given no name, and Inception v3's last.
_COUNTED = re.compile(r"(conv2d|batch_normalization)(_\d+)?|predictions")


def translate(model: Classifier, layers: Sequence[StoredLayer]) -> dict[str, torch.Tensor]:
    """Layers of a Keras file as an entry's tensors; WeightsError when they are not its layers."""
    parts = dict(model.named_modules())
    flattened = FLATTENED.get(model.entry, {})
    tensors: dict[str, torch.Tensor] = {}
    for layer, path in zip(layers, _paths(model, layers), strict=True):
        for variable, array in layer.arrays.items():
            key, value = _tensor(parts[path], variable, array, flattened_channels=flattened.get(path, 0))
            tensors[f"{path}.{key}"] = value
    for path, part in parts.items():  # batch norms without scale (Inception v3) have it 1
        if isinstance(part, nn.BatchNorm2d) and f"{path}.weight" not in tensors and f"{path}.bias" in tensors:
            tensors[f"{path}.weight"] = torch.ones_like(part.weight)
    return tensors


def _paths(model: Classifier, layers: Sequence[StoredLayer]) -> list[str]:
    """The module of each layer: by name, as Keras' applications or we call it, else by its place among its kind."""
    names = [layer.name for layer in layers]
    parts = dict(model.named_modules())
    if set(names) <= parts.keys():
        return names
    if model.entry == "inception_v3" and all(_COUNTED.fullmatch(name) for name in names):
        return _inception_paths(model, names)
    rules = RULES.get(model.entry, ())
    if all(any(re.fullmatch(rule.pattern, name) for rule in rules) for name in names):
        renamed = rename(names, rules).names
        return [renamed[name] for name in names]
    return paths_by_order(model, layers)


def _tensor(part: nn.Module, variable: str, array: np.ndarray, *, flattened_channels: int) -> tuple[str, torch.Tensor]:
    """A Keras variable as our parameter's name and value."""
    if variable in ("moving_mean", "moving_variance"):
        return {"moving_mean": "running_mean", "moving_variance": "running_var"}[variable], _copy(array)
    if variable in ("gamma", "beta", "bias"):
        return ("weight" if variable == "gamma" else "bias"), _copy(array)
    if isinstance(part, nn.Conv2d):
        depthwise = part.groups > 1 and array.shape[-1] == 1
        return "weight", _copy(array.transpose(2, 3, 0, 1) if depthwise else array.transpose(3, 2, 0, 1))
    if array.ndim == 4:  # a 1x1 convolution on a pooled map is a dense layer
        return "weight", _copy(array[0, 0].T)
    if flattened_channels:
        inputs, outputs = array.shape
        side = round((inputs // flattened_channels) ** 0.5)
        maps = array.reshape(side, side, flattened_channels, outputs)
        return "weight", _copy(maps.transpose(3, 2, 0, 1).reshape(outputs, inputs))
    return "weight", _copy(array.T)


def _copy(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


def _inception_paths(model: Classifier, names: Sequence[str]) -> list[str]:
    """Inception v3's layers are named by counters in the order of their creation, which is ours too."""
    units = [path for path, part in model.named_modules() if isinstance(part, nn.Conv2d) and "AuxLogits" not in path]
    paths = {"predictions": "fc"}
    for word, suffix in (("conv2d", "conv"), ("batch_normalization", "bn")):
        theirs = {name for name in names if re.fullmatch(rf"{word}(_\d+)?", name)}
        if len(theirs) != len(units):
            raise WeightsError(f"{len(units)} layers {word}", found=str(len(theirs)), fix="Check the model's name.")
        ordered = sorted(theirs, key=lambda name: int(name.rpartition("_")[2]) if name != word else -1)
        paths |= {old: unit.removesuffix("conv") + suffix for old, unit in zip(ordered, units, strict=True)}
    return [paths[name] for name in names]
