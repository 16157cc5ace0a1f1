"""A network as the graph of its forward pass: the table of its layers, its diagrams and its receptive fields read it.

tracing.py makes the graph of a model; here is what a graph is, and what follows from it alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cached_property

WHOLE = math.inf  # the receptive field of what has seen the whole picture
BYTES = 4  # of a value in float32


@dataclass(frozen=True)
class Call:
    """A module's call, in which steps happen."""

    path: str  # of the module, as get_submodule takes it
    kind: str  # its class
    turn: int = 1  # the same module may be called several times

    @property
    def name(self) -> str:
        """Its path, with the turn from the second on: `pool:2`."""
        return self.path if self.turn == 1 else f"{self.path}:{self.turn}"


@dataclass(frozen=True)
class Field:
    """How much of the picture a position sees."""

    height: float = 1  # pixels of the picture
    width: float = 1
    stride: float = 1  # pixels of the picture between two positions


@dataclass(frozen=True)
class Node:
    """A step of the forward pass: a layer's call, or a function's that no layer stands for."""

    name: str  # the layer's path, or that of the module that calls the function, and what that does
    operation: str  # in the field's words, such as "conv" or "add"
    inputs: tuple[int, ...]  # places in the graph of the nodes that it takes from
    shape: tuple[int, ...]  # of its output, without the number of pictures
    calls: tuple[Call, ...] = ()  # of the modules that it happens in, the outermost first
    kernel: tuple[int, int] | None = None  # of convolutions and pools
    stride: int = 1
    groups: int = 1  # of convolutions
    heads: int = 0  # of attention
    whole: bool = False  # whether each of its outputs takes from all positions
    parameters: int = 0
    frozen: int = 0  # beside them, not trained: batch norm's moving statistics
    multiply_adds: int = 0
    values: int = 0  # that it stores for a picture; 0 for a view, and for what is computed in place
    auxiliary: bool = False  # whether only training uses it
    field: Field = Field()
    depth: int = 0  # convolutions and dense layers on the longest path to its output

    @property
    def megabytes(self) -> float:
        """What it stores for a picture, in float32."""
        return self.values * BYTES / 1e6

    @property
    def words(self) -> str:
        """What it does, as papers write it: `7x7 conv /2, 64`."""
        text = self.operation
        if self.kernel is not None:
            text = f"{self.kernel[0]}x{self.kernel[1]} {text}"
        elif self.operation == "average pool":
            text = "global average" if self.whole else f"average to {self.shape[1]}x{self.shape[2]}"
        elif self.operation == "subsample":
            return f"every {self.stride}{'nd' if self.stride == 2 else 'th'} pixel"
        elif self.operation == "select" and len(self.shape) == 1:
            return "select a token"
        text += f" /{self.stride}" if self.stride > 1 else ""
        if self.operation in ("conv", "depthwise conv", "dense", "concatenate"):
            text += f", {self.shape[0 if len(self.shape) == 3 else -1]}"  # channels of a map, or width of tokens
        text += f", {self.groups} groups" if self.operation == "conv" and self.groups > 1 else ""
        return f"{text}, {self.heads} heads" if self.heads else text


@dataclass(frozen=True)
class Graph:
    """The steps in their order; the first is the picture."""

    nodes: tuple[Node, ...]

    @cached_property
    def consumers(self) -> dict[int, list[int]]:
        """The places of the nodes that take from each node."""
        found: dict[int, list[int]] = {place: [] for place in range(len(self.nodes))}
        for place, node in enumerate(self.nodes):
            for source in node.inputs:
                found[source].append(place)
        return found


def with_fields(nodes: list[Node]) -> Graph:
    """A graph whose nodes know their receptive fields and depths.

    A layer of kernel k and stride s sees (k - 1) * stride more than what it takes from, and s times its stride; where
    paths meet, the largest counts. A gate, a value for each channel that a map is multiplied by, counts as little as
    batch norm's scale does: it has seen the whole picture, but not what lies at any place in it.

    Args:
        nodes: the steps in their order, the first the picture.

    Returns:
        The graph.
    """
    done: list[Node] = []
    for node in nodes:
        sources = [done[place] for place in node.inputs]
        maps = [source for source in sources if not _is_gate(source, node)]
        before = Field(
            max((source.field.height for source in maps), default=1),
            max((source.field.width for source in maps), default=1),
            max((source.field.stride for source in maps), default=1),
        )
        rows, columns = node.kernel or (1, 1)
        field = Field(
            WHOLE if node.whole else before.height + (rows - 1) * before.stride,
            WHOLE if node.whole else before.width + (columns - 1) * before.stride,
            before.stride * node.stride,
        )
        deeper = node.operation in ("conv", "depthwise conv", "dense")
        depth = max((source.depth for source in sources), default=0) + deeper
        done.append(replace(node, field=field, depth=depth))
    return Graph(tuple(done))


def _is_gate(source: Node, node: Node) -> bool:
    return node.operation == "multiply" and source.shape[1:] == (1, 1) != node.shape[1:]


def fold(graph: Graph, depth: int) -> Graph:
    """Fold a graph: each call of a module at a depth becomes one node.

    Args:
        graph: a graph of single steps.
        depth: 1 for the model's own parts, 2 for theirs, and so on.

    Returns:
        A graph in which a node stands for all steps of such a call, with its last output, its largest path, and the
        sums of parameters, multiply-adds and values.
    """
    groups: list[list[int]] = []
    before: tuple[Call, ...] | None = None
    for place, node in enumerate(graph.nodes):
        call = node.calls[:depth] if len(node.calls) >= depth else None
        if call is not None and call == before:
            groups[-1].append(place)
        else:
            groups.append([place])
        before = call
    group_of = {place: number for number, places in enumerate(groups) for place in places}
    folded = []
    for number, places in enumerate(groups):
        nodes = [graph.nodes[place] for place in places]
        inputs = dict.fromkeys(group_of[source] for node in nodes for source in node.inputs)
        outside = tuple(source for source in inputs if source != number)
        if len(nodes) == 1:
            folded.append(replace(nodes[0], inputs=outside))
            continue
        folded_call = nodes[0].calls[depth - 1]
        folded.append(
            Node(
                name=folded_call.name,
                operation=spelt(folded_call.kind),
                inputs=outside,
                shape=nodes[-1].shape,
                calls=nodes[0].calls[:depth],
                parameters=sum(node.parameters for node in nodes),
                frozen=sum(node.frozen for node in nodes),
                multiply_adds=sum(node.multiply_adds for node in nodes),
                values=sum(node.values for node in nodes),
                auxiliary=nodes[-1].auxiliary,
                field=nodes[-1].field,
                depth=nodes[-1].depth,
            )
        )
    return Graph(tuple(folded))


def spelt(kind: str) -> str:
    """A class's name as a person would write it: `InvertedResidual` is an inverted residual."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind).split()
    return " ".join(word if word.isupper() else word.lower() for word in words)
