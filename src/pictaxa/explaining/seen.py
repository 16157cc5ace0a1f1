"""What a network looks with and what it sees, as arrays: kernels, maps, attention, positions, receptive fields.

Zeiler, Fergus 2013, "Visualizing and understanding convolutional networks", look at kernels and maps; Dosovitskiy et
al. 2020, "An image is worth 16x16 words", figure 7, at a transformer's kernels and positions; Luo et al. 2016,
"Understanding the effective receptive field", at what a unit's gradient says of each pixel.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..models.contract import Classifier
from ..models.graph import Graph, Node
from ..models.parts import block_kinds
from ..models.tracing import trace_model
from ..models.vit import VisionTransformer
from .attending import attention_layers, attention_weights

MOST_KERNELS = 96  # that are shown as they are; of more their principal components
COMPONENTS = 28  # as figure 7 of the Vision Transformer's paper has
BRIGHT = 0.995  # the part of the pixels that a unit depends on which is drawn less than full
BLOCKS = 4  # of a transformer that are looked into, from the first to the last


def first_kernels(model: Classifier) -> tuple[np.ndarray, bool]:
    """Read the kernels of the first convolution as pictures.

    Args:
        model: the network.

    Returns:
        (n, k, k, C) float in [0, 1], where grey is 0 and each kernel has its own scale; and whether they are the
        principal components of the kernels, which are very many in a transformer.
    """
    first = next(
        part for part in model.modules() if isinstance(part, nn.Conv2d) and part.in_channels == model.in_channels
    )
    kernels = first.weight.detach().permute(0, 2, 3, 1).numpy()  # (O, C, k, k) -> (O, k, k, C)
    many = len(kernels) > MOST_KERNELS
    if many:
        flat = kernels.reshape(len(kernels), -1)
        kernels = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:COMPONENTS]
        kernels = kernels.reshape(-1, *first.kernel_size, model.in_channels)
    largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
    return 0.5 + 0.5 * kernels / np.maximum(largest, 1e-12), many


@dataclass(frozen=True)
class Stage:
    """Where a network's maps change their size, or a block of a transformer."""

    name: str  # path of the last module of it
    maps: torch.Tensor  # (C, h, w) float, with its graph where gradients are asked for


def stages(model: Classifier, image: torch.Tensor) -> list[Stage]:
    """Pass a picture through a network and take the last maps of each size, and tokens of some blocks as maps.

    Args:
        model: the network, in evaluation mode.
        image: (1, C, S, S) float in [0, 1]; if it requires a gradient the maps have one.

    Returns:
        The stages in the order of the pass.
    """
    return [Stage(name, maps[0]) for name, maps in stage_outputs(model, image)]


