from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from pictaxa.errors import WeightsError
from pictaxa.models.contract import Classifier
from pictaxa.models.googlenet import MODULES
from pictaxa.models.zoo import create_model
from pictaxa.weights.keras_files import StoredLayer
from pictaxa.weights.keras_order import in_a_chain, paths_by_order


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
    with pytest.raises(
        WeightsError, match=r"21 convolutions and dense layers instead of 36 \(layer\); 20 batch norms instead of 36"
    ):
        paths_by_order(create_model("resnet34", 10), layers)


def test_other_shapes_are_told_in_full():
    """As many layers of other shapes: every one that differs is named with both shapes."""
    layers, _ = shuffled(create_model("lenet5", 10), shortcut="last")
    with pytest.raises(WeightsError) as told:
        paths_by_order(create_model("lenet5", 10, in_channels=1), layers)
    assert str(told.value).count(" with ") == 2 and "conv1 with weight (6, 1, 5, 5)" in str(told.value)


def test_kernels_of_other_axes_do_not_fit():
    """A kernel of a 1-D convolution in a file without names is told with its shape, not a traceback."""
    model = create_model("lenet5", 10)
    layers, _ = shuffled(model, shortcut="last")
    layers[-1] = StoredLayer("conv1d", {"kernel": np.zeros((5, 6, 16), np.float32), "bias": np.zeros(16, np.float32)})
    with pytest.raises(WeightsError, match=r"conv1d with kernel \(5, 6, 16\)"):
        paths_by_order(model, layers)


# The units of a block as Keras' files have them: those farthest from the block's end first.
KERAS_ORDER = {
    "A": "branch3x3dbl_1 branch5x5_1 branch3x3dbl_2 branch1x1 branch5x5_2 branch3x3dbl_3 branch_pool",
    "B": "branch3x3dbl_1 branch3x3dbl_2 branch3x3 branch3x3dbl_3",
    "C": "branch7x7dbl_1 branch7x7dbl_2 branch7x7_1 branch7x7dbl_3 branch7x7_2 branch7x7dbl_4 branch1x1 branch7x7_3 "
    "branch7x7dbl_5 branch_pool",
    "D": "branch7x7x3_1 branch7x7x3_2 branch3x3_1 branch7x7x3_3 branch3x3_2 branch7x7x3_4",
    "E": "branch3x3dbl_1 branch3x3_1 branch3x3dbl_2 branch3x3_2a branch3x3_2b branch3x3dbl_3a branch3x3dbl_3b "
    "branch1x1 branch_pool",
    "GoogLeNet": "branch2.0 branch3.0 branch1 branch2.1 branch3.1 branch4.1",
}
INCEPTION_V3 = {"5b": "A", "5c": "A", "5d": "A", "6a": "B", "6b": "C", "6c": "C", "6d": "C", "6e": "C", "7a": "D",
                "7b": "E", "7c": "E"}  # fmt: skip
STEMS = {
    "inception_v3": ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"],
    "googlenet": ["conv1", "conv2", "conv3"],
}


def as_keras_sorts(name: str) -> list[str]:
    """Paths of a network's units, as its files without names have them."""
    if name == "inception_v3":
        blocks = [(f"Mixed_{block}", KERAS_ORDER[kind].split()) for block, kind in INCEPTION_V3.items()]
    else:
        blocks = [(block, KERAS_ORDER["GoogLeNet"].split()) for block in MODULES]
    return [*STEMS[name], *(f"{block}.{unit}" for block, units in blocks for unit in units)]


@pytest.mark.parametrize("name", STEMS)
def test_branches_side_by_side_come_in_keras_order(name: str):
    """A file without names fills Inception v3 and GoogLeNet, and so does one in our modules' order."""
    model = create_model(name, 10)
    units = as_keras_sorts(name)
    norms = [f"{unit}.bn" for unit in units] if name == "inception_v3" else []
    expected = ["fc", *norms, *(f"{unit}.conv" for unit in units)]
    own = [path for path, part in model.named_modules() if path in set(expected)]
    assert sorted(own) == sorted(expected) and own != expected
    for order in (expected, expected[1:], own):  # with the classes, without, and as a model of another kind keeps them
        assert paths_by_order(model, [stored(path, model.get_submodule(path)) for path in order]) == order


def test_heads_side_by_side_are_not_guessed():
    """Auxiliary heads have layers of the main head's shape: without names nothing tells them apart."""
    model = create_model("googlenet", 10)
    heads = ["aux1.fc1", "aux2.fc1", "fc", "aux1.fc2", "aux2.fc2"]
    paths = [*heads, *(f"{unit}.conv" for unit in [*as_keras_sorts("googlenet"), "aux1.conv", "aux2.conv"])]
    with pytest.raises(WeightsError, match="newer Keras"):
        paths_by_order(model, [stored(path, model.get_submodule(path)) for path in paths])


def dense(place: str, inputs: int, outputs: int) -> StoredLayer:
    return StoredLayer(place, {"kernel": np.zeros((inputs, outputs), np.float32)}, place)


def test_dense_layers_of_inner_models_are_put_in_order_by_their_widths():
    """A head within the model stands behind the last layer in a Keras 3 file; what it takes and gives tells."""
    last = dense("layers/dense", 84, 10)
    inner = [dense("layers/sequential/layers/dense", 400, 120), dense("layers/sequential/layers/dense_1", 120, 84)]
    assert in_a_chain([last, *inner]) == [*inner, last]
    assert in_a_chain([dense("layers/dense", 400, 7), *inner])[0].place == "layers/dense"  # no chain: as they stand


def test_dense_layers_in_several_orders_are_refused():
    """Two inner models of the same widths: nothing says which comes first, but in a legacy file, which is in order."""
    same = [dense(f"layers/{name}/layers/dense", 64, 64) for name in ("a", "b")]
    with pytest.raises(WeightsError, match=r"found 2 orders in which the widths fit, of layers/a.*legacy \.h5"):
        in_a_chain(same)
    ordered = [StoredLayer(one.name, one.arrays, one.place, in_order=True) for one in same]
    assert in_a_chain(ordered) == ordered
    assert len(in_a_chain([dense(f"layers/dense_{number}", 64, 64) for number in range(3)])) == 3
