from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.cli.main import main
from pictaxa.errors import ConfigError, WeightsError
from pictaxa.models import vgg
from pictaxa.models.contract import Classifier
from pictaxa.models.zoo import create_model, find_entry
from pictaxa.weights.keras import notes, translate
from pictaxa.weights.keras_files import StoredLayer
from pictaxa.weights.loading import load_weights

h5py = pytest.importorskip("h5py", reason="the keras extra is not installed")

Arrays = Mapping[str, np.ndarray]


@pytest.fixture(autouse=True)
def narrow_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGGs whose hidden dense layers have 16 outputs instead of 4,096, which no test here looks at: seconds less."""
    monkeypatch.setattr(vgg, "HIDDEN", 16)


NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def stored(model: Classifier, *, named: bool) -> list[tuple[str, Arrays]]:
    """A model's backbone as an application of Keras without its top: (layer's name, arrays), in our modules' order."""
    names = {rule.target: rule.pattern for rule in find_entry(model.entry).known_to("keras").rules}
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    layers: list[tuple[str, Arrays]] = []
    for path, part in model.named_modules():
        name = names.get(path, path) if named else f"layer_{len(layers)}"
        if isinstance(part, torch.nn.BatchNorm2d):
            words = ("weight", "bias", "running_mean", "running_var")
            layers.append((name, dict(zip(NORM, (state[f"{path}.{word}"] for word in words), strict=True))))
        elif isinstance(part, torch.nn.Conv2d):
            depthwise = part.groups > 1
            axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
            arrays = {"depthwise_kernel" if depthwise else "kernel": state[f"{path}.weight"].transpose(axes)}
            if part.bias is not None:
                arrays["bias"] = state[f"{path}.bias"]
            layers.append((name, arrays))
    return layers


def named_layers(model: Classifier, *heads: tuple[str, Arrays]) -> list[StoredLayer]:
    """A model's backbone and dense layers, under the names that Keras gives them."""
    return [StoredLayer(name, dict(arrays)) for name, arrays in (*stored(model, named=True), *heads)]


def dense(inputs: int, outputs: int) -> Arrays:
    random = np.random.default_rng(inputs)
    return {"kernel": random.normal(size=(inputs, outputs)).astype("f4"), "bias": np.zeros(outputs, "f4")}


def write_nested_legacy(file: Path, backbone: list[tuple[str, Arrays]], head: list[Arrays], *, whole: bool) -> None:
    """Sequential(base, pooling, dense, ...) by Keras 2: the base is one layer, whose weights have all their names."""
    with h5py.File(file, "w") as h5:
        root = h5.create_group("model_weights") if whole else h5
        names = ["base", "global_average_pooling2d", *(f"dense_{number}" for number in range(len(head)))]
        root.attrs["layer_names"] = [name.encode() for name in names]
        groups = [backbone, [], *([(name, arrays)] for name, arrays in zip(names[2:], head, strict=True))]
        for name, layers in zip(names, groups, strict=True):
            group = root.create_group(name)
            weights = [(f"{layer}/{word}:0", array) for layer, arrays in layers for word, array in arrays.items()]
            group.attrs["weight_names"] = np.array([weight.encode() for weight, _ in weights], dtype="S")
            for weight, array in weights:
                group.create_dataset(weight, data=array)


def write_nested_new(file: Path, backbone: list[tuple[str, Arrays]], head: list[Arrays], *, named: bool) -> None:
    """The same by Keras 3: the base's layers lie in its own group, by class and number."""
    counts: dict[str, int] = {}
    with h5py.File(file, "w") as h5:
        layers = [("layers/functional/layers", name, arrays) for name, arrays in backbone]
        layers += [("layers", f"dense_{number}", arrays) for number, arrays in enumerate(head)]
        for place, name, arrays in layers:
            words = list(arrays)
            kind = "batch_normalization" if words[0] == "gamma" else words[0].replace("kernel", "conv2d")
            word = f"{place}/{'dense' if place == 'layers' else kind}"
            number = counts[word] = counts.get(word, -1) + 1
            group = h5.create_group(f"{word}_{number}/vars" if number else f"{word}/vars")
            if named:
                group.attrs["name"] = name
            for index, array in enumerate(arrays.values()):
                group.create_dataset(str(index), data=array)


