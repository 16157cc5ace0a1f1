from __future__ import annotations

import pytest

from pictaxa.models.graph import Graph
from pictaxa.models.parts import Part, Sheet, block_sheets, network_sheet
from pictaxa.models.summary import summarise_model
from pictaxa.models.zoo import ZOO, find_entry


def graph_of(name: str) -> Graph:
    entry = find_entry(name)
    return summarise_model(name, size=entry.size, channels=entry.channels).graph


def blocks_of(sheet: Sheet) -> list[Part]:
    return [part for part in sheet.parts if part.inside is not None]


THOUSAND_LAYERS = ("cifar_resnet1202", "cifar_preresnet1001")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in THOUSAND_LAYERS)) for name in ZOO]
)
def test_every_network_has_a_sheet(name: str):
    """Nothing is lost: the parts' parameters and multiply-adds are the graph's; all parts are connected."""
    graph = graph_of(name)
    sheet = network_sheet(graph)
    assert sum(part.parameters for part in sheet.parts) == sum(node.parameters for node in graph.nodes)
    assert sum(part.multiply_adds for part in sheet.parts) == sum(node.multiply_adds for node in graph.nodes)
    assert {arrow.target for arrow in sheet.arrows} == set(range(1, len(sheet.parts)))
    assert all(arrow.source < arrow.target for arrow in sheet.arrows)
    assert sheet.parts[0].title == "picture" and len(sheet.parts) < 80
    for block in blocks_of(sheet):
        assert block.inside is not None
        reached = {arrow.target for arrow in block.inside.arrows}
        assert reached == set(range(1, len(block.inside.parts))), block.name


def test_a_residual_network_in_blocks():
    """ResNet-50: eight blocks, of each stage the first and then the others as one with their number."""
    blocks = blocks_of(network_sheet(graph_of("resnet50")))
    assert [(block.title, block.count) for block in blocks] == [
        ("bottleneck", count) for count in (1, 2, 1, 3, 1, 5, 1, 2)
    ]
    styles = [{arrow.style for arrow in block.inside.arrows} for block in blocks if block.inside]
    assert styles == [{"plain", "projection"}, {"plain", "identity"}] * 4


def test_a_plain_network_in_boxes():
    """VGG-16: its convolutions in a row as one box with their number, as the paper's table has them."""
    parts = network_sheet(graph_of("vgg16")).parts
    assert [(part.title, part.count) for part in parts[1:6]] == [
        ("3x3 conv, 64", 2), ("2x2 max pool /2", 1), ("3x3 conv, 128", 2), ("2x2 max pool /2", 1), ("3x3 conv, 256", 3),
    ]  # fmt: skip
    assert parts[1].notes == ("ReLU",)


def test_branches_and_auxiliary_heads():
    """GoogLeNet: nine modules of four branches, and two heads beside them."""
    sheet = network_sheet(graph_of("googlenet"))
    blocks = blocks_of(sheet)
    assert [block.title for block in blocks if not block.auxiliary] == ["inception"] * 9
    assert [block.title for block in blocks if block.auxiliary] == ["auxiliary head"] * 2
    first = blocks[0].inside
    assert first is not None and sum(arrow.source == 0 for arrow in first.arrows) == 4


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("mobilenet_v2", {"inverted residual"}),
        ("mobilenet_v1", {"depthwise separable"}),
        ("mobilenet_v3_small", {"V3 block"}),
        ("vit_b_16", {"encoder block"}),
        ("vit_r50_b_16", {"encoder block", "group norm bottleneck"}),
        ("lenet5", set()),
    ],
)
def test_blocks_are_found(name: str, titles: set[str]):
    """In each family what its paper calls a block."""
    assert {block.title for block in blocks_of(network_sheet(graph_of(name)))} == titles


def test_the_encoder_is_drawn_once():
    """Twelve equal encoder blocks are one with its number."""
    (block,) = blocks_of(network_sheet(graph_of("vit_b_16")))
    assert block.count == 12 and block.name == "blocks.0 to 11"


def test_the_parts_of_a_block_by_themselves():
    """v1 has its ReLU after the sum, v2 its batch norm and ReLU before each convolution."""

    def steps(name: str) -> list[str]:
        return [part.title for part in block_sheets(graph_of(name))["layer1.1"].parts if part.kind != "port"]

    conv = ["1x1 conv, 64", "3x3 conv, 64", "1x1 conv, 256"]
    norm = ["batch norm", "ReLU"]
    assert steps("resnet50") == [conv[0], *norm, conv[1], *norm, conv[2], "batch norm", "add", "ReLU"]
    assert steps("resnet50v2") == [*norm, conv[0], *norm, conv[1], *norm, conv[2], "add"]
