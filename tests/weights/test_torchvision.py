from __future__ import annotations

import pytest

from pictaxa.models.zoo import create_model
from pictaxa.weights.rules import rename
from pictaxa.weights.torchvision import NORMALIZATION, RULES

# Names in a published state dict of torchvision's, and ours of the same layer.
SAME = [
    ("alexnet", "features.10.weight", "conv5.weight"),
    ("alexnet", "classifier.6.bias", "fc3.bias"),
    ("vgg", "features.28.weight", "convs.28.weight"),
    ("mobilenet", "features.18.1.running_var", "convs.18.1.running_var"),
    ("vit", "encoder.layers.encoder_layer_11.mlp.linear_2.bias", "blocks.11.mlp.fc2.bias"),
    ("vit", "encoder.layers.encoder_layer_11.mlp.3.bias", "blocks.11.mlp.fc2.bias"),
    ("vit", "heads.head.weight", "classifier.weight"),
]
ENTRIES = {"alexnet": "alexnet_owt", "vgg": "vgg16", "mobilenet": "mobilenet_v2", "vit": "vit_b_16"}


@pytest.mark.parametrize(("family", "theirs", "ours"), SAME)
def test_names_of_published_files(family: str, theirs: str, ours: str):
    """Each becomes ours, and the entry has such a tensor."""
    import torch

    assert rename([theirs], RULES[family]).names == {theirs: ours}
    with torch.device("meta"):
        assert ours in create_model(ENTRIES[family], 1000).state_dict()


def test_only_vit_is_fed_otherwise():
    """The entry follows Google's code, fed from -1 to 1; torchvision's weights are fed as ImageNet's usually are."""
    assert NORMALIZATION == {"vit": "imagenet"}
