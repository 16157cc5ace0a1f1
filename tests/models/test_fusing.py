from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.inference.features import without_head
from pictaxa.models import fusing, vit
from pictaxa.models.contract import Classifier
from pictaxa.models.convolution import Conv2d
from pictaxa.models.folding import fold_norms
from pictaxa.models.fusing import FusedConv2d, can_fuse, fast_copy
from pictaxa.models.same_padding import SameConv2d, pad_same
from pictaxa.models.zoo import create_model
from pictaxa.weights.loading import load_weights
from pictaxa.weights.published import find_file, find_published

needs_bfloat16 = pytest.mark.skipif(
    not can_fuse(torch.device("cpu"), torch.bfloat16), reason="this CPU has no native bfloat16"
)
CPU = torch.device("cpu")
every_precision = pytest.mark.parametrize(
    "precision", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)], ids=["float32", "bfloat16"]
)


def shaken(model: Classifier, *, side: int) -> Classifier:
    """The model in evaluation mode, its batch norms with random scales, shifts and statistics of its own maps."""
    generator = torch.Generator().manual_seed(0)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(part.bias, -0.5, 0.5, generator=generator)
            part.momentum = None  # the mean over batches
    with torch.no_grad():
        for _ in range(2):
            model.train()(torch.rand(4, model.in_channels, side, side, generator=generator))
    return model.eval()


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """How far vectors (N, width) are apart, as a part of how far those wanted are from their mean."""
    return float((found - wanted).norm() / (wanted - wanted.mean(dim=0)).norm())


def compare(model: Classifier, *, side: int, precision: torch.dtype) -> tuple[float, float]:
    """How far the fused backbone's vectors are from those of the backbone in float32, and how far they may be.

    In float32 twice as far as rounding has brought those of the backbone itself, in bfloat16 as far as those of
    autocast, or a hundredth.
    """
    backbone = without_head(model, size=side).to(memory_format=torch.channels_last)
    torch.manual_seed(1)
    blurred = F.interpolate(torch.rand(6, model.in_channels, 7, 7), size=side, mode="bicubic")
    images = blurred.clamp(0, 1).to(memory_format=torch.channels_last)
    fused = fast_copy(backbone, size=side, precision=precision)
    with torch.inference_mode():
        exact = backbone(images)
        if precision is torch.float32:
            rounding = distance(exact.double(), backbone.double()(images.double()))
            return distance(fused(images), exact), max(1e-5, 2 * rounding)
        with torch.autocast("cpu", torch.bfloat16):
            usual, found = backbone(images).float(), fused(images).float()
    return distance(found, exact), max(0.01, 1.1 * distance(usual, exact))


@every_precision
@pytest.mark.parametrize(
    "side", [96, 97, 70, 71, 32, 33, *(pytest.param(n, marks=pytest.mark.slow) for n in (224, 225))]
)
def test_lite0_stays(side: int, tmp_path: Path, precision: torch.dtype):
    """With ImageNet's weights, at even and odd sides, padded evenly or not: what it was in float32."""
    model = create_model("efficientnet_lite0").eval()
    published = find_published("efficientnet_lite0")
    load_weights(model, find_file(published, tmp_path), source=published.source, normalization=published.normalization)
    off, allowed = compare(model, side=side, precision=precision)
    assert off <= allowed


