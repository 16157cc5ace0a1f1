"""models/initialisation.py, through the entries that use it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from pictaxa.models.initialisation import CUT, fan_out_initialise, lecun_initialise, weighted_layers
from pictaxa.models.vit import SIZES, Options, VisionTransformer
from pictaxa.models.zoo import create_model


def he(outputs: int) -> float:
    """The deviation that He et al. 2015 give weights with so many outputs."""
    return math.sqrt(2 / outputs)


def xavier(inputs: int, outputs: int) -> float:
    """The deviation that Glorot, Bengio 2010 give."""
    return math.sqrt(2 / (inputs + outputs))


# (entry, options, a weight of it, the deviation it starts with, what says so)
DEVIATIONS = [
    ("simple_cnn", {}, "d1", xavier(32 * 26 * 26, 128), "Keras' layers"),
    ("lenet5", {}, "fc1", 1 / math.sqrt(3 * 400), "torch's own: see the class"),
    ("alexnet_half_slim", {}, "conv3", 0.01, "Krizhevsky 2012, section 5"),
    ("alexnet", {"first_weights": "glorot"}, "conv3", xavier(256 * 9, 384 * 9), "Keras' layers"),
    ("alexnet_owt", {}, "conv3", 1 / math.sqrt(3 * 192 * 9), "torch's own"),
    ("vgg", {"stages": ((1, 32), (1, 64))}, "convs.3", xavier(32 * 9, 64 * 9), "Simonyan 2014, section 3.1"),
    (
        "vgg",
        {"stages": ((1, 32), (1, 64)), "batch_norm": True},
        "convs.4",
        he(64 * 9),
        "as torchvision",
    ),
    ("googlenet", {}, "inception4a.branch2.1.conv", xavier(96 * 9, 208 * 9), "the paper is silent"),
    ("inception_v2", {}, "conv3.conv", 0.1 * 0.8796, "as Inception v3; the paper is silent"),
    ("resnet18", {}, "layer2.0.conv1", he(128 * 9), "He 2015, section 3.4"),
    ("resnet50_course", {}, "layer1.0.conv2", xavier(64 * 9, 64 * 9), "Keras' layers"),
    ("resnet50v2", {}, "layer1.0.conv2", he(64 * 9), "He 2015"),
    ("resnet50v2", {"first_weights": "glorot"}, "layer1.0.conv2", xavier(64 * 9, 64 * 9), "Keras' layers"),
    ("resnet18", {"first_weights": "torch"}, "layer2.0.conv1", 1 / math.sqrt(3 * 64 * 9), "torch's own"),
    ("resnext50_32x4d", {}, "layer1.0.conv1", he(128), "Xie 2016, section 4"),
    ("cifar_resnet20", {}, "layer3.1.residual.convs.0", he(64 * 9), "He 2015, section 4.2"),
    ("mobilenet_v2", {}, "convs.18.0", he(1280), "torchvision; the paper is silent"),
    ("efficientnet_lite0", {}, "convs.17.0", he(1280), "as Keras' EfficientNet; the paper is silent"),
]


@pytest.mark.parametrize(("name", "options", "layer", "deviation", "source"), DEVIATIONS)
def test_weights_start_as_published(name: str, options: dict[str, object], layer: str, deviation: float, source: str):
    """The mean is 0 and the deviation the source's, to what so many random numbers can tell."""
    torch.manual_seed(0)
    model = create_model(name, 10, in_channels=1 if name == "simple_cnn" else 3, **options)
    weight = model.get_parameter(f"{layer}.weight")
    error = 5 / math.sqrt(weight.numel())
    assert weight.std().item() == pytest.approx(deviation, rel=error), source
    assert abs(weight.mean().item()) < error * deviation


def test_alexnets_biases():
    """Krizhevsky 2012, section 5: ones in the 2nd, 4th, 5th convolution and hidden dense layers, else zeros."""
    model = create_model("alexnet_half_slim", 10)
    ones = {name for name, value in model.named_parameters() if name.endswith("bias") and (value == 1).all()}
    zeros = {name for name, value in model.named_parameters() if name.endswith("bias") and (value == 0).all()}
    assert ones == {"conv2.bias", "conv4.bias", "conv5.bias", "fc1.bias", "fc2.bias"}
    assert zeros == {"conv1.bias", "conv3.bias", "fc3.bias"}


@pytest.mark.parametrize("resnet", [(), (1, 1)])
def test_a_transformer_starts_as_the_published_code(resnet: tuple[int, ...]):
    """Xavier for each of query, key, value and the MLP; LeCun in the embedding; zeros in classifier and class token."""
    torch.manual_seed(0)
    size = replace(SIZES["vit_b_32"], width=192, mlp=768, depth=2, heads=3, patch=8, resnet=resnet)
    options = Options(size=64, representation_size=0, dropout=0.0, attention_dropout=0.0, drop_path=0.0)
    model = VisionTransformer(5, 3, form=size, options=options)
    block = model.blocks[0]
    assert block.attn.qkv.weight.std().item() == pytest.approx(xavier(192, 192), rel=0.02)
    assert block.mlp.fc1.weight.std().item() == pytest.approx(xavier(192, 768), rel=0.02)
    inputs = model.patch_embed.proj.weight[0].numel()
    assert model.patch_embed.proj.weight.std().item() == pytest.approx(inputs**-0.5, rel=0.02)
    assert model.pos_embed.std().item() == pytest.approx(0.02, rel=0.05)
    assert not model.classifier.weight.any() and not model.cls_token.any()
    if resnet:  # each block of the hybrid's ResNet starts as its shortcut
        unit = model.patch_embed.backbone.stages[0].blocks[0]
        images = torch.rand(1, 64, 8, 8)
        assert torch.equal(unit(images), torch.relu(unit.downsample(images)))


def test_biases_begin_at_zero_and_nothing_is_drawn_without_numbers():
    """Each layer with weights comes once; on the meta device, where a model has no numbers, none does."""
    part = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    assert [type(layer).__name__ for layer in weighted_layers(part)] == ["Conv2d", "Linear"]
    assert part[0].bias.abs().max() == 0 and part[2].bias.abs().max() == 0
    with torch.device("meta"):
        assert list(weighted_layers(torch.nn.Linear(4, 2))) == []


def test_a_cut_normal_keeps_the_deviation_that_is_meant():
    """CUT makes up for what is lost beyond two deviations: what is drawn has the paper's deviation."""
    torch.manual_seed(0)
    dense, conv = torch.nn.Linear(400, 500), torch.nn.Conv2d(32, 64, 5)
    lecun_initialise(dense)
    assert dense.weight.std().item() == pytest.approx(400**-0.5, rel=0.02)
    assert dense.weight.abs().max() <= 2 * 400**-0.5 / CUT
    fan_out_initialise(conv)
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 25)), rel=0.02)
