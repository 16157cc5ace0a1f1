from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.errors import ModelError
from pictaxa.models.contract import Classifier
from pictaxa.models.heads import apart
from pictaxa.models.layers import ConvUnit, make_conv
from pictaxa.models.residual_blocks import BasicBlock, Bottleneck
from pictaxa.models.resnet import SIZES
from pictaxa.models.same_padding import SameConv2d, SameMaxPool2d, pad_same
from pictaxa.models.zoo import ZOO, Entry, check_size, create_model, parse_options
from pictaxa.weights.files import load_model_weights, save_tensors


def trainable(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def keras_total(model: nn.Module) -> int:
    """As Keras counts: batch norm's moving statistics too; not our normalisation buffers."""
    moving = [value for name, value in model.state_dict().items() if "running" in name]
    return trainable(model) + sum(value.numel() for value in moving)


# Trainable parameters as the references have them: torchvision, Keras, timm, and for plain networks their papers.
# (name, classes, channels, options) -> count
PARAMETERS = [
    ("simple_cnn", 10, 1, {}, 2_770_634),
    ("lenet5", 10, 1, {}, 61_706),
    ("alexnet", 10, 1, {}, 58_299_082),
    ("alexnet_half", 5, 3, {}, 14_591_685),
    ("alexnet_half_slim", 5, 3, {}, 5_797_317),
    ("alexnet_owt", 1000, 3, {}, 61_100_840),
    ("vgg11", 1000, 3, {}, 132_863_336),
    ("vgg13", 1000, 3, {}, 133_047_848),
    ("vgg16", 1000, 3, {}, 138_357_544),
    ("vgg19", 1000, 3, {}, 143_667_240),
    ("vgg11_bn", 1000, 3, {}, 132_868_840),
    ("vgg13_bn", 1000, 3, {}, 133_053_736),
    ("vgg16_bn", 1000, 3, {}, 138_365_992),
    ("vgg19_bn", 1000, 3, {}, 143_678_248),
    ("vgg11", 5, 3, {}, 128_786_821),
    ("vgg13", 5, 3, {}, 128_971_333),
    ("vgg16", 5, 3, {}, 134_281_029),
    ("vgg19", 5, 3, {}, 139_590_725),
    ("vgg", 5, 3, {"stages": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))}, 134_281_029),
    ("vgg11_lrn", 1000, 3, {}, 132_863_336),  # 133 million in table 2 of the paper, as A
    ("vgg16_c", 1000, 3, {}, 133_638_952),  # 134 million there: D without 8 * 256^2 + 2 * 8 * 512^2
    ("googlenet", 5, 3, {"aux": False}, 5_978_677),
    ("googlenet", 5, 3, {}, 10_318_655),
    ("googlenet", 10, 3, {"aux_pool": "same"}, 12_693_326),
    ("googlenet_bn", 1000, 3, {"aux": False}, 6_624_904),
    ("googlenet_bn", 1000, 3, {}, 13_004_888),
    ("inception_v3", 1000, 3, {"aux": False}, 23_834_568),
    ("inception_v3", 1000, 3, {}, 27_161_264),
    ("resnet18", 1000, 3, {}, 11_689_512),
    ("resnet34", 1000, 3, {}, 21_797_672),
    ("resnet50", 1000, 3, {}, 25_557_032),
    ("resnet101", 1000, 3, {}, 44_549_160),
    ("resnet152", 1000, 3, {}, 60_192_808),
    ("resnext50_32x4d", 1000, 3, {}, 25_028_904),
    ("resnext101_32x8d", 1000, 3, {}, 88_791_336),
    ("resnext101_64x4d", 1000, 3, {}, 83_455_272),
    ("resnet50", 1000, 3, {"groups": 32, "width": 4}, 25_028_904),  # resnext50_32x4d
    ("resnet50", 1000, 3, {"width": 128}, 68_883_240),  # torchvision's wide_resnet50_2
    ("resnext50_32x4d", 1000, 3, {"groups": 1, "width": 64}, 25_557_032),  # resnet50
    ("resnet34", 1000, 3, {"shortcuts": False}, 21_797_672 - 173_824),  # without its three projections
    ("resnet50v2", 1000, 3, {}, 25_568_360),
    ("resnet50v2", 1000, 3, {"bias": False, "stem_bias": False}, 25_549_352),  # timm's resnetv2_50
    ("resnet101v2", 1000, 3, {}, 44_577_896),
    ("resnet152v2", 1000, 3, {}, 60_236_904),
    ("mobilenet_v1", 1000, 3, {}, 4_231_976),
    ("mobilenet_v2", 1000, 3, {}, 3_504_872),
    ("mobilenet_v3_small", 1000, 3, {}, 2_542_856),
    ("mobilenet_v3_large", 1000, 3, {}, 5_483_032),
    ("efficientnet_lite0", 1000, 3, {}, 4_652_008),
    ("efficientnet_lite1", 1000, 3, {}, 5_416_680),
    ("efficientnet_lite2", 1000, 3, {}, 6_092_072),
    ("efficientnet_lite3", 1000, 3, {}, 8_197_096),
    ("efficientnet_lite4", 1000, 3, {}, 13_006_568),
    ("vit_b_16", 1000, 3, {}, 86_567_656),
    ("vit_b_32", 1000, 3, {}, 88_224_232),
    ("vit_l_16", 1000, 3, {}, 304_326_632),
    ("vit_l_32", 1000, 3, {}, 306_535_400),
    ("vit_h_14", 1000, 3, {}, 632_045_800),
    ("vit_b_16", 5, 3, {}, 85_802_501),
    ("vit_b_32", 5, 3, {}, 87_459_077),
    ("vit_l_16", 5, 3, {}, 303_306_757),
    ("vit_l_32", 5, 3, {}, 305_515_525),
    ("vit_h_14", 5, 3, {}, 630_771_205),
    ("vit_b_16", 21_843, 3, {"representation_size": 768}, 103_186_515),
    ("vit_r50_b_16", 0, 3, {}, 97_890_112),  # timm's 224 px entry has no classes
    ("vit_r50_b_16", 1000, 3, {"size": 384}, 98_950_952),
]

