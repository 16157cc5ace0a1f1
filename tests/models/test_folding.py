from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.models.contract import Classifier
from pictaxa.models.folding import MergedNorm, fold_norms, share_norms
from pictaxa.models.zoo import create_model
from pictaxa.training.transfer import set_training


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

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
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


def exact(model: Classifier) -> Classifier:
    """In float64 and evaluation mode, its batch norms shaken."""
    return shaken(model).double()


def gradients(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of every parameter that has one, by name, and of the images; they begin from nothing."""
    for parameter in model.parameters():
        parameter.grad = None
    images = images.clone().requires_grad_()
    logits = model(images)
    weights = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).view_as(logits)
    (weights * logits + (logits**2) / 2).sum().backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert images.grad is not None
    return found | {"images": images.grad}


SHARED = [
    ("resnet_lite", 64, {}, 0),
    ("resnet50_course_leaky", 64, {"size": 64}, 0),  # biases in its convolutions
    ("resnext50_32x4d", 32, {}, 0),  # groups
    ("resnet50v2", 32, {}, 17),  # before the activation
    ("mobilenet_v1", 33, {}, 0),  # depthwise, padded like TensorFlow
    ("mobilenet_v3_small", 32, {}, 0),
    ("efficientnet_lite0", 33, {}, 0),
]


@pytest.mark.parametrize(("name", "size", "options", "left"), SHARED)
def test_merged_norms_learn_as_they_did(name: str, size: int, options: dict[str, int], left: int):
    """Logits and the gradients of kernels, biases, scales, shifts and pictures are evaluation mode's, in float64."""
    torch.manual_seed(0)
    model = exact(create_model(name, 7, **options))
    shared = share_norms(model, size=size).train()
    for part in shared.modules():
        if isinstance(part, (nn.BatchNorm2d, nn.Dropout)):
            part.eval()
    assert sum(isinstance(part, nn.BatchNorm2d) for part in unmerged(shared)) == left
    images = torch.rand(2, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        wanted = model(images)
        assert (shared(images) - wanted).abs().max() <= 1e-10 * wanted.abs().max()
    theirs = gradients(model, images)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    ours = gradients(shared, images)
    found = {names[id(parameter)]: parameter.grad for parameter in shared.parameters() if parameter.grad is not None}
    assert found.keys() == theirs.keys() - {"images"} == {name for name, _ in model.named_parameters()}
    for path, gradient in (found | {"images": ours["images"]}).items():
        assert (gradient - theirs[path]).abs().max() <= 1e-9 * theirs[path].abs().max(), path


def unmerged(model: nn.Module) -> list[nn.Module]:
    """Parts that are not inside a convolution with its norm."""
    inside = {id(norm.norm) for norm in model.modules() if isinstance(norm, MergedNorm)}
    return [part for part in model.modules() if id(part) not in inside]


@pytest.mark.parametrize("training", [True, False])
def test_a_twin_has_the_models_own_tensors(training: bool):
    """Parameters and statistics are the very same; the model keeps its mode, its parts and what is frozen."""
    model = shaken(create_model("mobilenet_v3_small", 3)).train(training)
    for parameter in list(model.parameters())[:10]:
        parameter.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kinds = [type(part) for part in model.modules()]
    shared = share_norms(model, size=64)
    assert {id(tensor) for tensor in shared.parameters()} == {id(tensor) for tensor in model.parameters()}
    assert {id(tensor) for tensor in shared.buffers()} == {id(tensor) for tensor in model.buffers()}
    assert [type(part) for part in model.modules()] == kinds and model.training == training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert sum(not parameter.requires_grad for parameter in shared.parameters()) == 10


def test_a_step_of_the_twin_is_a_step_of_the_model():
    """After an update through the one both say the same, and no statistic has moved."""
    torch.manual_seed(0)
    model = shaken(create_model("resnet_lite", 3))
    statistics = {name: value.clone() for name, value in model.named_buffers()}
    shared = set_training(share_norms(model, size=64), keep_statistics=True)
    images = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        before = model(images)
    shared(images).square().sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter -= 0.01 * parameter.grad
        after = model(images)
        assert (shared.eval()(images) - after).abs().max() < 1e-5 * after.abs().max()
    assert not torch.allclose(before, after) and not model.training
    assert all(value.equal(statistics[name]) for name, value in model.named_buffers())


class Padding(nn.Conv2d):
    """A convolution that does more than its base class, as timm's Conv2dSame: it pads by itself."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return F.conv2d(F.pad(input, (0, 1, 0, 1)), self.weight, self.bias, self.stride)


class Odder(Classifier):
    """A norm behind a convolution that pads by itself, and one without weights."""

    def __init__(self) -> None:
        super().__init__(num_classes=4, in_channels=3)
        self.padding, self.norm = Padding(3, 4, 3, stride=2), nn.BatchNorm2d(4)
        self.conv, self.plain_norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, affine=False)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        return self.plain_norm(self.conv(self.norm(self.padding(images))))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean(dim=(2, 3))


@pytest.mark.parametrize("make", [Odd, Odder])
def test_what_does_more_keeps_its_norm(make: type[Classifier]):
    """In a twin only convolutions that do nothing else are merged, with norms that have weights; logits stay."""
    model = make().double().eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None and part.running_var is not None:
            nn.init.uniform_(part.running_mean, -0.1, 0.1)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    shared = share_norms(model, size=9).eval()
    assert not any(isinstance(part, MergedNorm) for part in shared.modules())
    images = torch.rand(2, 3, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(shared(images), model(images))


def test_auxiliary_heads_of_a_twin_are_the_models():
    """Which prediction never asks for: all three heads' logits are those on the statistics that stay."""
    torch.manual_seed(0)
    model = shaken(create_model("googlenet_bn", 4))
    images = torch.rand(2, 3, 64, 64)
    shared = share_norms(model, size=64)
    heads = []
    for network in (model, shared):
        set_training(network, keep_statistics=True)
        for part in network.modules():
            if isinstance(part, nn.Dropout):
                part.eval()
        heads.append(network.training_logits(images))
    assert len(heads[0]) == len(heads[1]) == 3
    for (wanted, weight), (found, other) in zip(*heads, strict=True):
        assert weight == other and (found - wanted).abs().max() < 1e-5 * wanted.abs().max()
