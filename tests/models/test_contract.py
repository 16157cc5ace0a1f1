from __future__ import annotations

import pytest
import torch

from pictaxa.errors import ModelError
from pictaxa.models.contract import evaluating
from pictaxa.models.folding import share_norms
from pictaxa.models.heads import dropout_before
from pictaxa.models.zoo import create_model


def test_every_part_gets_its_own_mode_back():
    """Frozen parts, in evaluation mode in a model that trains, are so afterwards, also when something goes wrong."""
    model = create_model("lenet5", 2).train()
    model.conv1.eval()
    with pytest.raises(KeyError), evaluating(model):
        assert not any(part.training for part in model.modules())
        raise KeyError
    assert model.training and model.conv2.training and not model.conv1.training


def test_a_look_at_a_model_leaves_the_modes_of_its_parts():
    """What asks a model by a blank picture leaves each part as it was; a twin has the modes of its model."""
    model = create_model("resnet_lite", 2).train()
    model.stem.eval()
    modes = {name: part.training for name, part in model.named_modules()}
    assert dropout_before(model, size=32) == 0.2
    twin = share_norms(model, size=32)
    assert {name: part.training for name, part in model.named_modules()} == modes
    assert twin.training and not twin.stem.training


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((2, 64, 64, 3), r"N, H, W, C \(NHWC.*images.permute\(0, 3, 1, 2\)"),
        ((2, 28, 28, 1), r"NHWC.*permute\(0, 3, 1, 2\)"),
        ((64, 48, 3), r"H, W, C.*permute\(2, 0, 1\)\[None\]"),
        ((3, 64, 64), r"images\[None\]"),
        ((2, 1, 64, 64), "in_channels=1"),
        ((2, 4, 64, 64), "grey or RGB"),
    ],
)
def test_pictures_of_another_shape_are_told_what_they_are(shape: tuple[int, ...], advice: str):
    """Channels last, a missing batch, other channels: each with what to do."""
    with pytest.raises(ModelError, match=advice):
        create_model("lenet5", 2)(torch.zeros(shape))