# As Keras counts: with batch norm's moving statistics.
KERAS_TOTALS = [
    ("resnet34", 5, 3, {"padding": "same"}, 21_304_261),
    ("resnet50", 5, 3, {"padding": "same"}, 23_571_397),
    ("resnet101", 5, 3, {"padding": "same"}, 42_615_749),
    ("resnet50_v1", 1000, 3, {}, 25_636_712),
    ("resnet101_v1", 1000, 3, {}, 44_707_176),
    ("resnet152_v1", 1000, 3, {}, 60_419_944),
    ("resnet50_course", 6, 3, {}, 17_958_790),
    ("resnet50_course_leaky", 5, 3, {}, 17_987_461),
    ("resnet18_textbook", 10, 1, {}, 11_186_186),
    ("resnet50v2", 1000, 3, {}, 25_613_800),
    ("resnet50v2", 1000, 3, {"preact": False}, 25_605_864),  # 8,192 fewer behind, 256 more before
    ("resnet101v2", 1000, 3, {}, 44_675_560),
    ("resnet152v2", 1000, 3, {}, 60_380_648),
    ("mobilenet_v1", 1000, 3, {}, 4_253_864),
    ("mobilenet_v2", 1000, 3, {}, 3_538_984),
    ("mobilenet_v3_small", 1000, 3, {}, 2_554_968),
    ("mobilenet_v3_large", 1000, 3, {}, 5_507_432),
]

# In millions, as He 2015 (table 6) and He 2016 (table 4) print them, to their own digits.
CIFAR_MILLIONS = {
    "cifar_resnet20": 0.27,
    "cifar_resnet32": 0.46,
    "cifar_resnet44": 0.66,
    "cifar_resnet56": 0.85,
    "cifar_resnet110": 1.7,
    "cifar_resnet1202": 19.4,
    "cifar_preresnet110": 1.7,
    "cifar_preresnet164": 1.7,
}


@cache
def _on_meta(name: str, classes: int, channels: int, options: tuple[tuple[str, object], ...]) -> Classifier:
    with torch.device("meta"):
        return create_model(name, classes, in_channels=channels, **dict(options))


