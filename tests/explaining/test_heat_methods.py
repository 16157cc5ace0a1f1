from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from pictaxa.errors import ConfigError, ModelError
from pictaxa.explaining.activation_maps import MOST_MASKS, eigen_cam, grad_cam, grad_cam_plus_plus, score_cam
from pictaxa.explaining.attending import attention_layers, attention_rollout, attention_weights
from pictaxa.explaining.methods import DEFAULT, METHODS, find_method
from pictaxa.explaining.perturbed import integrated_gradients, occlusion
from pictaxa.models.contract import Classifier
from pictaxa.models.zoo import ZOO, create_model


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def one_layer(width: int = 8, classes: int = 3) -> Classifier:
    """A network whose maps are known: one convolution, an average over places, one dense layer."""

    class Small(Classifier):
        def __init__(self) -> None:
            super().__init__(classes, 3)
            self.conv = nn.Conv2d(3, width, kernel_size=8, stride=8)
            self.fc = nn.Linear(width, classes)

        def backbone(self, images: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.conv(images))

        def head(self, features: torch.Tensor) -> torch.Tensor:
            return self.fc(features.mean(dim=(2, 3)))

    torch.manual_seed(0)
    return Small().eval()


def fresh(name: str, *, size: int, classes: int = 3) -> Classifier:
    """An entry with random weights, in its head too, where some begin with zeros."""
    torch.manual_seed(0)
    options = {"size": size} if ZOO[name].size_option or name.startswith("vit") else {}
    model = create_model(name, classes, in_channels=ZOO[name].channels, **options).eval()
    for path in model.head_layers():
        nn.init.normal_(model.get_parameter(f"{path}.weight"), std=0.1)
    return model


def test_grad_cam_is_the_part_of_each_place():
    """Of an average and a dense layer: without the ReLU, the places' parts add up to the logit without its bias."""
    model, images = one_layer(), torch.rand(2, 3, 64, 64)
    labels = torch.tensor([[0, 2], [1, 0]])
    maps = grad_cam(model, images, labels)
    with torch.no_grad():
        features = model.features(images)
        weight = model.get_parameter("fc.weight")[labels]  # (N, K, C)
        parts = torch.einsum("nkc,nchw->nkhw", weight, features) / 64
    assert maps.shape == (2, 2, 8, 8) and torch.allclose(maps, parts.clamp(min=0), atol=1e-6)


def test_grad_cam_is_captums(images: torch.Tensor):
    """captum's, of a named layer, is the same where the layer is the contract's."""
    attr = pytest.importorskip("captum.attr")
    model = fresh("resnet18", size=64)
    ours = grad_cam(model, images, torch.tensor([[1], [2]]))[:, 0]
    theirs = attr.LayerGradCam(model, model.get_submodule("layer4")).attribute(
        images, target=torch.tensor([1, 2]), relu_attributions=True
    )
    assert torch.allclose(ours, theirs[:, 0], atol=1e-5)


