"""Keras files of a ViT of one's own: a subclassed model, whose layers are known by the groups in which they lie."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pictaxa.errors import WeightsError
from pictaxa.models import vit
from pictaxa.models.contract import Classifier
from pictaxa.models.zoo import create_model
from pictaxa.weights.keras import translate_places
from pictaxa.weights.keras_files import StoredLayer
from pictaxa.weights.loading import load_weights

h5py = pytest.importorskip("h5py", reason="the keras extra is not installed")

Layers = dict[str, list[tuple[str, np.ndarray]]]  # our path -> Keras' variables in their order


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ViT-B/16 that is narrow and has three blocks, which no test here looks at: seconds less."""
    monkeypatch.setitem(vit.SIZES, "vit_b_16", vit.Size(width=16, depth=3, heads=2, mlp=32, patch=16))


def randomised(classes: int = 5, **options: object) -> Classifier:
    torch.manual_seed(1)
    model = create_model("vit_b_16", classes, size=32, **options).eval()
    for value in model.parameters():
        nn.init.normal_(value, std=0.2)
    return model


def keras_layers(model: Classifier) -> Layers:
    """Each layer's variables as Keras has them."""
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    layers: Layers = {"tokens": [("cls", state["cls_token"]), ("pos_embed", state["pos_embed"])]}
    for path, part in model.named_modules():
        if isinstance(part, nn.LayerNorm):
            layers[path] = [("gamma", state[f"{path}.weight"]), ("beta", state[f"{path}.bias"])]
        elif isinstance(part, (nn.Linear, nn.Conv2d)):
            weight = state[f"{path}.weight"]
            kernel = weight.T if weight.ndim == 2 else weight.transpose(2, 3, 1, 0)
            layers[path] = [("kernel", np.ascontiguousarray(kernel)), ("bias", state[f"{path}.bias"])]
    return layers


def attribute_place(path: str) -> str:
    """Where Keras 3 has a layer: attributes of the model, lists by class and number; what no attribute led to before
    the model's own list of layers is in that.
    """
    block, _, part = path.removeprefix("blocks.").partition(".")
    if path.startswith("blocks."):
        return f"blocks/block{'' if block == '0' else f'_{block}'}/{part.replace('.', '/')}"
    return {
        "tokens": "cls_token_pos_embed", "patch_embed.proj": "layers/patch_embed/proj", "classifier": "head",
        "norm": "layers/layer_normalization", "pre_logits": "layers/dense",
    }[path]  # fmt: skip


NAMES = {  # of the layers within a block, in the two forms of the tutorial's code
    "norm1": ("LayerNorm_0", "LayerNorm_0"), "norm2": ("LayerNorm_1", "LayerNorm_2"),
    "attn.qkv": ("MultiHeadAttention/qkv", "MultiHeadAttention_1/qkv"),
    "attn.proj": ("MultiHeadAttention/out", "MultiHeadAttention_1/out"),
    "mlp.fc1": ("MlpBlock/Dense_0", "MlpBlock_3/Dense_0"), "mlp.fc2": ("MlpBlock/Dense_1", "MlpBlock_3/Dense_1"),
}  # fmt: skip


def named_place(path: str, form: int) -> str:
    """What legacy Keras calls a layer, within the model's own name in one of the two forms."""
    block, _, part = path.removeprefix("blocks.").partition(".")
    before = ("", "ViT-B_16/")[form]
    if path.startswith("blocks."):
        return f"{before}encoderblock_{block}/{NAMES[part][form]}"
    return before + {
        "tokens": "cls_pos", "patch_embed.proj": "patch_embed/conv2d", "classifier": "head", "norm": "encoder_norm",
        "pre_logits": "pre_logits",
    }[path]  # fmt: skip


def write_new(file: Path | io.BytesIO, layers: Layers, *, named: bool) -> None:
    with h5py.File(file, "w") as h5:
        for path, variables in layers.items():
            group = h5.create_group(f"{attribute_place(path)}/vars")
            if named:
                group.attrs["name"] = named_place(path, 0).rpartition("/")[2]
            for number, (_, array) in enumerate(variables):
                group.create_dataset(str(number), data=array)
        h5.create_group("layers/dropout/vars")