def on_meta(name: str, classes: int = 1000, channels: int = 3, **options: object) -> Classifier:
    """A model without numbers, built once for all tests, in eval mode and without gradients."""
    model = _on_meta(name, classes, channels, tuple(options.items()))
    model.zero_grad(set_to_none=True)
    return model.eval()


@pytest.mark.parametrize(("name", "classes", "channels", "options", "count"), PARAMETERS)
def test_parameters_are_the_references(name: str, classes: int, channels: int, options: dict[str, object], count: int):
    """The count of trainable parameters is exactly the reference's."""
    assert trainable(on_meta(name, classes, channels, **options)) == count


@pytest.mark.parametrize(("name", "classes", "channels", "options", "count"), KERAS_TOTALS)
def test_totals_are_keras(name: str, classes: int, channels: int, options: dict[str, object], count: int):
    """With batch norm's moving statistics the count is what Keras prints as total."""
    assert keras_total(on_meta(name, classes, channels, **options)) == count


def test_inception_v3_has_keras_total_but_for_the_scales():
    """Keras' InceptionV3 has batch norms without scale: 17,216 fewer, and then exactly its total."""
    model = on_meta("inception_v3", 1000, aux=False, pool_counts_padding=False)
    scales = sum(part.weight.numel() for part in model.modules() if isinstance(part, nn.BatchNorm2d))
    assert keras_total(model) - scales == 23_851_784


@pytest.mark.parametrize(("groups", "width"), [(2, 40), (4, 24), (8, 14), (32, 4)])
def test_cardinalities_cost_alike(groups: int, width: int):
    """Xie et al. 2016, table 2: with C groups of width d a block has about 70 thousand weights, whatever C is."""
    form = replace(SIZES["resnext50_32x4d"], groups=groups, group_width=width)
    block = Bottleneck(256, 64, stride=1, form=form, project=False)
    weights = sum(part.weight.numel() for part in block.modules() if isinstance(part, nn.Conv2d))
    assert weights == pytest.approx(70_000, rel=0.03)


@pytest.mark.parametrize(("name", "width", "millions"), [("large", 0.75, 4.0), ("small", 0.75, 2.0)])
def test_narrow_mobilenets_are_the_papers(name: str, width: float, millions: float):
    """Howard et al. 2019, table 3, has 4.0 and 2.0 million parameters at a width of 0.75."""
    assert round(trainable(on_meta(f"mobilenet_v3_{name}", width=width)) / 1e6, 1) == millions


@pytest.mark.parametrize("name", CIFAR_MILLIONS)
def test_cifar_parameters_are_the_papers(name: str):
    """Rounded as the papers print them, the counts are theirs."""
    millions = CIFAR_MILLIONS[name]
    digits = 2 if millions < 1 else 1
    assert round(trainable(on_meta(name, 10)) / 1e6, digits) == millions


def test_the_1001_layers_have_the_papers_weights():
    """10.2 million: the paper's figure counts convolutions and the dense layer, without batch norm."""
    weights = sum(p.numel() for p in on_meta("cifar_preresnet1001", 10).parameters() if p.ndim > 1)
    assert round(weights / 1e6, 1) == 10.2


def test_inception_v2_is_the_papers_table():
    """Each module of BN-Inception gives the shape that figure 5 of the paper prints."""
    printed = [
        (256, 28),
        (320, 28),
        (576, 14),
        (576, 14),
        (576, 14),
        (576, 14),
        (576, 14),
        (1024, 7),
        (1024, 7),
        (1024, 7),
    ]
    model = on_meta("inception_v2", 1000)
    maps = torch.empty(1, 192, 28, 28, device="meta")
    for module, (channels, side) in zip(model.inception, printed, strict=True):
        maps = module(maps)
        assert maps.shape == (1, channels, side, side)


def test_block_accounting():
    """A basic block of 64 channels holds 73,728 conv weights, a bottleneck 256-64-256 holds 69,632."""

    def conv_weights(block: nn.Module) -> int:
        return sum(part.weight.numel() for part in block.modules() if isinstance(part, nn.Conv2d))

    basic, bottleneck = SIZES["resnet18"], SIZES["resnet50"]
    assert conv_weights(BasicBlock(64, 64, stride=1, form=basic, project=False)) == 73_728
    assert conv_weights(Bottleneck(256, 64, stride=1, form=bottleneck, project=False)) == 69_632