def test_grad_cam_plus_plus_counts_places_alike():
    """Two places that say the same weigh the same as one that says it twice as loud, unlike in Grad-CAM's average."""
    model, images = one_layer(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        model.get_parameter("fc.weight").fill_(-1.0)
    assert not grad_cam_plus_plus(model, images, torch.tensor([[0]])).any()  # no gradient is above 0
    with torch.no_grad():
        model.get_parameter("fc.weight").fill_(1.0)
    maps = grad_cam_plus_plus(model, images, torch.tensor([[0]]))
    with torch.no_grad():
        features = model.features(images)
    gradient = torch.tensor(1 / 64)
    sums = features.sum(dim=(2, 3))
    alpha = gradient**2 / (2 * gradient**2 + sums * gradient**3)
    expected = torch.einsum("nc,nchw->nhw", 64 * alpha * gradient, features)
    assert torch.allclose(maps[:, 0], expected, rtol=1e-4, atol=1e-7)


def test_eigen_cam_is_the_first_component(images: torch.Tensor):
    """A map of rank one is found but for its scale, with the activations' sign, and is the same for each class."""
    model = one_layer()
    maps = eigen_cam(model, images, torch.tensor([[0, 1], [2, 0]]))
    with torch.no_grad():
        flat = model.features(images).flatten(2)[0].numpy()  # (C, h * w)
    first = np.linalg.svd(flat.T, full_matrices=False)[2][0]
    expected = np.abs(flat.T @ first)  # features after a ReLU: no component of them all changes its sign
    assert np.allclose(maps[0, 0].flatten(), expected, atol=1e-4) and torch.equal(maps[:, 0], maps[:, 1])


def test_score_cam_finds_what_counts():
    """A network that counts red in one class sees it where it is red."""
    model = one_layer(width=3, classes=2)
    with torch.no_grad():
        conv, dense = model.get_submodule("conv"), model.get_submodule("fc")
        conv.weight.zero_(), conv.bias.zero_(), dense.weight.zero_()
        for channel in range(3):
            conv.weight[channel, channel] = 1 / 64
        dense.weight[0, 0] = 50.0
    images = torch.zeros(1, 3, 64, 64)
    images[0, 0, 8:16, 16:24], images[0, 1, 48:56, 48:56], images[0, 2, 32:40, 8:16] = 1, 1, 1
    maps = score_cam(model, images, torch.tensor([[0]]))[0, 0]
    assert maps.flatten().argmax() == 1 * 8 + 2 and maps.shape == (8, 8) and MOST_MASKS > 3


def test_rollout_multiplies_what_blocks_attend_to():
    """One block: half of the mean over heads, with the shortcut for the token itself; more are multiplied."""
    model = fresh("vit_b_16", size=48)
    images = torch.rand(2, 3, 48, 48)
    layers = attention_layers(model)
    weights = attention_weights(model, images, layers)
    assert len(layers) == 12 and weights[0].shape == (2, 12, 10, 10)
    assert torch.allclose(weights[3].sum(dim=-1), torch.ones(2, 12, 10), atol=1e-5)
    flow = torch.eye(10)[None]
    for each in weights:
        flow = (each.mean(dim=1) + torch.eye(10)) / 2 @ flow
    maps = attention_rollout(model, images, torch.tensor([[0], [1]]))
    assert torch.allclose(maps[:, 0].flatten(1), flow[:, 0, 1:], atol=1e-6)
    with pytest.raises(ModelError, match="attention-rollout"):
        attention_rollout(fresh("resnet18", size=32), images, torch.tensor([[0], [1]]))


@pytest.mark.parametrize("method", [integrated_gradients, occlusion])
def test_pixels_that_count_are_found(method: object):
    """A network that counts red in one class: captum's methods find the red patch, and for the other class nothing."""
    pytest.importorskip("captum")
    model = one_layer(width=3, classes=2)
    with torch.no_grad():
        conv, dense = model.get_submodule("conv"), model.get_submodule("fc")
        conv.weight.zero_(), conv.bias.zero_(), dense.weight.zero_(), dense.bias.zero_()
        conv.weight[0, 0] = 1 / 64
        dense.weight[0, 0] = 1.0
    images = torch.zeros(1, 3, 64, 64)
    images[0, 0, 8:16, 16:24] = 1
    maps = method(model, images, torch.tensor([[0, 1]]))[0]  # type: ignore[operator]
    row, column = divmod(int(maps[0].argmax()), maps.shape[-1])
    side = maps.shape[-1]
    assert abs((row + 0.5) / side - 12 / 64) < 0.1 and abs((column + 0.5) / side - 20 / 64) < 0.1
    assert not maps[1].any()


CLASSES = 12


def entries() -> Iterator[Any]:
    """One entry of each family each time, and all others among the slow tests."""
    seen: set[str] = set()
    for name, entry in ZOO.items():
        yield pytest.param(name, marks=[pytest.mark.slow] if entry.family in seen or name.startswith("vgg") else [])
        seen.add(entry.family)


@pytest.mark.parametrize("name", [*entries()])
def test_every_entry_has_a_map_of_each_class(name: str):
    """At the smallest size: finite, of the grid's shape, not the same for two classes; parameters stay as they are."""
    entry = ZOO[name]
    least = max(entry.min_size, 2 * entry.multiple, 48)
    size = entry.fixed_sizes[0] if entry.fixed_sizes else -(-least // entry.multiple) * entry.multiple
    model = fresh(name, size=size, classes=CLASSES)
    images = torch.rand(1, entry.channels, size, size, generator=torch.Generator().manual_seed(1))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    maps = find_method(DEFAULT).maps(model, images, torch.arange(CLASSES)[None])
    with torch.no_grad():
        activations = model.spatial_features(images)
        assert torch.allclose(model.spatial_head(activations), model(images), rtol=1e-3, atol=1e-4)
    assert maps.shape == (1, CLASSES, *model.grid(activations).shape[2:])
    assert torch.isfinite(maps).all() and (maps >= 0).all()
    most = float(maps.max())
    # Of fresh weights nothing may speak for a class, in one of two.
    assert most > 0 and float((maps[0].amax(dim=0) - maps[0].amin(dim=0)).max()) > 0.01 * most
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_leaves_the_network_as_it_is(name: str, images: torch.Tensor):
    """Statistics of batch norm, weights and modes; a picture's map does not depend on those beside it."""
    if name in ("integrated-gradients", "occlusion"):
        pytest.importorskip("captum")
    model = fresh("vit_b_32" if name == "attention-rollout" else "resnet18", size=64)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    labels = torch.tensor([[0, 1], [2, 1]])
    maps = METHODS[name].maps(model, images, labels)  # type: ignore[index]
    alone = METHODS[name].maps(model, images[1:], labels[1:])  # type: ignore[index]
    assert maps.shape[:2] == (2, 2) and torch.isfinite(maps).all() and (maps >= 0).all()
    assert torch.allclose(maps[1], alone[0], rtol=1e-3, atol=1e-5 * float(maps.max()))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items()) and not model.training
    assert METHODS[name].by_class or torch.equal(maps[:, 0], maps[:, 1])  # type: ignore[index]


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0", "vit_b_32"])
def test_other_weights_give_other_maps(name: str):
    """Adebayo et al. 2018: from the head down, block after block is randomised, and maps are less and less alike."""
    size = 96
    model = fresh(name, size=size, classes=5)
    images = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(4, 1, dtype=torch.int64)
    first = find_method(DEFAULT).maps(model, images, labels)
    blocks = [path for paths in reversed(model.blocks_in_order()) for path in paths]
    similar = []
    torch.manual_seed(9)
    for path in blocks:
        for parameter in _parameters(model, path):
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=float(parameter.detach().std()))
        maps = find_method(DEFAULT).maps(model, images, labels)
        similar.append(np.nanmean([_alike(a, b) for a, b in zip(first[:, 0], maps[:, 0], strict=True)]))
    assert similar[-1] < 0.5, similar


