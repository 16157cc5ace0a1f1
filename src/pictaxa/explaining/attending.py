"""What a transformer's tokens attend to: the weights of each block and head, and their rollout over all blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..errors import ModelError
from ..models.contract import Classifier
from ..models.transformer import MultiHeadAttention


def attention_layers(model: Classifier) -> list[str]:
    """The paths of the attention layers, in the order of the pass; none of a network without attention."""
    return [path for path, part in model.named_modules() if isinstance(part, MultiHeadAttention)]


@torch.no_grad()
def attention_weights(model: Classifier, images: torch.Tensor, layers: Sequence[str]) -> list[torch.Tensor]:
    """Compute the attention weights of some layers.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        layers: their paths, from `attention_layers`.

    Returns:
        For each layer (N, heads, T, T) float32: row i is what token i attends to, and adds up to 1.
    """
    found: dict[str, torch.Tensor] = {}

    def hook(path: str) -> Callable[..., None]:
        return lambda part, inputs, out: found.update({path: _weights(out, heads=heads[path])})

    parts: dict[str, Any] = {path: model.get_submodule(path) for path in layers}
    heads = {path: part.heads for path, part in parts.items()}
    handles = [part.qkv.register_forward_hook(hook(path)) for path, part in parts.items()]
    try:
        model(images)
    finally:
        for handle in handles:
            handle.remove()
    return [found[path] for path in layers]


def attention_rollout(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Abnar, Zuidema 2020, "Quantifying attention flow in transformers": how much of a patch reaches the class token.

    Of each block the heads' mean and the shortcut count half each; the blocks are multiplied. It is the same for every
    class.

    Args:
        model: a transformer with a class token, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N, K) int64; only their number counts.

    Returns:
        (N, K, h, w) float32 of 0 and more.

    Raises:
        ModelError: the network has no attention.

    Example:
        maps = attention_rollout(model, images, torch.zeros(len(images), 1, dtype=torch.int64))
    """
    layers = attention_layers(model)
    if not layers:
        raise ModelError(
            "a network with attention for attention-rollout", found=model.entry,
            fix="Leave --method out, or use --method grad-cam.",
        )  # fmt: skip
    flow = None
    for weights in attention_weights(model, images, layers):
        mixed = 0.5 * weights.mean(dim=1) + 0.5 * torch.eye(weights.shape[-1], device=weights.device)  # (N, T, T)
        flow = mixed if flow is None else mixed @ flow
    assert flow is not None
    reached = flow[:, 0, 1:]  # of the class token, from each patch: (N, T - 1)
    side = math.isqrt(reached.shape[1])
    maps = reached.unflatten(1, (side, side))
    return maps[:, None].expand(-1, labels.shape[1], -1, -1)


def _weights(qkv: torch.Tensor, *, heads: int) -> torch.Tensor:
    """softmax(q k^T / sqrt(d)) of each head: (N, T, 3 * D) -> (N, H, T, T)."""
    count, length, width = qkv.shape
    parts = qkv.float().reshape(count, length, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)  # (3, N, H, T, d)
    queries, keys = parts[0], parts[1]
    return torch.softmax(queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[-1]), dim=-1)
