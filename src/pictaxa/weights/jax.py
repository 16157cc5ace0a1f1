"""Google's ViT checkpoints (.npz of the published JAX code) as our tensors.

There queries, keys and values are three kernels (D, H, d) and the output's is (H, d, D); kernels of convolutions are
(height, width, in, out), dense ones (in, out). Scales and shifts of group norm may be (1, 1, 1, C).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ..models.entry import Rule
from .rules import rename


def translate(arrays: Mapping[str, np.ndarray], rules: Sequence[Rule]) -> dict[str, torch.Tensor]:
    """A checkpoint's arrays by our names; names that no rule knows stay as they are."""
    tensors: dict[str, torch.Tensor] = {}
    attention: dict[str, dict[str, torch.Tensor]] = {}  # "blocks.0.attn.qkv.weight" -> query, key, value
    for theirs, ours in rename(list(arrays), rules).names.items():
        value = torch.from_numpy(np.array(arrays[theirs], dtype=np.float32, order="C"))
        path, _, variable = ours.rpartition(".")
        name = f"{path}.{'bias' if variable == 'bias' else 'weight'}" if path else ours
        block, _, part = path.rpartition(".")
        if part in ("query", "key", "value"):  # (D, H, d) -> (H * d, D), (H, d) -> (H * d)
            value = value.flatten(1).t() if value.ndim == 3 else value.reshape(-1)
            attention.setdefault(f"{block}.qkv.{name.rpartition('.')[2]}", {})[part] = value
            continue
        if variable == "kernel" and value.ndim > 1:
            value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.flatten(0, -2).t()
        elif path:
            value = value.reshape(-1)
        tensors[name] = value
    for name, parts in attention.items():
        if len(parts) == 3 and len({value.shape for value in parts.values()}) == 1:
            tensors[name] = torch.cat([parts["query"], parts["key"], parts["value"]])
        else:
            tensors |= {f"{name}.{part}": value for part, value in parts.items()}  # left for the error to name
    return tensors