def stage_outputs(model: Classifier, images: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """The same for several pictures: (name, (N, C, h, w)) of each stage.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
    """
    by_size: dict[tuple[int, ...], tuple[str, torch.Tensor]] = {}
    blocks: dict[str, torch.Tensor] = {}
    parts = _around_blocks(model, graph_of(model, size=images.shape[-1]))
    chosen = _some_blocks(model)

    def keep(path: str, out: Any) -> None:
        if path in chosen:
            blocks[path] = out
        elif isinstance(out, torch.Tensor) and out.ndim == 4 and min(out.shape[2:]) > 1 and out.shape != images.shape:
            by_size[tuple(out.shape[2:])] = (path, out)

    with _listening(parts, keep):
        model(images)
    return [*by_size.values(), *((path, model.grid(out)) for path, out in blocks.items())]


def graph_of(model: Classifier, *, size: int) -> Graph:
    """The graph of a model that has weights.

    Args:
        model: the network, in evaluation mode.
        size: side of its pictures, pixels.
    """
    return trace_model(copy.deepcopy(model).to("meta"), size=size)


def _around_blocks(model: Classifier, graph: Graph) -> dict[str, nn.Module]:
    """The modules by path, but none within a block: a stage ends with a block, not in one."""
    kinds = block_kinds(graph)
    blocks = tuple(f"{path}." for path, part in model.named_modules() if type(part).__name__ in kinds)
    return {path: part for path, part in model.named_modules() if path and not path.startswith(blocks)}


def _some_blocks(model: Classifier) -> list[str]:
    """Paths of a few of a transformer's blocks, evenly from the first to the last; none of another network."""
    if not isinstance(model, VisionTransformer):
        return []
    last = len(model.blocks) - 1
    places = sorted({round(last * number / (BLOCKS - 1)) for number in range(BLOCKS)})
    return [f"blocks.{place}" for place in places]


@contextmanager
def _listening(parts: dict[str, nn.Module], keep: Callable[[str, Any], None]) -> Iterator[None]:
    """A context in which each module's output is handed on with its path."""

    def hook(path: str) -> Callable[..., None]:
        return lambda part, inputs, out: keep(path, out)

    handles = [part.register_forward_hook(hook(path)) for path, part in parts.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def strongest(maps: torch.Tensor, *, count: int) -> np.ndarray:
    """Choose the channels whose values differ most between positions.

    Args:
        maps: (C, h, w).
        count: how many at most.

    Returns:
        (count, h, w) float in [0, 1], each on its own scale, in the order of the channels.
    """
    values = maps.detach().float()
    spread = values.flatten(1).std(dim=1)
    chosen = values[spread.topk(min(count, len(values))).indices.sort().values]
    low, high = chosen.amin(dim=(1, 2), keepdim=True), chosen.amax(dim=(1, 2), keepdim=True)
    return ((chosen - low) / (high - low).clamp(min=1e-12)).numpy()


def attention(model: Classifier, image: torch.Tensor) -> dict[str, np.ndarray]:
    """Compute what the class token attends to, in each head of each block.

    Args:
        model: the network, in evaluation mode.
        image: (1, C, S, S) float in [0, 1].

    Returns:
        By the block's path: (heads, h, w) float, the weight of each patch; with that of the class token itself a head's
        weights add up to 1. Empty for a network without attention.
    """
    layers = attention_layers(model)
    found = {}
    for path, weights in zip(layers, attention_weights(model, image, layers), strict=True):
        patches = weights[0, :, 0, 1:]  # (1, H, T, T) -> (H, T - 1): from the class token
        side = math.isqrt(patches.shape[1])
        found[path.removesuffix(".attn")] = patches.reshape(-1, side, side).numpy()
    return found


def position_similarity(model: Classifier) -> np.ndarray | None:
    """Compare the position embeddings of a transformer's patches with each other.

    Args:
        model: the network.

    Returns:
        (side, side, side, side) float in [-1, 1]: cosine similarity of the patch in a row and column to that in another
        row and column; None for a network without position embeddings.
    """
    if not isinstance(model, VisionTransformer):
        return None
    embeddings = model.pos_embed.detach()[0, 1:]  # (side^2, D), without the class token's
    unit = embeddings / embeddings.norm(dim=1, keepdim=True).clamp(min=1e-12)
    side = model.grid_side
    return (unit @ unit.T).reshape(side, side, side, side).numpy()


def field_of(nodes: Sequence[Node], name: str) -> float:
    """Side of the receptive field of a stage's units, pixels; infinite where they see the whole picture."""
    last = next(node for node in reversed(nodes) if any(call.path == name for call in node.calls))
    return last.field.height


@dataclass(frozen=True)
class UnitField:
    """What the middle unit of a stage sees."""

    name: str
    pixels: float  # side of its receptive field, infinite where it sees the whole picture
    middle: tuple[float, float]  # of the field, row and column in pixels
    gradient: np.ndarray  # (S, S) float in [0, 1]: how much each pixel changes the unit


def unit_fields(model: Classifier, image: torch.Tensor) -> list[UnitField]:
    """Compute what the middle unit of each stage sees: its receptive field, and what its gradient says of each pixel.

    Args:
        model: the network, in evaluation mode.
        image: (1, C, S, S) float in [0, 1].

    Returns:
        A UnitField for each stage.
    """
    size = image.shape[-1]
    nodes = graph_of(model, size=size).nodes
    image = image.clone().requires_grad_()
    found = []
    with torch.enable_grad():
        for stage in stages(model, image):
            rows, columns = stage.maps.shape[1:]
            row, column = rows // 2, columns // 2
            (gradient,) = torch.autograd.grad(stage.maps[:, row, column].sum(), image, retain_graph=True)
            strength = gradient[0].abs().mean(dim=0)
            middle = ((row + 0.5) * size / rows, (column + 0.5) * size / columns)
            largest = strength[strength > 0].quantile(BRIGHT) if strength.any() else strength.new_tensor(1.0)
            shown = (strength / largest).clamp(max=1).numpy()
            found.append(UnitField(stage.name, field_of(nodes, stage.name), middle, shown))
    return found