FORMS: dict[str, Callable[[Path, list[tuple[str, Arrays]], list[Arrays]], None]] = {
    "a.h5": lambda file, backbone, head: write_nested_legacy(file, backbone, head, whole=False),
    "whole.h5": lambda file, backbone, head: write_nested_legacy(file, backbone, head, whole=True),
    "named.weights.h5": lambda file, backbone, head: write_nested_new(file, backbone, head, named=True),
    "unnamed.weights.h5": lambda file, backbone, head: write_nested_new(file, backbone, head, named=False),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50_v1"])
def test_a_head_on_a_nested_base_comes_along(form: str, name: str, tmp_path: Path):
    """Sequential(base, pooling, Dense), the usual fine-tuned model: backbone and head are the file's."""
    model, other = create_model(name, 4), create_model(name, 4)
    head = dense(model.get_submodule(model.main_head()).in_features, 4)
    FORMS[form](tmp_path / form, stored(model, named=form != "unnamed.weights.h5"), [head])
    told = load_weights(other, tmp_path / form, source="keras", normalization="-1-1")
    assert not told.dropped and not told.fresh
    ours, state = other.state_dict(), model.state_dict()
    path = model.main_head()
    assert torch.equal(ours[f"{path}.weight"], torch.from_numpy(head["kernel"]).T)
    kept = [key for key in state if key.rpartition(".")[0] not in ("", path) and "num_batches" not in key]
    assert all(torch.equal(ours[key], state[key]) for key in kept)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "heads", "fresh"),
    [
        ("vgg16", [(512, 5)], {"classifier.0", "classifier.3", "classifier.6"}),
        ("vgg16", [(25088, 256), (256, 5)], {"classifier.0", "classifier.3", "classifier.6"}),
        ("vgg16", [], {"classifier.0", "classifier.3", "classifier.6"}),
        ("mobilenet_v3_small", [(576, 5)], {"classifier.0", "classifier.3"}),
        ("mobilenet_v2", [(11520, 5)], {"classifier.1"}),
        ("mobilenet_v2", [(11520, 256), (256, 5)], {"classifier.1"}),
    ],
)
def test_the_backbone_is_kept_where_the_head_is_another(
    form: str, name: str, heads: list[tuple[int, int]], fresh: set[str], tmp_path: Path
):
    """A head that is none of the network's is dropped by name with its reason, and the network keeps its own, new."""
    model, other = create_model(name, 5), create_model(name, 5)
    backbone = stored(model, named=form != "unnamed.weights.h5")
    FORMS[form](tmp_path / form, backbone, [dense(*shape) for shape in heads])
    before = {key: value.clone() for key, value in other.state_dict().items()}
    told = load_weights(other, tmp_path / form, source="keras", normalization="-1-1")
    assert set(told.fresh) == fresh and len(told.dropped) == len(heads)
    assert not any("head=" in reason for reason in told.dropped.values())
    state, ours = model.state_dict(), other.state_dict()
    for key in state:
        path = key.rpartition(".")[0]
        if path and "num_batches" not in key:
            assert torch.equal(ours[key], before[key] if path in fresh else state[key]), key


@pytest.mark.parametrize(
    ("name", "heads", "told"),
    [
        ("vgg16", {"predictions": (512, 5)}, "512 to 5, which are not"),
        ("vgg16", {"fc1": (512, 256), "predictions": (256, 5)}, "512 to 256, 256 to 5, which are not"),
        ("mobilenet_v2", {"predictions": (11520, 5)}, "a head with 11520 inputs"),
    ],
)
def test_a_head_under_the_names_of_keras_own(name: str, heads: dict[str, tuple[int, int]], told: str):
    """A dense layer of one's own that is called as the network's last is no reason to refuse the backbone."""
    with torch.device("meta"):
        model = create_model(name, 5)
    layers = named_layers(create_model(name, 5), *((layer, dense(*shape)) for layer, shape in heads.items()))
    tensors, dropped = translate(model, layers)
    assert set(dropped) == set(heads) and all(told in reason for reason in dropped.values())
    assert "convs.0.weight" in tensors or "convs.0.0.weight" in tensors


