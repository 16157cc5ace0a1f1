"""torchvision's state dicts: our module names are the same except for the few below."""

from __future__ import annotations

from typing import Literal

from .rules import Rule

# Its blocks of a Vision Transformer. Published files have the MLP's layers by name, newer models by number.
_BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."

# Its `features` is a module; ours is a method of the model contract.
_FEATURES = Rule(r"features\.(.+)", r"convs.\1")

RULES: dict[str, tuple[Rule, ...]] = {
    "vgg": (_FEATURES,),
    "mobilenet": (_FEATURES,),
    "alexnet": (
        Rule(r"features\.0\.(.+)", r"conv1.\1"),
        Rule(r"features\.3\.(.+)", r"conv2.\1"),
        Rule(r"features\.6\.(.+)", r"conv3.\1"),
        Rule(r"features\.8\.(.+)", r"conv4.\1"),
        Rule(r"features\.10\.(.+)", r"conv5.\1"),
        Rule(r"classifier\.1\.(.+)", r"fc1.\1"),
        Rule(r"classifier\.4\.(.+)", r"fc2.\1"),
        Rule(r"classifier\.6\.(.+)", r"fc3.\1"),
    ),
    "vit": (
        Rule("class_token", "cls_token"),
        Rule(r"encoder\.pos_embedding", "pos_embed"),
        Rule(r"conv_proj\.(.+)", r"patch_embed.proj.\1"),
        Rule(_BLOCK + r"ln_([12])\.(.+)", r"blocks.\1.norm\2.\3"),
        Rule(_BLOCK + r"self_attention\.in_proj_(.+)", r"blocks.\1.attn.qkv.\2"),
        Rule(_BLOCK + r"self_attention\.out_proj\.(.+)", r"blocks.\1.attn.proj.\2"),
        Rule(_BLOCK + r"mlp\.(?:0|linear_1)\.(.+)", r"blocks.\1.mlp.fc1.\2"),
        Rule(_BLOCK + r"mlp\.(?:3|linear_2)\.(.+)", r"blocks.\1.mlp.fc2.\2"),
        Rule(r"encoder\.ln\.(.+)", r"norm.\1"),
        Rule(r"heads\.pre_logits\.(.+)", r"pre_logits.\1"),
        Rule(r"heads\.head\.(.+)", r"classifier.\1"),
    ),
}

# Families that are fed otherwise there than by the code that our entry follows.
NORMALIZATION: dict[str, Literal["imagenet"]] = {"vit": "imagenet"}
