from __future__ import annotations

import numpy as np
import pytest
import torch

from pictaxa.errors import WeightsError
from pictaxa.models.zoo import create_model
from pictaxa.weights import keras, timm, torchvision


def test_dense_layers_after_flattening_are_permuted():
    """A dense kernel that saw (height, width, channel) gives the same sums on (channel, height, width)."""
    model = create_model("simple_cnn", 10, in_channels=1, size=28).eval()
    random = np.random.default_rng(0)
    arrays = {
        "conv1/kernel": random.normal(size=(3, 3, 1, 32)), "conv1/bias": random.normal(size=32),
        "d1/kernel": random.normal(size=(26 * 26 * 32, 128)), "d1/bias": random.normal(size=128),
        "d2/kernel": random.normal(size=(128, 10)), "d2/bias": random.normal(size=10),
    }  # fmt: skip
    keras.load(model, arrays, name="simple_cnn", feeding="0-1", own_names=True)
    maps = torch.randn(2, 32, 26, 26)
    flat = maps.permute(0, 2, 3, 1).reshape(2, -1).double().numpy()
    hidden = np.maximum(flat @ arrays["d1/kernel"] + arrays["d1/bias"], 0)
    expected = hidden @ arrays["d2/kernel"] + arrays["d2/bias"]
    ours = model.head(maps).detach().numpy()
    assert np.abs(ours - expected).max() < 1e-4 * np.abs(expected).max()


def test_bgr_becomes_rgb():
    """Weights fed with BGR minus a mean colour give the same maps from RGB in [0, 1]."""
    model = create_model("vgg16", 2).eval()
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 64)).astype(np.float32)
    arrays = _arrays_of("vgg16", kernel)
    keras.load(model, arrays, name="vgg16", feeding="caffe")
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
    for layer, (inputs, outputs) in {"fc1": (25088, 4096), "fc2": (4096, 4096), "predictions": (4096, 2)}.items():
        arrays[f"{layer}/kernel"] = np.zeros((inputs, outputs), np.float32)
        arrays[f"{layer}/bias"] = np.zeros(outputs, np.float32)
    return arrays


def test_layers_of_another_model_are_told():
    """Arrays that are not the model's give an error that names a layer."""
    with pytest.raises(WeightsError, match="block1_conv1"):
        keras.load(
            create_model("resnet50_v1", 2), {"block1_conv1/kernel": np.zeros((3, 3, 3, 64))},
            name="resnet50_v1", feeding="caffe",
        )  # fmt: skip


@pytest.mark.parametrize("name", ["vgg11_bn", "mobilenet_v2", "mobilenet_v3_small", "alexnet_owt", "resnet18"])
def test_torchvisions_names_come_back(name: str):
    """Our weights under torchvision's names load into a fresh model as they were."""
    torch.manual_seed(0)
    model, other = create_model(name, 3), create_model(name, 3)
    theirs = {
        "conv1": "features.0", "conv2": "features.3", "conv3": "features.6", "conv4": "features.8",
        "conv5": "features.10", "fc1": "classifier.1", "fc2": "classifier.4", "fc3": "classifier.6",
    } if name == "alexnet_owt" else {"convs": "features"}  # fmt: skip

    def named(key: str) -> str:
        head, _, rest = key.partition(".")
        return f"{theirs.get(head, head)}.{rest}"

    state = {named(key): value for key, value in model.state_dict().items() if key not in ("mean", "std")}
    family = {"alexnet_owt": "alexnet", "vgg11_bn": "vgg", "resnet18": "resnet"}.get(name, "mobilenet")
    torchvision.load(other, state, family=family)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())


def test_timms_head_is_our_classifier():
    """timm's `head` becomes `classifier`, every other name stays."""
    with torch.device("meta"):
        model = create_model("vit_b_32", 3)
    state = {
        key.replace("classifier.", "head."): torch.zeros(value.shape)
        for key, value in model.state_dict().items()
        if key not in ("mean", "std")
    }
    model = create_model("vit_b_32", 3)
    timm.load(model, state, family="vit")
    assert all(parameter.abs().sum() == 0 for parameter in model.parameters())
