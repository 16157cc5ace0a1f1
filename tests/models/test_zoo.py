from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.errors import ModelError
from pictaxa.models.layers import SameConv2d, SameMaxPool2d
from pictaxa.models.resnet import BasicBlock, Bottleneck
from pictaxa.models.zoo import ZOO, check_size, create_model, parse_options


def trainable(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def keras_total(model: nn.Module) -> int:
    """As Keras counts: batch norm's moving statistics too; not our normalisation buffers."""
    moving = [value for name, value in model.state_dict().items() if "running" in name]
    return trainable(model) + sum(value.numel() for value in moving)


# From ../docs of the references: torchvision, TensorFlow's quick-start, LeCun 1998.
PARAMETERS = {
    "resnet18": ((1000, 3), 11_689_512),
    "resnet50": ((1000, 3), 25_557_032),
    "simple_cnn": ((10, 1), 2_770_634),
    "lenet5": ((10, 1), 61_706),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_references(name: str):
    """The count of trainable parameters is exactly the reference's."""
    (classes, channels), count = PARAMETERS[name]
    with torch.device("meta"):
        assert trainable(create_model(name, classes, in_channels=channels)) == count


def test_the_keras_port_of_resnet50():
    """With TF-same padding and 5 classes ResNet-50 has the Keras port's total."""
    with torch.device("meta"):
        assert keras_total(create_model("resnet50", 5, padding="same")) == 23_571_397


def test_block_accounting():
    """A basic block of 64 channels holds 73,728 conv weights, a bottleneck 256-64-256 holds 69,632."""

    def conv_weights(block: nn.Module) -> int:
        return sum(part.weight.numel() for part in block.modules() if isinstance(part, nn.Conv2d))

    assert conv_weights(BasicBlock(64, 64, stride=1, padding="symmetric")) == 73_728
    assert conv_weights(Bottleneck(256, 64, stride=1, padding="symmetric")) == 69_632


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_contract(name: str, channels: int):
    """features, grid, head and forward agree; training_logits gives every trained parameter a gradient."""
    torch.manual_seed(0)
    entry = ZOO[name]
    size = max(entry.least_size, min(entry.size, 64))
    options = {"size": size} if entry.size_option else {}
    model = create_model(name, 7, in_channels=channels, **options).train()
    images = torch.rand(4, channels, size, size)
    loss = sum(
        weight * F.cross_entropy(logits, torch.tensor([0, 1, 2, 3])) for logits, weight in model.training_logits(images)
    )
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.eval()
    features = model.features(images)
    grid = model.grid(features)
    assert grid.ndim == 4 and grid.shape[0] == 4
    logits = model(images)
    assert logits.shape == (4, 7)
    assert torch.equal(model.head(features), logits)


@pytest.mark.parametrize("name", ZOO)
def test_no_classes_gives_features(name: str):
    """num_classes=0 leaves out the last layer."""
    entry = ZOO[name]
    model = create_model(name, 0).eval()
    out = model(torch.rand(2, 3, entry.size, entry.size))
    assert out.ndim == 2 and out.shape[1] > 10


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.any_size])
@pytest.mark.parametrize("size", [32, 75, 96])
def test_any_size_from_the_least_on(name: str, size: int):
    """An entry that takes any size takes its least one, odd ones and larger ones."""
    assert create_model(name, 3).eval()(torch.rand(1, 3, size, size)).shape == (1, 3)


@pytest.mark.parametrize("name", ZOO)
def test_the_same_seed_gives_the_same_first_weights(name: str):
    """First weights are a function of torch's seed."""
    models = []
    for _ in range(2):
        torch.manual_seed(3)
        models.append(create_model(name, 4).state_dict())
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])


def test_normalisation_is_inside():
    """The mean picture becomes zeros, and grey input takes the average of the colours' statistics."""
    model = create_model("resnet18", 2)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    assert model.normalise(mean.expand(1, 3, 4, 4)).abs().max() < 1e-6
    assert torch.allclose(create_model("resnet18", 2, in_channels=1).mean, mean.mean().view(1))


def test_lenet_pads_28_pixels():
    """A 28 px picture gives what it gives padded by 2 to 32 px."""
    model = create_model("lenet5", 10, in_channels=1).eval()
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(model(images), model(F.pad(images, (2, 2, 2, 2))))


def test_same_padding_puts_the_odd_pixel_last():
    """TF-same: out = ceil(in / stride), the odd pixel of padding on the right and at the bottom."""
    conv = SameConv2d(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(conv.weight)
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    # Padded by 0 before and 1 after: windows start at 0 and 2.
    expected = torch.tensor([[[[45.0, 39.0], [66.0, 50.0]]]])
    assert torch.equal(conv(image), expected)
    assert SameMaxPool2d(3, stride=2)(-torch.ones(1, 1, 5, 5)).max() == -1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: create_model("resnet81", 2), "resnet18"),
        (lambda: create_model("resnet50", 2, paddin="same"), "padding"),
        (lambda: create_model("resnet18", 2, in_channels=4), "in_channels 1"),
        (lambda: create_model("resnet18", -1), "num_classes"),
        (lambda: parse_options("resnet_lite", ("dropuot=1",)), "dropout"),
        (lambda: parse_options("resnet_lite", ("dropout=many",)), "float"),
        (lambda: check_size("resnet18", 16), "at least 32"),
        (lambda: check_size("lenet5", 64), "28 or 32"),
    ],
)
def test_mistakes_are_told_with_close_matches(call: object, words: str):
    """Unknown names and options give close matches; sizes name what the model takes."""
    with pytest.raises(ModelError, match=words):
        call()
