from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from pictaxa.models.graph import fold
from pictaxa.models.summary import summarise_model
from pictaxa.models.tracing import trace_model
from pictaxa.models.zoo import ZOO, create_model, find_entry

THOUSAND_LAYERS = ("cifar_resnet1202", "cifar_preresnet1001")
ENTRIES = [pytest.param(name, marks=[pytest.mark.slow] * (name in THOUSAND_LAYERS)) for name in ZOO]


@contextmanager
def shapes_of_layers(model: nn.Module) -> Iterator[dict[str, list[tuple[int, ...]]]]:
    """The shapes that each layer without parts gives, in the order of its calls."""
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def keep(path: str, out: Any) -> None:
        shapes.setdefault(path, []).append(tuple(out.shape[1:]))

    hooks = [
        part.register_forward_hook(lambda part, inputs, out, path=path: keep(path, out))
        for path, part in model.named_modules()
        if not list(part.children())
    ]
    yield shapes
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_has_a_whole_graph(name: str):
    """Its parameters add up to the model's, every node but the picture is connected, and each layer that a forward pass
    calls is in it with that pass's shape.
    """
    entry = find_entry(name)
    options = {"size": entry.size} if entry.size_option else {}
    with torch.device("meta"):
        model = create_model(name, in_channels=entry.channels, **options).eval()
        graph = trace_model(model, size=entry.size)
        with torch.no_grad(), shapes_of_layers(model) as shapes:
            logits = model.training_logits(torch.empty(1, entry.channels, entry.size, entry.size))
    nodes, consumers = graph.nodes, graph.consumers
    assert sum(node.parameters for node in nodes) == sum(value.numel() for value in model.parameters())
    assert len({node.name for node in nodes}) == len(nodes)
    for place, node in enumerate(nodes):
        assert node.inputs or place == 0, node.name
        assert all(source < place for source in node.inputs)
    traced: dict[str, list[tuple[int, ...]]] = {}
    for node in nodes:
        if node.calls and node.name == node.calls[-1].name:
            traced.setdefault(node.calls[-1].path, []).append(node.shape)
    silent = ("Identity", "Dropout", "ZeroPad2d", "DropPath", "Sequential")  # where they do nothing
    for path, called in shapes.items():
        kind = type(model.get_submodule(path)).__name__
        assert traced.get(path) == called or (path not in traced and kind in silent), path
    ends = [node.shape for place, node in enumerate(nodes) if not consumers[place]]  # nothing else leads nowhere
    assert ends == [tuple(given.shape[1:]) for given, _ in logits]
    for depth in (1, 2):
        folded = fold(graph, depth)
        assert sum(node.parameters for node in folded.nodes) == sum(node.parameters for node in nodes)
        assert all(node.inputs for node in folded.nodes[1:])


def test_functions_have_rows_too():
    """A residual block's ReLUs and sum, a pool and the flattening; each with what it takes from."""
    graph = summarise_model("resnet18", size=64).graph
    names = [node.name for node in graph.nodes]
    assert names[:6] == ["picture", "normalise", "conv1", "bn1", "relu", "maxpool"]
    block = names[names.index("layer1.0.conv1") : names.index("layer1.1.conv1")]
    assert block == [f"layer1.0.{step}" for step in ("conv1", "bn1", "relu", "conv2", "bn2", "add", "relu:2")]
    add = graph.nodes[names.index("layer1.0.add")]
    assert {names[place] for place in add.inputs} == {"layer1.0.bn2", "maxpool"}
    assert names[-3:] == ["avgpool", "flatten", "fc"]


def test_tokens_and_positions_have_rows():
    """The class token and the position embeddings, with their parameters; the ResNet of a hybrid is there."""
    graph = summarise_model("vit_b_16", size=224).graph
    token = next(node for node in graph.nodes if node.name == "cls_token")
    positions = next(node for node in graph.nodes if node.name == "pos_embed")
    assert (token.operation, token.parameters, token.shape) == ("concatenate", 768, (197, 768))
    assert (positions.operation, positions.parameters) == ("add", 197 * 768)
    hybrid = summarise_model("vit_r50_b_16", size=224).graph
    deepest = [node for node in hybrid.nodes if node.name.startswith("patch_embed.backbone.stages.2")]
    assert deepest[-1].shape == (1024, 14, 14) and sum(node.operation == "add" for node in deepest) == 9


def test_auxiliary_heads_are_marked():
    """They are in the graph, and only they are marked; the main head's multiply-adds stay the prediction's."""
    summary = summarise_model("googlenet", size=224)
    marked = [node for node in summary.graph.nodes if node.auxiliary]
    assert {node.name.partition(".")[0] for node in marked} == {"aux1", "aux2"}
    assert sum(node.parameters for node in marked) == 13_378_280 - 6_998_552
    assert summary.multiply_adds == sum(node.multiply_adds for node in summary.graph.nodes if not node.auxiliary)


def test_memory_counts_what_is_stored():
    """A convolution and its batch norm store their maps; a ReLU in place and a flattened view store nothing."""
    nodes = {node.name: node for node in summarise_model("resnet18", size=224).graph.nodes}
    assert nodes["conv1"].megabytes == pytest.approx(64 * 112 * 112 * 4 / 1e6)
    assert nodes["relu"].values == 0 and nodes["bn1"].values == nodes["conv1"].values


def test_a_layer_that_is_called_again_is_counted_once():
    """AlexNet's one pool has a row for each call, whose names differ; a layer's weights count where it comes first."""
    nodes = summarise_model("alexnet_owt", size=224).graph.nodes
    assert [node.name for node in nodes if node.name.startswith("pool")] == ["pool", "pool:2", "pool:3"]
