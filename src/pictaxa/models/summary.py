"""A network at an input size: the graph of its forward pass, and the totals of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from .graph import Graph, Node
from .tracing import trace_model
from .zoo import create_model


@dataclass(frozen=True)
class Summary:
    """A network at an input size, with totals for one picture. Auxiliary heads count among the parameters alone.

    Example:
        summary = summarise_model("resnet18", size=224)
        print(summary.trainable, summary.multiply_adds)  # 11689512 1814073344
    """

    name: str
    size: int
    channels: int
    graph: Graph
    trainable: int
    frozen: int

    @property
    def predicting(self) -> list[Node]:
        """The steps of a prediction: all but those of auxiliary heads; the last gives the logits."""
        return [node for node in self.graph.nodes if not node.auxiliary]

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with an addition, in convolutions, dense layers and attention."""
        return sum(node.multiply_adds for node in self.predicting)

    @property
    def depth(self) -> int:
        """Convolutions and dense layers on the longest path."""
        return self.predicting[-1].depth

    @property
    def receptive_field(self) -> float:
        """Of a position of the last map, before anything looks at the whole picture; pixels."""
        fields = (node.field.height for node in self.predicting)
        return max(field for field in fields if not math.isinf(field))

    @property
    def megabytes(self) -> float:
        """What all steps of a prediction store in float32."""
        return sum(node.megabytes for node in self.predicting)


def summarise_model(
    name: str, *, size: int, num_classes: int = 1000, channels: int = 3, options: dict[str, Any] | None = None
) -> Summary:
    """Summarise an entry, from a forward pass of one picture on the meta device.

    Args:
        name: name of the entry.
        size: side of the picture, pixels; one that the entry takes (`zoo.check_size`).
        num_classes: number of classes.
        channels: 3 for RGB, 1 for grey.
        options: the entry's own options; {"size": size} for one that is built for one size.

    Returns:
        A Summary, whose graph has a node for each step in the order of the calls.

    Raises:
        ModelError: the name or an option is unknown, or the picture is too small.

    Example:
        for node in summarise_model("resnet18", size=224).graph.nodes:
            print(node.name, node.words, node.shape, node.parameters)
    """
    with torch.device("meta"):
        model = create_model(name, num_classes, in_channels=channels, **(options or {})).eval()
        graph = trace_model(model, size=size)
    return Summary(
        name=name,
        size=size,
        channels=channels,
        graph=graph,
        trainable=sum(parameter.numel() for parameter in model.parameters()),
        frozen=sum(value.numel() for key, value in model.state_dict().items() if "running_" in key),
    )