# What only repeats the blocks of another entry: without numbers here, with them in `make slow`.
REPEATED = {
    "alexnet", "alexnet_owt", "alexnet_half", "alexnet_half_slim", "mobilenet_v3_large", "resnet50_course_leaky",
    "cifar_preresnet164",
    "vgg11_lrn", "vgg16_c", "vgg13", "vgg16", "vgg19", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    "resnet34", "resnet101", "resnet152",
    "resnet101_v1", "resnet152_v1", "resnext101_32x8d", "resnext101_64x4d", "resnet101v2", "resnet152v2",
    "cifar_resnet32", "cifar_resnet44", "cifar_resnet56", "cifar_resnet110", "cifar_resnet1202", "cifar_preresnet1001",
    "efficientnet_lite1", "efficientnet_lite2", "efficientnet_lite3", "efficientnet_lite4",
    "vit_b_16", "vit_l_16", "vit_l_32", "vit_h_14", "vit_r50_l_32",
}  # fmt: skip

# Each entry once, with small pictures, and with real numbers where drawing them takes about a second.
LARGEST, LARGEST_OF_ZEROS = 95e6, 70e6  # parameters with numbers, and with zeros
NO_NUMBERS = "on the meta device here; with numbers in make slow up to 95 million parameters, in make parity all"
THOUSAND_LAYERS = ("cifar_resnet1202", "cifar_preresnet1001")  # their blocks are those of others; test_resnet_cifar.py