def test_another_head_where_hidden_layers_are_asked_for(tmp_path: Path):
    """--head goes with a backbone whose own head is another, on an entry with dense layers of its own before it too."""
    model, other = create_model("mobilenet_v3_small", 5), create_model("mobilenet_v3_small", 5, head="8")
    FORMS["a.h5"](tmp_path / "a.h5", stored(model, named=True), [dense(576, 5)])
    told = load_weights(other, tmp_path / "a.h5", source="keras", normalization="-1-1")
    assert set(told.fresh) == {"classifier.0", "classifier.3.0", "classifier.3.2"}
    assert torch.equal(other.convs[0][0].weight, model.convs[0][0].weight)


@pytest.mark.parametrize(("absent", "told"), [("gamma", 1), ("beta", 0)])
def test_norms_without_scale_or_shift(absent: str, told: int):
    """Without scale it is 1, without shift 0; that Keras 3 keeps both alike is said, but where Keras has no scale."""
    model = create_model("mobilenet_v2", 5)
    layers = named_layers(model)
    for layer in layers:
        layer.arrays.pop(absent, None)
    with torch.device("meta"):
        plan = create_model("mobilenet_v2", 5)
    tensors, _ = translate(plan, layers)
    variable, value = {"gamma": ("weight", 1.0), "beta": ("bias", 0.0)}[absent]
    assert torch.equal(tensors[f"convs.0.1.{variable}"], torch.full((32,), value))
    said = notes(model, layers)
    assert len(said) == told and all("52 batch norms" in note and "center=False" in note for note in said)
    with torch.device("meta"):
        assert not notes(create_model("inception_v3", 5), layers)


def test_a_norm_of_statistics_alone_is_none():
    """Two variables are those of a Normalization layer too: neither scale nor shift is invented for them."""
    model = create_model("mobilenet_v2", 5)
    layers = named_layers(model)
    for word in ("gamma", "beta"):
        del layers[1].arrays[word]
    assert not any(key.startswith("convs.0.1.") and key[-6:] == "weight" for key in translate(model, layers)[0])


def test_one_file_with_two_networks_is_refused():
    """Two bases with layers of the same names: neither is taken for the other."""
    layers = named_layers(create_model("mobilenet_v1", 5))
    with pytest.raises(WeightsError, match=r"found conv1 and conv1 as convs\.0\.0, and as many for 53 more"):
        translate(create_model("mobilenet_v1", 5), [*layers, *layers])


@pytest.mark.parametrize(
    ("layer", "shape", "told"),
    [("conv1", (3, 3, 6), "height, width, in and out as conv1"), ("fc1", (96 * 16, 120), "square maps of 16")],
)
def test_kernels_of_other_axes_are_told(layer: str, shape: tuple[int, ...], told: str, tmp_path: Path):
    """A kernel whose axes are none of the module's is one line: a 1-D convolution, maps that were not square."""
    model = create_model("lenet5", 5)
    layers = named_layers(model, ("fc2", dense(120, 84)), ("fc3", dense(84, 5)))
    layers = [other for other in layers if other.name != layer]
    layers.append(StoredLayer(layer, {"kernel": np.zeros(shape, "f4"), "bias": np.zeros(shape[-1], "f4")}))
    if layer == "conv1":
        layers.append(StoredLayer("fc1", dict(dense(400, 120))))
    with pytest.raises(WeightsError, match=told):
        translate(model, layers)


@pytest.mark.parametrize(
    ("name", "told"),
    [("resnet50_v1", "resnet50_v1 has caffe"), ("mobilenet_v2", "mobilenet_v2 has -1-1"), ("lenet5", "is 0-1.")],
)
def test_the_usual_feeding_is_told(name: str, told: str, tmp_path: Path):
    """Where nothing says how pictures were fed, the error has what Keras' own network of that name does."""
    (tmp_path / "a.h5").write_bytes(b"")
    with torch.device("meta"):
        model = create_model(name, 5)
    with pytest.raises(ConfigError, match=told):
        load_weights(model, tmp_path / "a.h5", source="keras")


