from __future__ import annotations

import pytest

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