def least_side(entry: Entry) -> int:
    """The side of the smallest pictures that an entry takes, but 32 pixels where it could be less."""
    return entry.fixed_sizes[0] if entry.fixed_sizes else max(entry.min_size, 32 // entry.multiple * entry.multiple)


@dataclass
class Specimen:
    name: str
    model: Classifier
    images: torch.Tensor
    options: dict[str, object]
    has_numbers: bool  # weights that were drawn

    @property
    def entry(self) -> Entry:
        return ZOO[self.name]

    @cached_property
    def features(self) -> torch.Tensor:
        with torch.no_grad():
            return self.model.eval().features(self.images)

    def pictures(self, count: int, height: int, width: int, *, channels: int = 1) -> torch.Tensor:
        return torch.rand(count, channels, height, width, device=self.images.device)


SPECIMENS = [  # (name, whether with numbers)
    *(pytest.param((name, name not in REPEATED), id=name) for name in ZOO if name not in THOUSAND_LAYERS),
    *(pytest.param((name, True), id=f"{name}-numbers", marks=pytest.mark.slow) for name in ZOO if name in REPEATED),
]
SMALL = {"vgg": {"stages": ((1, 8), (2, 16)), "batch_norm": True}}  # by default it is vgg16


@pytest.fixture(scope="module", params=SPECIMENS)
def specimen(request: pytest.FixtureRequest) -> Specimen:
    """An entry for grey pictures and 10 classes, and two pictures; pytest runs all tests of one before the next."""
    name, numbers = request.param
    entry = ZOO[name]
    side = least_side(entry)
    options = SMALL.get(name, {}) | ({"size": side} if entry.size_option else {})
    torch.manual_seed(0)
    plan = on_meta(name, **SMALL.get(name, {}))
    numbers = numbers and trainable(plan) < LARGEST
    normed = any(isinstance(part, nn.BatchNorm2d) for part in plan.modules())
    with torch.device("cpu" if numbers else "meta"):
        model = create_model(name, 10, in_channels=1, **options)
    # Batch norm is slow on the meta device, and drawing numbers is slow on any: zeros, and ones as statistics.
    if normed and not numbers and trainable(plan) < LARGEST_OF_ZEROS:
        model = model.to_empty(device="cpu")
        for tensors, value in ((model.parameters(), 0), (model.buffers(), 1)):
            for tensor in tensors:
                nn.init.constant_(tensor, value)
    return Specimen(name, model, torch.rand(2, 1, side, side, device=model.mean.device), options, numbers)


def test_the_contract(specimen: Specimen):
    """features, grid, head and forward fit together; training_logits gives every parameter a finite gradient."""
    model, images = specimen.model.train(), specimen.images
    heads = model.training_logits(images)
    assert heads[0][1] == 1.0 and all(logits.shape == (2, 10) for logits, _ in heads)
    labels = torch.tensor([0, 1], device=images.device)
    sum(weight * F.cross_entropy(logits, labels) for logits, weight in heads).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    if specimen.has_numbers:
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        features = specimen.features
        grid = model.eval().grid(features)
        assert grid.ndim == 4 and grid.shape[0] == 2 and grid.shape[1] in features.shape
        logits = model.head(features)
        assert logits.shape == (2, 10)
        if specimen.has_numbers:
            assert torch.equal(logits, model(images))


def test_a_backbone_and_its_head_are_the_model(specimen: Specimen):
    """Taken apart they give a vector for each picture and the model's own logits, and the model stays whole."""
    model, names = specimen.model.eval(), list(specimen.model.state_dict())
    backbone, head = apart(model)
    with torch.no_grad():
        vectors = backbone(specimen.images)
        logits = head(vectors)
        assert vectors.ndim == 2 and len(vectors) == 2 and logits.shape == (2, 10)
        if specimen.has_numbers:
            assert torch.equal(logits, model(specimen.images))
    assert list(model.state_dict()) == names
    assert all(part is model.get_parameter(name) for name, part in backbone.named_parameters())


def test_evaluation_is_a_function_and_training_is_not_it(specimen: Specimen):
    """In eval mode a picture gives the same logits alone and in a batch; in training dropout and batch norm differ."""
    if not specimen.has_numbers:
        pytest.skip(NO_NUMBERS)
    model, images = specimen.model.eval(), specimen.images
    random = any(
        isinstance(part, nn.BatchNorm2d) or (isinstance(part, nn.Dropout) and part.p > 0) for part in model.modules()
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 and not parameter.any():  # a classifier that starts with zeros
                nn.init.normal_(parameter, std=0.02)
        together = model(images)
        assert together.isfinite().all() and together.std() > 0
        assert torch.equal(model(images), together)
        assert torch.allclose(model(images[:1]), together[:1], atol=1e-4 * together.abs().max().item())
        assert torch.equal(model.train()(images), together) is not random


def test_any_size_from_the_least_on(specimen: Specimen):
    """An entry takes its least size, odd ones, larger and oblong ones, and names the least for smaller ones."""
    entry, model, images = specimen.entry, specimen.model, specimen.images
    least = entry.min_size
    if entry.fixed_sizes or entry.size_option:
        sizes = [tuple(images.shape[2:])]
    else:
        sizes = [(least, least), (least + 9 * entry.multiple, least + 4 * entry.multiple)]
    has_heads = type(model).training_logits is not Classifier.training_logits
    with torch.no_grad():
        for height, width in sizes:
            assert model.eval()(specimen.pictures(1, height, width)).shape == (1, 10)
            if has_heads:
                heads = model.train().training_logits(specimen.pictures(2, height, width))
                assert all(logits.shape == (2, 10) for logits, _ in heads)
        if least > 1:
            with pytest.raises(ModelError, match=f"at least {least}"):
                model(specimen.pictures(1, least - 1, least - 1))


def test_a_wrong_number_of_channels_is_told(specimen: Specimen):
    """Pictures of another number of channels than the model's are a ModelError that says what it takes."""
    with pytest.raises(ModelError, match=r"\(N, 1, H, W\)"):
        specimen.model(specimen.pictures(1, *specimen.images.shape[2:], channels=3))


def test_no_classes_gives_features(specimen: Specimen):
    """num_classes=0 leaves out the last layer, and auxiliary heads with it."""
    features = specimen.features
    out = on_meta(specimen.name, 0, 1, **specimen.options).head(torch.empty(features.shape, device="meta"))
    assert out.ndim == 2 and out.shape[0] == 2 and out.shape[1] > 10


def test_saved_weights_give_the_same_logits(specimen: Specimen, tmp_path: Path):
    """Weights written as safetensors and loaded into a fresh model give bitwise the same logits."""
    if not specimen.has_numbers:
        pytest.skip(NO_NUMBERS)
    model, images = specimen.model.eval(), specimen.images
    with torch.device("meta"):
        other = create_model(specimen.name, 10, in_channels=1, **specimen.options).eval()
    other = other.to_empty(device="cpu")
    save_tensors(model.state_dict(), tmp_path / "weights.safetensors")
    load_model_weights(other, tmp_path / "weights.safetensors")
    (tmp_path / "weights.safetensors").unlink()  # pytest keeps its folders for three runs
    with torch.no_grad():
        assert torch.equal(model(images), other(images))
        # A classifier of zeros would give the same whatever came before it.
        assert torch.equal(model.features(images), other.features(images))


@pytest.mark.parametrize("name", ["resnet_lite", "resnet18", "mobilenet_v2"])
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


@pytest.mark.parametrize("kernel", [2, 3, (1, 4), (7, 1)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_convolutions_are_those_of_a_padded_picture(kernel: int | tuple[int, int], stride: int):
    """Kernels of even sides, at stride 1 too, and kernels that are not square: out = ceil(in / stride), exactly."""
    torch.manual_seed(0)
    conv = make_conv(2, 3, kernel=kernel, stride=stride, padding="same", bias=True)
    images = torch.randn(2, 2, 8, 11)
    padded = pad_same(images, kernel=conv.kernel_size, stride=stride)
    assert conv(images).shape == (2, 3, -(-8 // stride), -(-11 // stride))
    assert torch.allclose(conv(images), F.conv2d(padded, conv.weight, conv.bias, stride), atol=1e-6)


def test_a_unit_of_a_kernel_that_is_not_square_has_its_stride_and_padding():
    """1x7 with stride 2: symmetric padding keeps half the sides, valid padding takes the kernel off the columns."""
    images = torch.rand(2, 4, 16, 16)
    assert ConvUnit(4, 8, kernel=(1, 7), stride=2)(images).shape == (2, 8, 8, 8)
    assert ConvUnit(4, 8, kernel=(1, 7), stride=2, padding="valid")(images).shape == (2, 8, 8, 5)
    assert ConvUnit(4, 8, kernel=(1, 7), stride=3, padding="same")(images).shape == (2, 8, 6, 6)


@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 11), (5, 6)])
def test_same_max_pooling_is_pooling_of_a_padded_picture(kernel: int, stride: int, size: tuple[int, int]):
    """What lies beyond the edge never wins, also where the padded picture is not made."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, *size) - 5
    padded = pad_same(images, kernel=kernel, stride=stride, value=float("-inf"))
    expected = F.max_pool2d(padded, kernel, stride=stride)
    assert torch.equal(SameMaxPool2d(kernel, stride=stride)(images), expected)


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
        (lambda: check_size("vit_b_16", 100), "--size 96"),
        (lambda: check_size("inception_v3", 74), "at least 75"),
        (lambda: create_model("cifar_resnet110", 10, order="full_preactivation"), "full_preact"),
        (lambda: parse_options("vgg", ("stages=64",)), "stages"),
    ],
)
def test_mistakes_are_told_with_close_matches(call: object, words: str):
    """Unknown names and options give close matches; sizes name what the model takes."""
    with pytest.raises(ModelError, match=words):
        call()


# Their modules are exported with another entry here: the inception module, the bottleneck, the encoder block.
EXPORTED_IN_SLOW = REPEATED | {"googlenet_bn", "resnet50_v1", "vit_r50_b_16"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in EXPORTED_IN_SLOW)) for name in ZOO]
)
def test_every_entry_can_be_exported(name: str):
    """torch.export takes the whole network, normalisation and checks included, and keeps the logits' shape."""
    side = ZOO[name].size
    program = torch.export.export(on_meta(name), (torch.rand(1, 3, side, side, device="meta"),))
    (logits,) = (node for node in program.graph.nodes if node.op == "output")
    assert logits.args[0][0].meta["val"].shape == (1, 1000)
