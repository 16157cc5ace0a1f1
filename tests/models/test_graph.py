from __future__ import annotations

import math

import pytest

from pictaxa.models.formulas import Layer, receptive_field
from pictaxa.models.graph import WHOLE, Call, Graph, Node, fold, spelt, with_fields

PICTURE = Node("picture", "input", inputs=(), shape=(3, 32, 32))


def chain(*layers: Layer) -> Graph:
    """A row of convolutions."""
    nodes = [PICTURE]
    for place, layer in enumerate(layers):
        kernel = (layer.kernel, layer.kernel)
        nodes.append(Node(f"conv{place}", "conv", (place,), (8, 8, 8), kernel=kernel, stride=layer.stride))
    return with_fields(nodes)


@pytest.mark.parametrize("layers", [(Layer(3),) * 3, (Layer(7, 2), Layer(3, 2), Layer(3)), (Layer(2, 2), Layer(5))])
def test_fields_grow_as_the_formula_says(layers: tuple[Layer, ...]):
    """Forward through a graph, or from the last layer back: the same field."""
    graph = chain(*layers)
    assert graph.nodes[-1].field.height == receptive_field(layers)
    assert graph.nodes[-1].depth == len(layers)


def test_where_paths_meet_the_largest_field_counts():
    """A sum sees what either of its terms sees."""
    wide = Node("wide", "conv", (0,), (8, 32, 32), kernel=(5, 5))
    narrow = Node("narrow", "conv", (0,), (8, 32, 32), kernel=(1, 1))
    graph = with_fields([PICTURE, wide, narrow, Node("add", "add", (1, 2), (8, 32, 32))])
    assert [node.field.height for node in graph.nodes] == [1, 5, 1, 5]


def test_a_gate_leaves_the_field_as_it_is():
    """Squeeze-and-excitation looks at the whole picture, but the map behind it sees no more than before it."""
    conv = Node("conv", "conv", (0,), (8, 32, 32), kernel=(3, 3))
    gate = Node("mean", "average pool", (1,), (8, 1, 1), whole=True)
    graph = with_fields([PICTURE, conv, gate, Node("multiply", "multiply", (1, 2), (8, 32, 32))])
    assert graph.nodes[2].field.height == WHOLE and graph.nodes[3].field.height == 3
    assert math.isinf(with_fields([PICTURE, conv, gate, Node("add", "add", (1, 2), (8, 32, 32))]).nodes[3].field.height)


def test_folding_sums_and_keeps_the_connections():
    """A call's steps become one node, with their sums, the last output, and what comes from outside."""
    block, row = Call("block", "Bottleneck"), Call("row", "Sequential")
    nodes = [
        PICTURE,
        Node("stem", "conv", (0,), (8, 32, 32), parameters=5),
        Node("row.block.conv", "conv", (1,), (16, 16, 16), calls=(row, block), parameters=7, multiply_adds=3, values=2),
        Node("row.block.relu", "ReLU", (2,), (16, 16, 16), calls=(row, block), values=1),
        Node("row.add", "add", (1, 3), (16, 16, 16), calls=(row,)),
        Node("fc", "dense", (4,), (10,), parameters=2),
    ]
    folded = fold(Graph(tuple(nodes)), 2)
    assert [node.name for node in folded.nodes] == ["picture", "stem", "block", "row.add", "fc"]
    assert folded.nodes[2].operation == "bottleneck" and folded.nodes[2].inputs == (1,)
    assert (folded.nodes[2].parameters, folded.nodes[2].multiply_adds, folded.nodes[2].values) == (7, 3, 3)
    assert folded.nodes[3].inputs == (1, 2)
    assert [node.name for node in fold(Graph(tuple(nodes)), 1).nodes] == ["picture", "stem", "row", "fc"]


def test_a_step_in_words():
    """As papers write it."""
    conv = Node("c", "conv", (0,), (64, 112, 112), kernel=(7, 7), stride=2)
    assert conv.words == "7x7 conv /2, 64"
    grouped = Node("c", "conv", (0,), (128, 56, 56), kernel=(3, 3), groups=32)
    assert grouped.words == "3x3 conv, 128, 32 groups"
    assert Node("p", "average pool", (0,), (64, 1, 1), whole=True).words == "global average"
    assert Node("a", "attention", (0,), (12, 197, 64), heads=12).words == "attention, 12 heads"
    assert Node("d", "dense", (0,), (197, 768)).words == "dense, 768"


@pytest.mark.parametrize(
    ("kind", "words"),
    [("InvertedResidual", "inverted residual"), ("InceptionA", "inception A"), ("MLP", "MLP"), ("V3Block", "V3 block")],
)
def test_classes_as_people_write_them(kind: str, words: str):
    """Words apart and small, but for names of capitals."""
    assert spelt(kind) == words
