from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from pictaxa.errors import WeightsError
from pictaxa.models.layers import Classifier
from pictaxa.models.zoo import create_model
from pictaxa.weights.keras_files import StoredLayer
from pictaxa.weights.keras_order import paths_by_order


def stored(path: str, part: nn.Module) -> StoredLayer:
    """A module as Keras would keep it, under a name that says nothing."""
    if isinstance(part, nn.BatchNorm2d):
        words = ("gamma", "beta", "moving_mean", "moving_variance")
        return StoredLayer("batch_normalization", {word: np.zeros(part.num_features, np.float32) for word in words})
    assert isinstance(part, (nn.Conv2d, nn.Linear))
    kernel = np.zeros(part.weight.shape, np.float32)
    arrays = {"kernel": kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)}
    if part.bias is not None:
        arrays["bias"] = np.zeros(len(part.bias), np.float32)
    return StoredLayer("layer", arrays)


def shuffled(model: Classifier, *, shortcut: str) -> tuple[list[StoredLayer], list[str]]:
    """Layers by kind as Keras 3 keeps them, each block's shortcut first or last among its own, and their paths."""
    paths: dict[str, list[str]] = {"norm": [], "conv": [], "dense": []}
    for path, part in model.named_modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            kind = {nn.BatchNorm2d: "norm", nn.Linear: "dense"}.get(type(part), "conv")
            group = paths[kind]
            block = path.partition(".downsample")[0]
            if block != path and shortcut == "first":
                place = next(number for number, other in enumerate(group) if other.startswith(f"{block}."))
                group.insert(place, path)
            else:
                group.append(path)
    order = [*paths["dense"], *paths["norm"], *paths["conv"]]
    return [stored(path, model.get_submodule(path)) for path in order], order


@pytest.mark.parametrize("shortcut", ["first", "last"])
def test_the_order_that_fits_is_found(shortcut: str):
    """Layers without names become the right modules wherever Keras sorted each block's shortcut."""
    model = create_model("resnet50", 10)
    layers, expected = shuffled(model, shortcut=shortcut)
    assert paths_by_order(model, layers) == expected


def test_a_head_for_other_classes_fits():
    """The last layer may have other outputs than the model's."""
    layers, expected = shuffled(create_model("resnet50", 3), shortcut="last")
    assert paths_by_order(create_model("resnet50", 10), layers) == expected


def test_other_networks_are_told():
    """Layers of another network are an error with their counts, not a guess."""
    layers, _ = shuffled(create_model("resnet18", 10), shortcut="last")
    with pytest.raises(WeightsError, match=r"21 product layers"):
        paths_by_order(create_model("resnet34", 10), layers)
