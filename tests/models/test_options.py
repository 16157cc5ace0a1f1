"""Every option of every network, each value that it may have, on one entry of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.errors import ModelError
from pictaxa.models.layers import activate
from pictaxa.models.zoo import ZOO, create_model, parse_options

# What an option of a kind is tried with, where its type doesn't say it.
NUMBERS: dict[str, list[object]] = {
    "width": [0.5], "groups": [2], "epsilon": [1e-2], "momentum": [0.5], "dropout": [0.3], "attention_dropout": [0.3],
    "drop_path": [0.3], "representation_size": [24], "slope": [0.2], "shortcut_scale": [0.3], "residual_scale": [0.3],
    "gate_bias": [-1.0], "blocks": [(1, 1, 1, 1)], "stages": [((1, 8), (2, 16))],
}  # fmt: skip
ELSEWHERE = {"size"}  # what a training sets, test_zoo.py has it
QUICK = {"resnet18", "resnet50v2", "vgg11", "alexnet", "mobilenet_v3_small", "cifar_resnet20", "lenet5"}
WIDTHS_OF_GROUPS = {"resnet50", "resnet50_v1", "resnext50_32x4d"}  # whose `width` counts channels


def one_of_each() -> Iterator[str]:
    """The first entry of each network and set of options."""
    seen = set()
    for name, entry in ZOO.items():
        network = getattr(entry.network, "__qualname__", str(entry.network))
        key = (entry.family, network.partition("(")[0], tuple(entry.options))
        if key not in seen:
            seen.add(key)
            yield name


def values(name: str, option: str, kind: Any, default: object) -> list[object]:
    if get_origin(kind) is Literal:
        return [value for value in get_args(kind) if value not in (default, "none")] or [default]
    if kind is bool:
        return [not default]
    if option == "width" and name in WIDTHS_OF_GROUPS:
        return [32]
    return NUMBERS[option]


CASES = [
    pytest.param(name, option, value, id=f"{name}-{option}={value}", marks=[] if name in QUICK else [pytest.mark.slow])
    for name in one_of_each()
    for option, parameter in ZOO[name].options.items()
    if option not in ELSEWHERE
    for value in values(name, option, ZOO[name].option_types[option], parameter.default)
]


def side(name: str) -> int:
    entry = ZOO[name]
    return entry.fixed_sizes[0] if entry.fixed_sizes else max(entry.min_size, 32 // entry.multiple * entry.multiple)


@pytest.mark.parametrize(("name", "option", "value"), CASES)
def test_every_option_builds_a_network_that_learns(name: str, option: str, value: object):
    """Logits of the right shape, a gradient for each parameter, and words that mean the same value."""
    words = (f"{option}={str(value).lower() if isinstance(value, bool) else value}",)
    assert parse_options(name, words) == {option: value}
    options = {option: value} | ({"size": side(name)} if ZOO[name].size_option else {})
    with torch.device("meta"):
        model = create_model(name, 7, **options).train()
        images = torch.rand(2, 3, side(name), side(name))
    heads = model.training_logits(images)
    assert all(logits.shape == (2, 7) for logits, _ in heads)
    sum(F.cross_entropy(logits, torch.zeros(2, dtype=torch.long, device="meta")) for logits, _ in heads).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["resnet18", "resnet50v2", "resnet18_textbook"])
def test_pools_of_the_last_map(name: str):
    """avg and max are those of all its pixels, none is the map itself, as include_top=False gives it in Keras."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, 64, 64)
    found = {}
    for pooling in ("avg", "max", "none"):
        torch.manual_seed(0)
        model = create_model(name, 0, pooling=pooling).eval()
        with torch.no_grad():
            found[pooling], maps = model(images), model.features(images)
    assert torch.equal(found["none"], maps) and maps.ndim == 4
    assert torch.allclose(found["avg"], maps.mean(dim=(2, 3)), atol=1e-5)
    assert torch.equal(found["max"], maps.amax(dim=(2, 3)))
    with pytest.raises(ModelError, match=r"pooling=avg or max for a model with classes.*num_classes=0"):
        create_model(name, 5, pooling="none")


def test_activations_are_torchs():
    """Each name is torch's function of that name, leaky_relu with the slope that is asked for."""
    maps = torch.linspace(-3, 3, 50)
    for name in ("relu", "elu", "gelu", "silu"):
        assert torch.equal(activate(maps.clone(), name), getattr(F, name)(maps))
    assert torch.equal(activate(maps.clone(), "leaky_relu", slope=0.3), F.leaky_relu(maps, 0.3))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_an_activation_is_everywhere(name: str):
    """With leaky_relu of slope 1, which is no activation, and an average for its max pool, a network is linear."""
    torch.manual_seed(0)
    model = create_model(name, 4, activation="leaky_relu", slope=1.0).eval().double()
    model.maxpool = nn.AvgPool2d(2)
    first, second = torch.rand(2, 1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(model(0.3 * first + 0.7 * second), 0.3 * model(first) + 0.7 * model(second))


def test_a_plain_network_is_its_convolutions():
    """Without shortcuts a block gives its activated residual; a residual network's shortcuts have no such block."""
    plain = create_model("resnet18", 3, shortcuts=False).eval()
    assert all(block.downsample is None for stage in (plain.layer1, plain.layer4) for block in stage)
    block, images = plain.layer1[0], torch.randn(1, 64, 8, 8)
    with torch.no_grad():
        residual = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(images)))))
        assert torch.equal(block(images), F.relu(residual))


def test_column_a_with_lrn():
    """Local response normalization stands behind the first convolution alone; C ends three stages with 1x1."""
    with torch.device("meta"):
        lrn, c = create_model("vgg11_lrn", 3), create_model("vgg16_c", 3)
    kinds = [type(part) for part in lrn.convs]
    assert kinds[:4] == [type(lrn.convs[0]), nn.ReLU, nn.LocalResponseNorm, nn.MaxPool2d]
    assert kinds.count(nn.LocalResponseNorm) == 1
    kernels = [part.kernel_size[0] for part in c.convs if isinstance(part, nn.Conv2d)]
    assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]