@every_precision
@pytest.mark.parametrize(
    ("name", "channels", "options"),
    [
        ("efficientnet_lite0", 3, {}),
        ("efficientnet_lite0", 1, {}),
        ("mobilenet_v2", 3, {}),
        ("mobilenet_v3_small", 3, {}),
        ("mobilenet_v3_large", 3, {}),
        ("resnet18", 3, {}),
        ("resnet18", 3, {"padding": "same"}),
        ("resnet50v2", 3, {}),  # norms that stay
        ("mobilenet_v1", 3, {}),  # depthwise, padded like TensorFlow
        ("resnet50_course_leaky", 3, {"size": 64}),  # an activation that oneDNN is not asked for
        ("inception_v3", 3, {}),  # kernels that are not square
        ("lenet5", 1, {}),
        ("vit_b_32", 3, {"size": 64}),
        ("vit_r50_b_16", 3, {"size": 64}),  # standardised weights
    ],
)
def test_a_network_stays(
    name: str, channels: int, options: dict[str, object], precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
):
    """Fused or not in any part, its vectors are what they were.

    In bfloat16 on average over four networks, and a quarter more than autocast is off: of eight MobileNets v3, one was
    off 0.7 to 1.6 times as far, 1.0 on average (EPYC with bfloat16). A wrong part is off by all of it.
    """
    for transformer, row in vit.SIZES.items():  # two of its equal blocks
        monkeypatch.setitem(vit.SIZES, transformer, replace(row, depth=2))
    side = {"lenet5": 28, "inception_v3": 96}.get(name, 64)
    pairs = []
    for seed in range(1 if precision is torch.float32 else 4):
        torch.manual_seed(seed)
        model = shaken(create_model(name, 5, in_channels=channels, **options), side=side)
        pairs.append(compare(model, side=side, precision=precision))
    assert sum(off for off, _ in pairs) <= 1.25 / 1.1 * sum(allowed for _, allowed in pairs)


@every_precision
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9), (9, 8), (7, 12), (5, 5)])
@pytest.mark.parametrize("groups", [1, 4])
def test_uneven_padding_is_exact(kernel: int, stride: int, size: tuple[int, int], groups: int, precision: torch.dtype):
    """Of small whole numbers, which bfloat16 holds, a TF-same convolution is pad_same and conv2d to the last bit."""
    generator = torch.Generator().manual_seed(kernel * 10 + stride)
    conv = SameConv2d(4, 8, kernel, stride=stride, groups=groups)
    with torch.no_grad():
        conv.weight.copy_(torch.randint(-1, 2, conv.weight.shape, generator=generator))
        assert conv.bias is not None
        conv.bias.copy_(torch.randint(-1, 2, conv.bias.shape, generator=generator))
    images = torch.randint(-1, 2, (2, 4, *size), generator=generator).float()
    wanted = F.conv2d(pad_same(images, kernel=kernel, stride=stride), conv.weight, conv.bias, stride, groups=groups)
    assert wanted.abs().max() < 256  # up to where bfloat16 has every whole number
    for laid_out in (images, images.contiguous(memory_format=torch.channels_last)):
        found = FusedConv2d(conv, precision=precision)(laid_out)
        assert found.dtype is precision and torch.equal(found.float(), wanted)


@every_precision
def test_pictures_of_many_shapes(precision: torch.dtype):
    """One convolution, pictures of more shapes than it keeps weights for, twice each: exact for every one."""
    generator = torch.Generator().manual_seed(0)
    conv = SameConv2d(4, 8, 3, stride=2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.randint(-1, 2, conv.weight.shape, generator=generator))
    fused = FusedConv2d(conv, precision=precision)
    for side in [*range(5, 7 + fusing.MAX_PACKED)] * 2:
        images = torch.randint(-1, 2, (2, 4, side, side + 1), generator=generator).float()
        with torch.no_grad():
            assert torch.equal(fused(images).float(), conv(images))
    assert 0 < len(fused.packed) <= fusing.MAX_PACKED


@needs_bfloat16
@pytest.mark.parametrize("activation", [None, nn.ReLU(inplace=True), nn.ReLU6(inplace=True), nn.Hardswish()])
def test_an_activation_comes_along(activation: nn.Module | None):
    """It is applied to what the convolution and the bias give, rounded to bfloat16 once at the end or before it."""
    torch.manual_seed(0)
    conv = Conv2d(16, 8, 3, padding=1)
    conv.weight.data.mul_(20)
    images = torch.randn(2, 16, 9, 9).bfloat16()
    exact = F.conv2d(
        images.double(), conv.weight.detach().bfloat16().double(), conv.bias.bfloat16().double(), padding=1
    )
    wanted = exact if activation is None else activation(exact.clone())
    found = FusedConv2d(conv, precision=torch.bfloat16, activation=activation)(images).double()
    assert (found - wanted).abs().max() <= 2**-7 * exact.abs().max()
    if isinstance(activation, (nn.ReLU, nn.ReLU6)):
        assert found.min() == 0 and (isinstance(activation, nn.ReLU) or found.max() == 6)


