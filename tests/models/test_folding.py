from __future__ import annotations

import pytest
import torch
from torch import nn

from pictaxa.models.folding import fold_norms
from pictaxa.models.layers import Classifier
from pictaxa.models.zoo import create_model


def shaken(model: Classifier) -> Classifier:
    """The model in evaluation mode, its batch norms with random scales, shifts and statistics."""
    generator = torch.Generator().manual_seed(0)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None and part.running_var is not None
            nn.init.uniform_(part.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(part.bias, -0.1, 0.1, generator=generator)
            nn.init.uniform_(part.running_mean, -0.1, 0.1, generator=generator)
            nn.init.uniform_(part.running_var, 0.5, 1.5, generator=generator)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in model.modules())


@pytest.mark.parametrize(
    ("name", "size", "left"),
    [
        ("resnet_lite", 64, 0),
        ("vgg11_bn", 32, 0),
        ("googlenet_bn", 64, 2),  # those of the auxiliary heads, which prediction never asks
        ("inception_v2", 64, 0),
        ("resnet50_course_leaky", 64, 0),  # biases in its convolutions
        ("resnext50_32x4d", 64, 0),  # groups
        ("resnet50v2", 64, 17),  # before the activation, hence before a convolution: no place to go
        ("mobilenet_v1", 64, 0),  # depthwise, padded like TensorFlow
        ("mobilenet_v3_small", 64, 0),
        ("cifar_preresnet110", 32, 55),
    ],
)
def test_logits_stay(name: str, size: int, left: int):
    """Folding leaves a network's logits, and takes every batch norm that follows a convolution."""
    options = {"size": size} if name == "resnet50_course_leaky" else {}
    model = shaken(create_model(name, 7, **options))
    folded = fold_norms(model, size=size)
    pictures = torch.rand(2, 3, size, size)
    with torch.no_grad():
        expected, found = model(pictures), folded(pictures)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert norms(folded) == left


def test_the_model_itself_stays():
    """Folding works on a copy: the model's weights, mode and batch norms are as before."""
    model = shaken(create_model("resnet_lite", 3)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    count = norms(model)
    folded = fold_norms(model, size=64)
    assert model.training and not folded.training
    assert norms(model) == count
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Odd(Classifier):
    """Convolutions that must keep their batch norms, for a reason each."""

    def __init__(self) -> None:
        super().__init__(num_classes=4, in_channels=3)
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.twice = nn.Conv2d(4, 4, 1)
        self.first_norm, self.second_norm = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 4, 1)
        self.norm_with_more = NormAndReLU(4)

    def body(self, images: torch.Tensor) -> torch.Tensor:
        out = self.conv(images)
        out = out + self.norm(out)  # what lies between is used again
        out = self.second_norm(self.twice(self.first_norm(self.twice(out))))  # a kernel that is used twice
        return self.norm_with_more(self.last(out))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean(dim=(2, 3))


class NormAndReLU(nn.BatchNorm2d):
    """Does more than its base class."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).relu()


def test_what_is_used_elsewhere_keeps_its_norm():
    """No norm is folded whose input something else takes, whose kernel is used again, or that does more."""
    model = shaken(Odd())
    folded = fold_norms(model, size=8)
    assert norms(folded) == norms(model)
    pictures = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(folded(pictures), model(pictures))