def write_archive(file: Path, layers: Layers) -> None:
    weights = io.BytesIO()
    write_new(weights, layers, named=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights.getvalue())


def write_legacy(file: Path, layers: Layers, *, form: int) -> None:
    """A group for each layer of the model, whose weights have names of their own."""
    of: dict[str, list[tuple[str, np.ndarray]]] = {}
    for path, variables in layers.items():
        place = named_place(path, form)
        own = place.removeprefix("ViT-B_16/").partition("/")[0]
        of.setdefault(own, []).extend((f"{place}/{word}:0", array) for word, array in variables)
    with h5py.File(file, "w") as h5:
        h5.attrs["layer_names"] = [name.encode() for name in of]
        for name, weights in of.items():
            group = h5.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight, _ in weights]
            for weight, array in weights:
                group.create_dataset(weight, data=array)


FORMS: dict[str, Callable[[Path, Layers], None]] = {
    "named.weights.h5": lambda file, layers: write_new(file, layers, named=True),
    "nameless.weights.h5": lambda file, layers: write_new(file, layers, named=False),
    "a.keras": write_archive,
    "one.h5": lambda file, layers: write_legacy(file, layers, form=0),
    "two.h5": lambda file, layers: write_legacy(file, layers, form=1),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("width", [0, 8])
def test_every_form_comes_back(form: str, width: int, tmp_path: Path):
    """Every weight where it was, and the same logits; with the layer before the classes too."""
    model = randomised(representation_size=width)
    other = create_model("vit_b_16", 5, size=32, representation_size=width)
    FORMS[form](tmp_path / form, keras_layers(model))
    told = load_weights(other, tmp_path / form, source="keras", normalization="-1-1")
    assert not told.dropped and not told.fresh
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        logits = other.eval()(images)
        assert torch.equal(logits, model(images)) and logits.std() > 0.1


def test_other_classes_sizes_and_no_layer_before_the_classes(tmp_path: Path):
    """A file of ImageNet-21k's form for a person's own classes: what does not fit is adapted or new, and told."""
    model = randomised(classes=7, representation_size=16)
    other = create_model("vit_b_16", 3, size=64)
    FORMS["a.keras"](tmp_path / "a.keras", keras_layers(model))
    told = load_weights(other, tmp_path / "a.keras", source="keras", normalization="-1-1")
    assert set(told.dropped) >= {"pre_logits.weight", "pre_logits.bias"} and "classifier" in told.fresh
    assert told.fitted["pos_embed"] == "resized from 2 x 2 to 4 x 4"
    assert torch.equal(other.blocks[2].attn.qkv.weight, model.blocks[2].attn.qkv.weight)


def test_attention_without_biases_has_zeros(tmp_path: Path):
    """qkv_bias=False, the default of that layer, is a bias of zeros."""
    model = randomised()
    layers = keras_layers(model)
    for path in [path for path in layers if path.endswith("attn.qkv")]:
        layers[path] = layers[path][:1]
    FORMS["one.h5"](tmp_path / "one.h5", layers)
    other = create_model("vit_b_16", 5, size=32)
    load_weights(other, tmp_path / "one.h5", source="keras", normalization="-1-1")
    assert all((block.attn.qkv.bias == 0).all() for block in other.blocks)


def test_other_layers_are_told(tmp_path: Path):
    """A group that no ViT has, and one of another depth, are one line."""
    model = randomised()
    with pytest.raises(WeightsError, match=r"names of their groups; found others: conv2d_7"):
        translate_places(model, [StoredLayer("x", {"kernel": np.zeros((3, 3, 3, 8))}, "conv2d_7")], vit._KERAS.rules)
    layers = keras_layers(model)
    layers["blocks.3.norm1"] = layers["blocks.0.norm1"]
    FORMS["named.weights.h5"](tmp_path / "a.weights.h5", layers)
    with pytest.raises(WeightsError, match=r"2 unused: blocks\.3\.norm1"):
        load_weights(
            create_model("vit_b_16", 5, size=32), tmp_path / "a.weights.h5", source="keras", normalization="-1-1"
        )
