"""Google's ViT checkpoints (.npz of the published JAX code) as our tensors.

There queries, keys and values are three kernels (D, H, d) and the output's is (H, d, D); kernels of convolutions are
(height, width, in, out), dense ones (in, out). Scales and shifts of group norm may be (1, 1, 1, C).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from .rules import Rule, rename

_ATTENTION = r"Transformer/encoderblock_(\d+)/MultiHeadDotProductAttention_1/"
_RESNET = "patch_embed.backbone."

_BLOCK = {
    "conv_proj": "downsample.conv", "gn_proj": "downsample.norm",
    "conv1": "conv1", "gn1": "norm1", "conv2": "conv2", "gn2": "norm2", "conv3": "conv3", "gn3": "norm3",
}  # fmt: skip

# What each name becomes, but for the three kernels that are one layer here.
RULES = (
    Rule("cls", "cls_token"),
    Rule("Transformer/posembed_input/pos_embedding", "pos_embed"),
    Rule("embedding/(kernel|bias)", r"patch_embed.proj.\1"),
    Rule(r"Transformer/encoderblock_(\d+)/LayerNorm_0/(.+)", r"blocks.\1.norm1.\2"),
    Rule(r"Transformer/encoderblock_(\d+)/LayerNorm_2/(.+)", r"blocks.\1.norm2.\2"),
    Rule(r"Transformer/encoderblock_(\d+)/MlpBlock_3/Dense_0/(.+)", r"blocks.\1.mlp.fc1.\2"),
    Rule(r"Transformer/encoderblock_(\d+)/MlpBlock_3/Dense_1/(.+)", r"blocks.\1.mlp.fc2.\2"),
    Rule(_ATTENTION + r"out/(.+)", r"blocks.\1.attn.proj.\2"),
    Rule(_ATTENTION + r"(query|key|value)/(.+)", r"blocks.\1.attn.\2.\3"),
    Rule("Transformer/encoder_norm/(.+)", r"norm.\1"),
    Rule("pre_logits/(.+)", r"pre_logits.\1"),
    Rule("head/(.+)", r"classifier.\1"),
    Rule("conv_root/(.+)", rf"{_RESNET}stem.conv.\1"),
    Rule("gn_root/(.+)", rf"{_RESNET}stem.norm.\1"),
    *(
        Rule(f"block{stage + 1}/unit{block + 1}/{theirs}/(.+)", rf"{_RESNET}stages.{stage}.blocks.{block}.{ours}.\1")
        for stage in range(4)
        for block in range(9)
        for theirs, ours in _BLOCK.items()
    ),
)


def translate(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """A checkpoint's arrays by our names; names that no rule knows stay as they are."""
    tensors: dict[str, torch.Tensor] = {}
    attention: dict[str, dict[str, torch.Tensor]] = {}  # "blocks.0.attn.qkv.weight" -> query, key, value
    for theirs, ours in rename(list(arrays), RULES).names.items():
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
