from __future__ import annotations

import csv
import math

import pytest
import torch

from pictaxa.models.catalogue import FIGURES
from pictaxa.models.diagram import units
from pictaxa.models.formulas import Layer, receptive_field
from pictaxa.models.summary import summarise_model
from pictaxa.models.zoo import ZOO, create_model


@pytest.mark.parametrize(
    ("name", "pixels"),
    [("alexnet", 195), ("vgg16", 212), ("mobilenet_v1", 315), ("inception_v3", 1311), ("resnet50_v1", 483)],
)
def test_receptive_fields_are_the_published_ones(name: str, pixels: int):
    """Araujo et al. 2019, "Computing receptive fields of convolutional neural networks", table 1."""
    assert summarise_model(name, size=ZOO[name].size).receptive_field == pixels


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("alexnet_owt", 0.714), ("vgg16", 15.470), ("googlenet_bn", 1.498), ("inception_v3", 5.713),
        ("resnet18", 1.814), ("resnet50", 4.089), ("resnext50_32x4d", 4.230), ("mobilenet_v2", 0.301),
        ("mobilenet_v3_large", 0.217), ("mobilenet_v3_small", 0.057), ("vit_b_16", 17.564),
    ],
)  # fmt: skip
def test_multiply_adds_are_torchvisions(name: str, billions: float):
    """torchvision's documentation gives these for its models, in billions to three places."""
    summary = summarise_model(name, size=ZOO[name].size)
    assert round(summary.multiply_adds / 1e9, 3) == billions


def test_rows_add_up():
    """The rows' parameters and multiply-adds are the totals', and each shape is the layer's."""
    summary = summarise_model("resnet18", size=224)
    assert sum(row.parameters for row in summary.rows) == summary.trainable == 11_689_512
    assert sum(row.multiply_adds for row in summary.rows) == summary.multiply_adds
    assert summary.frozen == 9_600
    assert summary.depth == 18
    rows = {row.name: row for row in summary.rows}
    assert rows["conv1"].shape == (64, 112, 112) and rows["fc"].shape == (1000,)
    assert rows["conv1"].trace.field_height == 7 and rows["maxpool"].trace.field_height == 11
    assert math.isinf(rows["fc"].trace.field_height)


def test_a_chain_has_the_formulas_receptive_field():
    """For a network without branches the traced field is the formula's."""
    layers = []
    for convolutions in (1, 1, 2, 2, 2):
        layers += [Layer(3)] * convolutions + [Layer(2, 2)]
    assert summarise_model("vgg11", size=224).receptive_field == receptive_field(layers)


def test_depths_are_the_names():
    """Where a name has the depth in it, the longest path has it."""
    for name, depth in (("vgg16", 16), ("resnet50", 50), ("cifar_resnet20", 20), ("cifar_preresnet164", 164)):
        assert summarise_model(name, size=ZOO[name].size, num_classes=10).depth == depth


with FIGURES.open(encoding="utf-8", newline="") as file:
    LISTED = {row["name"]: (int(row["parameters"]), int(row["multiply_adds"])) for row in csv.DictReader(file)}


THOUSAND_LAYERS = ("cifar_resnet1202", "cifar_preresnet1001")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in THOUSAND_LAYERS)) for name in ZOO]
)
def test_figures_and_units(name: str):
    """The list's figures are the counted ones, and the diagram's units hold every multiply-add of the network."""
    entry = ZOO[name]
    summary = summarise_model(name, size=entry.size, channels=entry.channels)
    assert LISTED[name] == (summary.trainable, summary.multiply_adds)
    assert summary.shapes[""] == (1000,)
    with torch.device("meta"):
        model = create_model(name, in_channels=entry.channels)
    parts = units(summary, model)
    assert len(parts) >= 3
    assert sum(unit.multiply_adds for unit in parts) == pytest.approx(summary.multiply_adds, rel=1e-6)
    assert parts[-1].shape == (1000,)
