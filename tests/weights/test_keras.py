from __future__ import annotations

import numpy as np
import pytest
import torch

from pictaxa.models import vgg
from pictaxa.models.zoo import create_model
from pictaxa.weights import keras
from pictaxa.weights.keras_files import StoredLayer
from pictaxa.weights.loading import load, rename_state
from pictaxa.weights.normalization import add_normalization
from pictaxa.weights.translated import Translated


def layers_of(arrays: dict[str, np.ndarray]) -> list[StoredLayer]:
    """LAYER/VARIABLE -> array, as layers."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        layer, variable = name.split("/")
        layers.setdefault(layer, {})[variable] = array
    return [StoredLayer(layer, variables) for layer, variables in layers.items()]


def test_dense_layers_after_flattening_are_permuted():
    """A dense kernel that saw (height, width, channel) gives the same sums on (channel, height, width)."""
    model = create_model("simple_cnn", 10, in_channels=1, size=28).eval()
    random = np.random.default_rng(0)
    arrays = {
        "conv1/kernel": random.normal(size=(3, 3, 1, 32)), "conv1/bias": random.normal(size=32),
        "d1/kernel": random.normal(size=(26 * 26 * 32, 128)), "d1/bias": random.normal(size=128),
        "d2/kernel": random.normal(size=(128, 10)), "d2/bias": random.normal(size=10),
    }  # fmt: skip
    load(model, Translated(*keras.translate(model, layers_of(arrays))))
    maps = torch.randn(2, 32, 26, 26)
    flat = maps.permute(0, 2, 3, 1).reshape(2, -1).double().numpy()
    hidden = np.maximum(flat @ arrays["d1/kernel"] + arrays["d1/bias"], 0)
    expected = hidden @ arrays["d2/kernel"] + arrays["d2/bias"]
    ours = model.head(maps).detach().numpy()
    assert np.abs(ours - expected).max() < 1e-4 * np.abs(expected).max()


def test_bgr_becomes_rgb(monkeypatch: pytest.MonkeyPatch):
    """Weights fed with BGR minus a mean colour give the same maps from RGB in [0, 1]."""
    monkeypatch.setattr(vgg, "HIDDEN", 16)  # instead of 4,096: the dense layers are not looked at
    model = create_model("vgg16", 2).eval()
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 64)).astype(np.float32)
    arrays = _arrays_of("vgg16", kernel)
    weights = Translated(*keras.translate(model, layers_of(arrays)))
    add_normalization(model, weights, "caffe")
    load(model, weights)
    picture = torch.rand(1, 3, 8, 8)
    fed = picture.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = torch.nn.functional.conv2d(fed, torch.from_numpy(kernel).permute(3, 2, 0, 1), padding=1)
    ours = model.convs[0](model.normalise(picture))
    assert torch.allclose(ours, expected, atol=1e-2, rtol=1e-4)


def _arrays_of(name: str, kernel: np.ndarray) -> dict[str, np.ndarray]:
    blocks = {1: (2, 64), 2: (2, 128), 3: (3, 256), 4: (3, 512), 5: (3, 512)}
    arrays: dict[str, np.ndarray] = {}
    channels = 3
    for block, (convolutions, width) in blocks.items():
        for number in range(1, convolutions + 1):
            arrays[f"block{block}_conv{number}/kernel"] = np.zeros((3, 3, channels, width), np.float32)
            arrays[f"block{block}_conv{number}/bias"] = np.zeros(width, np.float32)
            channels = width
    arrays["block1_conv1/kernel"] = kernel
    for layer, (inputs, outputs) in {"fc1": (25088, 16), "fc2": (16, 16), "predictions": (16, 2)}.items():
        arrays[f"{layer}/kernel"] = np.zeros((inputs, outputs), np.float32)
        arrays[f"{layer}/bias"] = np.zeros(outputs, np.float32)
    return arrays


@pytest.mark.parametrize("name", ["vgg11_bn", "mobilenet_v2", "mobilenet_v3_small", "alexnet_owt", "resnet18"])
def test_torchvisions_names_come_back(name: str):
    """Our weights under torchvision's names get our names again."""
    theirs = {
        "conv1": "features.0", "conv2": "features.3", "conv3": "features.6", "conv4": "features.8",
        "conv5": "features.10", "fc1": "classifier.1", "fc2": "classifier.4", "fc3": "classifier.6",
    } if name == "alexnet_owt" else {"convs": "features"}  # fmt: skip

    def named(key: str) -> str:
        head, _, rest = key.partition(".")
        return f"{theirs.get(head, head)}.{rest}"

    with torch.device("meta"):
        model = create_model(name, 3)
    state = {key: value for key, value in model.state_dict().items() if key not in ("mean", "std")}
    renamed = rename_state(model, {named(key): value for key, value in state.items()}, source="torchvision")
    assert renamed.tensors.keys() == state.keys() and not renamed.dropped


def test_timms_head_is_our_classifier():
    """timm's `head` becomes `classifier`, every other name stays."""
    with torch.device("meta"):
        model = create_model("vit_b_32", 3)
    state = {key: value for key, value in model.state_dict().items() if key not in ("mean", "std")}
    theirs = {key.replace("classifier.", "head."): value for key, value in state.items()}
    assert rename_state(model, theirs, source="timm").tensors.keys() == state.keys()
