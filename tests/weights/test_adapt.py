from __future__ import annotations

import pytest
import torch

from pictaxa.models.zoo import create_model
from pictaxa.weights.adapt import adapt, first_convolution
from pictaxa.weights.translated import Translated


def test_grey_kernels_are_spread_over_colours():
    """A grey picture gives in a colour model what it gave in the grey one, and its mean and deviation come along."""
    grey, colour = create_model("lenet5", 3, in_channels=1), create_model("lenet5", 3)
    first = first_convolution(grey)
    state = {name: value.clone() for name, value in grey.state_dict().items()}
    state |= {"mean": torch.tensor([0.25]), "std": torch.tensor([0.5])}
    weights = Translated(state)
    adapt(colour, weights)
    assert torch.allclose(weights.tensors[first].sum(dim=1, keepdim=True), grey.state_dict()[first])
    assert weights.tensors["mean"].tolist() == [0.25] * 3 and weights.tensors["std"].tolist() == [0.5] * 3


@pytest.mark.parametrize("shape", [(1, 0, 768), (1, 1, 768), (1, 6, 768), (5,)])
def test_embeddings_that_are_no_grid_are_left(shape: tuple[int, ...]):
    """Position embeddings of no square grid stay as they are, for filling to tell of them."""
    with torch.device("meta"):
        model = create_model("vit_b_32", 3)
    weights = Translated({"pos_embed": torch.zeros(shape)})
    adapt(model, weights)
    assert weights.tensors["pos_embed"].shape == shape and not weights.fitted