def _parameters(model: Classifier, path: str) -> list[nn.Parameter]:
    part = dict(model.named_modules()).get(path)
    return [model.get_parameter(path)] if part is None else list(part.parameters())


def _alike(one: torch.Tensor, other: torch.Tensor) -> float:
    """Spearman's rank correlation of two maps; 0 where one has no heat at all."""
    if not one.any() or not other.any():
        return 0.0
    return abs(float(spearmanr(one.flatten(), other.flatten()).statistic))


def test_maps_of_a_mirrored_picture_are_mirrored():
    """Exactly, of a network with symmetric kernels; to those of others mirrored pixels are other pixels."""
    model = one_layer()
    with torch.no_grad():
        weight = model.get_parameter("conv.weight")
        weight.copy_((weight + weight.flip(-1)) / 2)
    images = torch.rand(2, 3, 64, 64)
    labels = torch.tensor([[0, 1], [1, 2]])
    for name in ("grad-cam", "grad-cam++", "score-cam", "eigen-cam"):
        maps, mirrored = (METHODS[name].maps(model, some, labels) for some in (images, images.flip(-1)))
        assert torch.allclose(maps, mirrored.flip(-1), atol=1e-5 * float(maps.max())), name


def test_an_unknown_method_is_told():
    """With what there is."""
    with pytest.raises(ConfigError, match="grad-cam"):
        find_method("gradcam")
    assert math.isfinite(MOST_MASKS)
