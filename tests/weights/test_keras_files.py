from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pictaxa.errors import WeightsError
from pictaxa.models.contract import Classifier
from pictaxa.models.zoo import create_model, find_entry
from pictaxa.weights.keras_files import read_file
from pictaxa.weights.loading import load_weights

h5py = pytest.importorskip("h5py", reason="the keras extra is not installed")

MANY = 10**9


def keras_arrays(model: Classifier) -> dict[str, list[tuple[str, np.ndarray]]]:
    """Our weights by module, with Keras' variable names and axes."""
    flattened = dict(model.flattened)
    if model.main_head() in flattened:
        flattened[f"{model.main_head()}.0"] = flattened[model.main_head()]
    layers: dict[str, list[tuple[str, np.ndarray]]] = {}
    for path, part in model.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            values = (part.weight, part.bias, part.running_mean, part.running_var)
            words = ("gamma", "beta", "moving_mean", "moving_variance")
            layers[path] = [(word, value.detach().numpy()) for word, value in zip(words, values, strict=True)]
        elif isinstance(part, (nn.Conv2d, nn.Linear)):
            weight = part.weight.detach().numpy()
            word = "kernel"
            if isinstance(part, nn.Conv2d):
                depthwise = part.groups == part.in_channels > 1
                word = "depthwise_kernel" if depthwise else "kernel"
                weight = weight.transpose(2, 3, 0, 1) if depthwise else weight.transpose(2, 3, 1, 0)
            elif path in flattened:
                channels = flattened[path]
                side = round((part.in_features // channels) ** 0.5)
                maps = weight.reshape(-1, channels, side, side)
                weight = maps.transpose(2, 3, 1, 0).reshape(part.in_features, -1)
            else:
                weight = weight.T
            layers[path] = [(word, np.ascontiguousarray(weight))]
            if part.bias is not None:
                layers[path].append(("bias", part.bias.detach().numpy()))
    return layers


def write_legacy(file: Path | io.BytesIO, layers: dict[str, list[tuple[str, np.ndarray]]], *, whole: bool) -> None:
    """Keras 2's: names in attributes, `:0` behind each variable; a whole model has its configuration beside."""
    with h5py.File(file, "w") as h5:
        root = h5.create_group("model_weights") if whole else h5
        if whole:
            h5.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": []}})
            h5.create_group("optimizer_weights").create_dataset("m", data=np.zeros(3, np.float32))
        root.attrs["layer_names"] = [b"input_1", *(name.encode() for name in layers)]
        root.create_group("input_1").attrs["weight_names"] = np.array([], dtype="S1")
        for name, arrays in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{word}:0".encode() for word, _ in arrays]
            for word, array in arrays:
                group.create_dataset(f"{name}/{word}:0", data=array)


def keras_class(arrays: list[tuple[str, np.ndarray]]) -> str:
    words = [word for word, _ in arrays]
    if "moving_mean" in words:
        return "batch_normalization"
    if "depthwise_kernel" in words:
        return "depthwise_conv2d"
    return "conv2d" if arrays[0][1].ndim == 4 else "dense"


def write_keras3(file: Path | io.BytesIO, layers: dict[str, list[tuple[str, np.ndarray]]], *, named: bool) -> None:
    """Keras 3's: groups by class and a counter, variables by number."""
    counters: dict[str, int] = {}
    with h5py.File(file, "w") as h5:
        for name, arrays in layers.items():
            word = keras_class(arrays)
            number = counters.get(word, 0)
            counters[word] = number + 1
            place = f"layers/{word}_{number}" if number else f"layers/{word}"
            group = h5.create_group(place).create_group("vars")
            if named:
                group.attrs["name"] = name
            for index, (_, array) in enumerate(arrays):
                group.create_dataset(str(index), data=array)
        seed = h5.create_group("layers/dropout/seed_generator/vars")
        seed.create_dataset("0", data=np.zeros(2, np.uint32))
        h5.create_group("optimizer/vars").create_dataset("0", data=np.zeros(2, np.float32))


def write_archive(file: Path, layers: dict[str, list[tuple[str, np.ndarray]]], *, config: str = "{}") -> None:
    """A `.keras` archive."""
    weights = io.BytesIO()
    write_keras3(weights, layers, named=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights.getvalue())


FORMATS: dict[str, Callable[[Path, dict[str, list[tuple[str, np.ndarray]]]], None]] = {
    "legacy.h5": lambda file, layers: write_legacy(file, layers, whole=False),
    "legacy-whole.h5": lambda file, layers: write_legacy(file, layers, whole=True),
    "named.weights.h5": lambda file, layers: write_keras3(file, layers, named=True),
    "unnamed.weights.h5": lambda file, layers: write_keras3(file, layers, named=False),
    "model.keras": lambda file, layers: write_archive(file, layers),
}


def blank(name: str, classes: int = 5, **options: object) -> Classifier:
    """A model whose weights are no numbers, so that what a file does not fill shows."""
    with torch.device("meta"):
        model = create_model(name, classes, **options).eval()
    model.to_empty(device="cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        nn.init.constant_(tensor, float("nan") if tensor.is_floating_point() else 0)
    return model


@cache
def randomised(name: str, classes: int = 5, **options: object) -> Classifier:
    """A model with random weights, the same one for all tests: none changes it."""
    torch.manual_seed(0)
    model = create_model(name, classes, **options).eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value in (part.weight.data, part.running_var):
                value.uniform_(0.5, 1.5)
            for value in (part.bias.data, part.running_mean):
                value.uniform_(-0.1, 0.1)
    return model


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "name", ["lenet5", "alexnet_half_slim", "resnet18_textbook", "resnet50v2", "mobilenet_v1", "mobilenet_v3_small"]
)
def test_every_form_comes_back(form: str, name: str, tmp_path: Path):
    """Weights in each of Keras' forms, with its axes, load into a fresh model that then gives the same logits."""
    model, other = randomised(name), blank(name)
    FORMATS[form](tmp_path / form, keras_arrays(model))
    load_weights(other, tmp_path / form, source="keras", normalization="0-1")
    side = 32 if name == "lenet5" else 64
    images = torch.rand(2, 3, side, side)
    with torch.no_grad():
        assert torch.equal(other(images), model.head(model.backbone(images)))  # fed as they are


@pytest.mark.parametrize("where", ["first", "before", "last"])
def test_shortcuts_may_stand_elsewhere(where: str, tmp_path: Path):
    """Keras sorts layers by depth, so a block's shortcut comes first, before the last convolution, or last."""
    model, other = randomised("resnet50", padding="same"), blank("resnet50", padding="same")
    layers = keras_arrays(model)
    moved: dict[str, list[tuple[str, np.ndarray]]] = {}
    for path in layers:
        block, _, word = path.rpartition(".")
        if "downsample" in path:
            continue
        early = {"first": "conv1", "before": "conv3", "last": None}[where]
        shortcut = {name: layers[name] for name in (f"{block}.downsample.0", f"{block}.downsample.1") if name in layers}
        if word == early:
            moved |= shortcut
        moved[path] = layers[path]
        if where == "last" and word == "bn3":
            moved |= shortcut
    assert moved.keys() == layers.keys()
    write_keras3(tmp_path / "a.weights.h5", moved, named=False)
    load_weights(other, tmp_path / "a.weights.h5", source="keras", normalization="0-1")
    for name, value in model.state_dict().items():
        if name not in ("mean", "std"):
            assert torch.equal(value, other.state_dict()[name]), name


def test_layers_of_another_model_are_told(tmp_path: Path):
    """Layers that don't fit in number or shape are an error that counts and names them."""
    write_keras3(tmp_path / "a.weights.h5", keras_arrays(randomised("lenet5")), named=False)
    with pytest.raises(WeightsError, match=r"conv2d with kernel \(5, 5, 3, 6\)"):
        load_weights(
            create_model("simple_cnn", 5, size=28), tmp_path / "a.weights.h5", source="keras", normalization="0-1"
        )


def with_own_head(name: str, *, head: str, norm: bool = False) -> tuple[Classifier, dict[str, Any]]:
    """A model with hidden layers, and its layers as a person's Keras model has them."""
    model = randomised(name, head=head)
    layers = keras_arrays(model)
    dense = [path for path in layers if path.startswith(f"{model.main_head()}.")]
    own = {path: arrays for path, arrays in layers.items() if path not in dense}
    if norm:
        words = ("gamma", "beta", "moving_mean", "moving_variance")
        own["batch_normalization"] = [(word, np.ones(7, np.float32)) for word in words]
    return model, own | {f"dense_{number}": layers[path] for number, path in enumerate(dense, start=3)}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("name", "head"), [("mobilenet_v2", "7,dropout:0.3"), ("mobilenet_v2", "9,7"), ("resnet50_course_leaky", "7")]
)
def test_a_head_of_ones_own_comes_along(form: str, name: str, head: str, tmp_path: Path):
    """Dense layers behind a base, as tutorials put them there, fill a head with as many hidden layers."""
    model, layers = with_own_head(name, head=head)
    FORMATS[form](tmp_path / form, layers)
    other = blank(name, head=head)
    told = load_weights(other, tmp_path / form, source="keras", normalization="0-1")
    assert not told.dropped and not told.fresh
    side = find_entry(name).size
    images = torch.rand(2, 3, side, side)
    with torch.no_grad():
        assert torch.equal(other(images), model.head(model.backbone(images)))


@pytest.mark.parametrize("form", FORMATS)
def test_a_base_comes_without_its_head(form: str, tmp_path: Path):
    """Where the model has no such hidden layers, what is before them is filled, and the file's head dropped."""
    model, layers = with_own_head("resnet18", head="7")
    FORMATS[form](tmp_path / form, layers)
    other = create_model("resnet18", 5).eval()
    told = load_weights(other, tmp_path / form, source="keras", normalization="0-1")
    assert [name.rpartition("_")[2] for name in told.dropped] in (["3", "4"], ["layers/dense", "1"])
    assert all("head=7 has them" in reason for reason in told.dropped.values()) and set(told.fresh) == {"fc"}
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(other.backbone(images), model.backbone(images))


@pytest.mark.parametrize("head", ["", "7"])
def test_a_single_output_is_two_classes(head: str, tmp_path: Path):
    """What a sigmoid says of a single output is the second class's probability, and the first has the rest."""
    model = randomised("resnet18", classes=1, head=head)
    layers = {name.replace("fc", "dense"): arrays for name, arrays in keras_arrays(model).items()}
    write_keras3(tmp_path / "a.weights.h5", layers, named=True)
    path = model.head_layers()[0]
    other = create_model("resnet18", 2, head=head).eval()
    told = load_weights(other, tmp_path / "a.weights.h5", source="keras", normalization="0-1")
    assert list(told.fitted) == [path] and "two classes" in told.fitted[path]
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        theirs = model.head(model.backbone(images)).sigmoid()
        assert theirs.min() > 0.001 and theirs.max() < 0.999
        assert torch.allclose(other(images).softmax(dim=1), torch.cat([1 - theirs, theirs], dim=1), atol=1e-7)


def test_norms_in_a_head_are_told(tmp_path: Path):
    """A batch norm among the dense layers, which no head here has, is named and the head dropped: not half of it."""
    _, layers = with_own_head("mobilenet_v2", head="7", norm=True)
    write_keras3(tmp_path / "a.weights.h5", layers, named=True)
    other = create_model("mobilenet_v2", 5, head="7")
    told = load_weights(other, tmp_path / "a.weights.h5", source="keras", normalization="0-1")
    assert set(told.dropped) == {"batch_normalization", "dense_3", "dense_4"}
    assert set(told.fresh) == {"classifier.1.0", "classifier.1.2"}


def test_a_normalisation_of_the_input_is_not_dropped(tmp_path: Path):
    """What Keras' Normalization layer learnt is part of how pictures are fed: such a file is refused, not half read."""
    _, layers = with_own_head("mobilenet_v2", head="7")
    layers["normalization"] = [("moving_mean", np.zeros(3, np.float32)), ("moving_variance", np.ones(3, np.float32))]
    write_keras3(tmp_path / "a.weights.h5", layers, named=True)
    with pytest.raises(WeightsError, match="53 batch norms instead of 52"):
        load_weights(create_model("mobilenet_v2", 5), tmp_path / "a.weights.h5", source="keras", normalization="0-1")


def test_keras_own_form_is_told(tmp_path: Path):
    """A Keras file for an entry that pads otherwise comes with a note that says which options are Keras'."""
    model = randomised("mobilenet_v2")
    write_keras3(tmp_path / "a.weights.h5", keras_arrays(model), named=True)
    for options, noted in ((({}), ["padding=same epsilon=0.001"]), ({"padding": "same", "epsilon": 1e-3}, [])):
        other = create_model("mobilenet_v2", 5, **options)
        told = load_weights(other, tmp_path / "a.weights.h5", source="keras", normalization="0-1")
        notes = [note for note in told.notes if "--model-options" in note]
        assert len(notes) == len(noted) and all(word in note for word, note in zip(noted, notes, strict=True))


def test_layers_of_one_name_in_two_places_are_two(tmp_path: Path):
    """What stands before a layer's name keeps it from another's of that name, and no variable takes another's place."""
    arrays = {f"{block}/conv2d/{word}": np.full((1,), number) for number, block in enumerate("ab") for word in "kb"}
    words = {"k": "kernel", "b": "bias"}
    layer = [(f"{name[:-1]}{words[name[-1]]}", array.astype(np.float32)) for name, array in arrays.items()]
    write_legacy(tmp_path / "a.h5", {"net": layer}, whole=False)
    layers = read_file(tmp_path / "a.h5", max_values=MANY).layers
    assert [(layer.name, {word: float(array[0]) for word, array in layer.arrays.items()}) for layer in layers] == [
        ("conv2d", {"kernel": 0.0, "bias": 0.0}), ("conv2d", {"kernel": 1.0, "bias": 1.0})
    ]  # fmt: skip


def test_what_no_layer_has_is_told(tmp_path: Path):
    """Optimizer, metrics, counters and stray arrays are named together with why they are not read."""
    file = tmp_path / "a.weights.h5"
    write_keras3(file, keras_arrays(randomised("lenet5")), named=True)
    with h5py.File(file, "a") as h5:
        h5.create_dataset("optimizer/vars/1", data=np.zeros(2, np.float32))
        h5.create_dataset("layers/other/vars/0", data=np.arange(9))
        h5.create_dataset("layers/stray", data=np.ones(5, np.float32))
        h5.create_dataset("layers/metrics_head/vars/0", data=np.ones((2, 2), np.float32))
    stored = read_file(file, max_values=MANY)
    assert stored.dropped == {
        "optimizer/vars/0 and 1 more": "of the optimizer",
        "layers/dropout/seed_generator/vars/0": "a random state",
        "layers/other/vars/0": "whole numbers: a counter or a random state",
        "layers/stray": "of no layer",
    }
    assert [layer.name for layer in stored.layers][-1] == "layers/metrics_head"


def write_in_three(file: Path, layers: dict[str, list[tuple[str, np.ndarray]]], *, named: bool) -> None:
    """Sequential(base, head without its last layer, Dense) by Keras 3: the last layer stands before the others."""
    places = {
        "fc3": "layers/dense", "conv1": "layers/functional/layers/conv2d", "conv2": "layers/functional/layers/conv2d_1",
        "fc1": "layers/sequential/layers/dense", "fc2": "layers/sequential/layers/dense_1",
    }  # fmt: skip
    with h5py.File(file, "w") as h5:
        for number, (path, place) in enumerate(places.items()):
            group = h5.create_group(f"{place}/vars")
            if named:
                group.attrs["name"] = f"layer_{number}"
            for index, (_, array) in enumerate(layers[path]):
                group.create_dataset(str(index), data=array)


@pytest.mark.parametrize("named", [True, False])
def test_a_model_of_models_comes_back(named: bool, tmp_path: Path):
    """The matrix behind Flatten is turned from (height, width, channel) though its layer stands last in the file."""
    model, other = randomised("lenet5"), blank("lenet5")
    write_in_three(tmp_path / "a.weights.h5", keras_arrays(model), named=named)
    told = load_weights(other, tmp_path / "a.weights.h5", source="keras", normalization="0-1")
    assert not told.dropped and not told.fresh
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(other(images), model.head(model.backbone(images)))