@every_precision
def test_which_activations_are_fused(precision: torch.dtype):
    """All of EfficientNet-Lite0's: each convolution is fused, with the activation that follows it or with none."""
    model = create_model("efficientnet_lite0", 5).eval()
    fused = fast_copy(model, size=64, precision=precision)
    convs = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    ours = [part for part in fused.modules() if isinstance(part, FusedConv2d)]
    assert len(ours) == len(convs) and not any(isinstance(part, nn.Conv2d) for part in fused.modules())
    activations = sum(isinstance(part, nn.ReLU6) for part in model.modules())
    assert sum(part.activation == "hardtanh" for part in ours) == activations > 20
    assert not any(isinstance(part, nn.ReLU6) for part in fused.modules())


@every_precision
def test_the_model_itself_stays(precision: torch.dtype):
    """Fusing works on a copy: weights, mode, convolutions and activations are as before, and it can be trained."""
    model = create_model("mobilenet_v3_small", 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kinds = [type(part) for part in model.modules()]
    fused = fast_copy(model, size=64, precision=precision)
    assert model.training and not fused.training and [type(part) for part in model.modules()] == kinds
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(isinstance(part, FusedConv2d) for part in fold_norms(model, size=64).modules())


class Padding(nn.Conv2d):
    """A convolution that does more than its base class, as timm's Conv2dSame: it pads by itself."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(pad_same(input, kernel=3, stride=2))


class Apart(Classifier):
    """Activations that are no convolution's alone, as something comes between, and convolutions of other kinds."""

    def __init__(self) -> None:
        super().__init__(num_classes=6, in_channels=3)
        self.pooled = nn.Sequential(Conv2d(3, 6, 3, padding=1), nn.MaxPool2d(2), nn.ReLU())
        self.normed = nn.Sequential(Conv2d(6, 6, 1), nn.GroupNorm(2, 6), nn.ReLU())
        self.bare = nn.Sequential(nn.ReLU(), Conv2d(6, 6, 3, padding="same"), nn.ReLU())
        self.reflected = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect"), nn.ReLU())
        self.padding = nn.Sequential(Padding(6, 6, 3, stride=2), nn.ReLU())

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        return self.padding(self.reflected(self.bare(self.normed(self.pooled(images)))))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean(dim=(2, 3))


@every_precision
def test_what_does_more_is_left_alone(precision: torch.dtype):
    """Activations after something else, and convolutions that pad otherwise or by themselves, stay as they were."""
    torch.manual_seed(0)
    model = Apart().eval()
    fused = fast_copy(model, size=16, precision=precision)
    assert [part.activation for part in fused.modules() if isinstance(part, FusedConv2d)] == ["none", "none"]
    images = torch.rand(4, 3, 16, 16)
    with torch.inference_mode():
        exact = model(images)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
            found, usual = fused(images).float(), model(images).float()
    least = (0.01 if precision is torch.bfloat16 else 1e-6) * exact.abs().max()
    assert (found - exact).abs().max() <= max(least, 1.5 * (usual - exact).abs().max())


def test_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch):
    """On CPUs, in float32, or in bfloat16 where they compute it natively; nowhere else."""
    there = torch.backends.mkldnn.is_available()
    monkeypatch.setattr(fusing, "cpu_has_bfloat16", lambda: False)
    assert not can_fuse(CPU, torch.bfloat16) and can_fuse(CPU, torch.float32) == there
    monkeypatch.setattr(fusing, "cpu_has_bfloat16", lambda: True)
    assert can_fuse(CPU, torch.bfloat16) == there
    assert not can_fuse(CPU, torch.float16) and not can_fuse(torch.device("cuda"), torch.bfloat16)
    assert not can_fuse(torch.device("mps"), torch.float32)


def test_where_it_can_not_be_norms_are_folded(monkeypatch: pytest.MonkeyPatch):
    """Without oneDNN the copy has its norms folded and computes the same."""
    monkeypatch.setattr(fusing, "can_fuse", lambda device, precision: False)
    model = shaken(create_model("mobilenet_v2", 5), side=64)
    folded = fast_copy(model, size=64)
    assert not any(isinstance(part, (FusedConv2d, nn.BatchNorm2d)) for part in folded.modules())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(folded(images), model(images), atol=1e-4 * float(model(images).abs().max()))
