from __future__ import annotations

import csv
import math

import pytest

from pictaxa.models.catalogue import FIGURES
from pictaxa.models.formulas import Layer, receptive_field
from pictaxa.models.summary import summarise_model
from pictaxa.models.zoo import ZOO


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


def test_a_gate_does_not_hide_the_receptive_field():
    """MobileNet v3's squeeze-and-excitation has seen the whole picture, and its maps go on to see more and more."""
    small = summarise_model("mobilenet_v3_small", size=224)
    fields = [node.field.height for node in small.predicting if node.operation == "add"]
    assert fields == sorted(fields) and math.isfinite(fields[-1])
    last = {node.name: node for node in small.predicting}["convs.12.0"]
    assert small.receptive_field == last.field.height > 500


def test_the_totals_are_the_nodes():
    """Parameters and multiply-adds of the nodes are the totals, and each shape is the layer's."""
    summary = summarise_model("resnet18", size=224)
    assert sum(node.parameters for node in summary.graph.nodes) == summary.trainable == 11_689_512
    assert summary.multiply_adds == 1_814_073_344
    assert summary.frozen == sum(node.frozen for node in summary.graph.nodes) == 9_600
    assert summary.depth == 18
    nodes = {node.name: node for node in summary.graph.nodes}
    assert nodes["conv1"].shape == (64, 112, 112) and nodes["fc"].shape == (1000,)
    assert nodes["conv1"].field.height == 7 and nodes["maxpool"].field.height == 11
    assert math.isinf(nodes["fc"].field.height)


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
def test_the_listed_figures_are_counted(name: str):
    """The list's figures are those of the graph."""
    entry = ZOO[name]
    summary = summarise_model(name, size=entry.size, channels=entry.channels)
    assert LISTED[name] == (summary.trainable, summary.multiply_adds)
    assert summary.predicting[-1].shape == (1000,)