def test_what_is_no_layers_is_told(tmp_path: Path):
    """An optimizer's numbers beside the layers are named with whose they are, and are no head that was left out."""
    model = create_model("mobilenet_v2", 5)
    FORMS["whole.h5"](tmp_path / "a.h5", stored(model, named=True), [])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["optimizer_weights/rate"] = np.float32(0.1)
    told = load_weights(create_model("mobilenet_v2", 5), tmp_path / "a.h5", source="keras", normalization="-1-1")
    assert "dropped   optimizer_weights/rate: of the optimizer" in told.lines() and not told.dropped
    assert told.fresh == {"classifier.1": "the file has no head"}


def test_a_feeding_that_is_none_is_told(tmp_path: Path):
    """An unknown word for how pictures were fed is an error that lists those there are."""
    FORMS["a.h5"](tmp_path / "a.h5", stored(create_model("mobilenet_v2", 5), named=True), [])
    with pytest.raises(ConfigError, match=r"normalization \(--normalization\).*caffe"):
        load_weights(create_model("mobilenet_v2", 5), tmp_path / "a.h5", source="keras", normalization="bgr")


def test_a_single_number_as_weight_is_told(tmp_path: Path):
    """A tensor without axes where a layer's weight should be is one line, not a traceback."""
    state = {key: value for key, value in create_model("lenet5", 2).state_dict().items() if "." in key}
    for key in ("fc3.weight", "conv1.weight"):
        torch.save(state | {key: torch.tensor(1.0)}, tmp_path / "a.pth")
        with pytest.raises(WeightsError, match=rf"misshapen: {key} \(\)"):
            load_weights(create_model("lenet5", 2), tmp_path / "a.pth", source="torchvision", normalization="caffe")


def convert(file: Path, out: Path, *words: str) -> int:
    named = ["weights", "convert", str(file), "--source", "keras", "--normalization=-1-1", "--model", "mobilenet_v2"]
    return main([*named, "--out", str(out), *words])


@pytest.mark.parametrize("form", FORMS)
def test_class_names_come_along(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """class_indices.json as Keras' generators write it names the outputs of a converted file, in any form."""
    model = create_model("mobilenet_v2", 3)
    FORMS[form](tmp_path / form, stored(model, named=form != "unnamed.weights.h5"), [dense(1280, 3)])
    indices = tmp_path / "class_indices.json"
    indices.write_text(json.dumps({"tulips": 2, "daisy": 0, "玫瑰": 1}), encoding="utf-8")
    assert convert(tmp_path / form, tmp_path / "out.safetensors", "--classes", str(indices)) == 0
    from pictaxa.training.transfer import read_origin

    assert read_origin(tmp_path / "out.safetensors").classes == ("daisy", "玫瑰", "tulips")
    assert "3 classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("heads", "classes", "told"),
    [
        ([(1280, 128), (128, 2)], '{"a": 0, "b": 1}', "head=128 has them"),
        ([], '{"a": 0, "b": 1}', "the file has no head"),
        ([(1280, 2)], '[["a"], ["b"]]', "a name for each class from 0 to 1"),
        ([(1280, 2)], '{"a": 0, "b": 2}', "a name for each class from 0 to 1"),
    ],
)
def test_class_names_without_their_head(
    heads: list[tuple[int, int]], classes: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Names for outputs that were not taken, or that are no names, are one line that says what to do."""
    model = create_model("mobilenet_v2", 2)
    FORMS["a.h5"](tmp_path / "a.h5", stored(model, named=True), [dense(*shape) for shape in heads])
    (tmp_path / "classes.json").write_text(classes, encoding="utf-8")
    assert convert(tmp_path / "a.h5", tmp_path / "out.safetensors", "--classes", str(tmp_path / "classes.json")) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
    assert not (tmp_path / "out.safetensors").exists()
