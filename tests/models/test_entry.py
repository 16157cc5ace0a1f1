from __future__ import annotations

import pytest
import torch

from pictaxa.models.zoo import ZOO, create_model, find_entry
from pictaxa.weights import loading
from pictaxa.weights.keras import _paths_by_name
from pictaxa.weights.keras_files import StoredLayer
from pictaxa.weights.loading import rename_state
from pictaxa.weights.rules import rename

# Names in a published state dict of torchvision's, and ours of the same layer.
TORCHVISION = [
    ("alexnet_owt", "features.10.weight", "conv5.weight"),
    ("alexnet_owt", "classifier.6.bias", "fc3.bias"),
    ("vgg16", "features.28.weight", "convs.28.weight"),
    ("mobilenet_v2", "features.18.1.running_var", "convs.18.1.running_var"),
    ("vit_b_16", "encoder.layers.encoder_layer_11.mlp.linear_2.bias", "blocks.11.mlp.fc2.bias"),
    ("vit_b_16", "encoder.layers.encoder_layer_11.mlp.3.bias", "blocks.11.mlp.fc2.bias"),
    ("vit_b_16", "heads.head.weight", "classifier.weight"),
]

# timm's name of a layer -> ours, of the first blocks, of one of each kind, and of the end.
NAMES = {
    "mobilenet_v1": {
        "conv_stem": "convs.0.0", "bn1": "convs.0.1", "blocks.0.0.conv_dw": "convs.1.0.0",
        "blocks.1.1.conv_pw": "convs.3.1.0", "blocks.3.5.bn2": "convs.11.1.1", "classifier": "fc",
    },
    "mobilenet_v2": {
        "conv_stem": "convs.0.0", "blocks.0.0.conv_dw": "convs.1.conv.0.0", "blocks.0.0.conv_pw": "convs.1.conv.1",
        "blocks.0.0.bn2": "convs.1.conv.2", "blocks.2.1.conv_pw": "convs.5.conv.0.0",
        "blocks.2.1.bn2": "convs.5.conv.1.1", "blocks.6.0.conv_pwl": "convs.17.conv.2",
        "blocks.6.0.bn3": "convs.17.conv.3", "conv_head": "convs.18.0", "bn2": "convs.18.1",
        "classifier": "classifier.1",
    },
    "mobilenet_v3_small": {
        "conv_stem": "convs.0.0", "blocks.0.0.conv_dw": "convs.1.block.0.0",
        "blocks.0.0.se.conv_reduce": "convs.1.block.1.fc1", "blocks.0.0.conv_pw": "convs.1.block.2.0",
        "blocks.1.1.bn3": "convs.3.block.2.1", "blocks.2.0.se.conv_expand": "convs.4.block.2.fc2",
        "blocks.4.2.conv_pwl": "convs.11.block.3.0", "blocks.5.0.conv": "convs.12.0", "blocks.5.0.bn1": "convs.12.1",
        "conv_head": "classifier.0", "classifier": "classifier.3",
    },
    "mobilenet_v3_large": {
        "blocks.0.0.conv_pw": "convs.1.block.1.0", "blocks.2.0.se.conv_reduce": "convs.4.block.2.fc1",
        "blocks.3.3.bn3": "convs.10.block.2.1", "blocks.5.2.bn3": "convs.15.block.3.1", "blocks.6.0.conv": "convs.16.0",
        "conv_head": "classifier.0", "classifier": "classifier.3",
    },
    "efficientnet_lite0": {
        "conv_stem": "convs.0.0", "bn1": "convs.0.1", "blocks.0.0.conv_dw": "convs.1.block.0.0",
        "blocks.0.0.conv_pw": "convs.1.block.1.0", "blocks.0.0.bn2": "convs.1.block.1.1",
        "blocks.1.0.conv_pw": "convs.2.block.0.0", "blocks.1.0.bn3": "convs.2.block.2.1",
        "blocks.3.2.conv_dw": "convs.8.block.1.0", "blocks.6.0.conv_pwl": "convs.16.block.2.0",
        "conv_head": "convs.17.0", "bn2": "convs.17.1", "classifier": "classifier",
    },
    "efficientnet_lite1": {"blocks.2.2.bn1": "convs.7.block.0.1", "bn2": "convs.22.1", "classifier": "classifier"},
    "efficientnet_lite2": {"blocks.5.4.bn2": "convs.20.block.1.1", "bn2": "convs.22.1", "classifier": "classifier"},
    "efficientnet_lite3": {"blocks.4.4.bn1": "convs.17.block.0.1", "bn2": "convs.25.1", "classifier": "classifier"},
    "efficientnet_lite4": {
        "blocks.1.3.conv_pwl": "convs.5.block.2.0", "blocks.6.0.bn3": "convs.30.block.2.1", "conv_head": "convs.31.0",
        "bn2": "convs.31.1", "classifier": "classifier",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_timms_names_are_known(name: str):
    """Each layer of timm's network is the layer of ours that computes the same; a pooled 1x1 convolution is dense."""
    with torch.device("meta"):
        model = create_model(name, 3)
    state = {key: value for key, value in model.state_dict().items() if key not in ("mean", "std")}
    theirs = dict(state)
    for there, here in NAMES[name].items():
        for key in [key for key in theirs if key.startswith(f"{here}.")]:
            theirs[there + key.removeprefix(here)] = theirs.pop(key)
        if there == "conv_head" and theirs[f"{there}.weight"].ndim == 2:
            theirs[f"{there}.weight"] = theirs[f"{there}.weight"][:, :, None, None]
    renamed = rename_state(model, theirs, source="timm").tensors
    assert renamed.keys() == state.keys() and all(value.shape == state[key].shape for key, value in renamed.items())
    for there, here in NAMES[name].items():
        assert renamed[f"{here}.weight"] is theirs[f"{there}.weight"] or there == "conv_head"


@pytest.mark.parametrize("name", NAMES)
def test_the_rules_fill_the_whole_network(name: str):
    """No two rules give one name, and together they give every layer that the network has under another name."""
    with torch.device("meta"):
        layers = {key.rpartition(".")[0] for key in create_model(name, 3).state_dict()} - {""}
    targets = [rule.target.removesuffix(r".\1") for rule in find_entry(name).known_to("timm").rules]
    same = {here for there, here in NAMES[name].items() if there == here}
    assert len(set(targets)) == len(targets) and layers <= set(targets) | same


@pytest.mark.parametrize(("options", "notes"), [({}, 1), ({"epsilon": 1e-5}, 0)])
def test_other_options_there_are_told(options: dict[str, object], notes: int):
    """timm's MobileNet v3 has another epsilon: a line says which option is its, unless the model is built so."""
    told = loading._notes(create_model("mobilenet_v3_small", 3, **options), "timm")
    assert len(told) == notes and all("epsilon=1e-05" in note for note in told)


@pytest.mark.parametrize(("name", "theirs", "ours"), TORCHVISION)
def test_names_of_torchvisions_files(name: str, theirs: str, ours: str):
    """Each becomes ours, and the entry has such a tensor."""
    assert rename([theirs], find_entry(name).known_to("torchvision").rules).names == {theirs: ours}
    with torch.device("meta"):
        assert ours in create_model(name, 1000).state_dict()


def test_only_vit_has_another_normalization_in_torchvision():
    """The entry follows Google's code, with pictures from -1 to 1; torchvision's weights expect ImageNet's mean."""
    assert {entry.known_to("torchvision").normalization for entry in ZOO.values() if entry.family != "vit"} == {None}
    assert {entry.known_to("torchvision").normalization for entry in ZOO.values() if entry.family == "vit"} == {
        "imagenet"
    }


@pytest.mark.parametrize(
    ("name", "options", "flattened"),
    [
        ("vgg11", {}, {"classifier.0": 512}),
        ("vgg", {"stages": ((1, 8), (1, 24))}, {"classifier.0": 24}),
        ("alexnet_owt", {}, {"fc1": 256}),
        ("resnet50_course", {}, {"fc": 2048}),
        ("resnet50", {}, {}),
    ],
)
def test_dense_layers_on_maps_are_known_with_any_options(
    name: str, options: dict[str, object], flattened: dict[str, int]
):
    """Keras flattens maps in another order, so that its files can be read only where these and their channels are."""
    with torch.device("meta"):
        model = create_model(name, 3, **options)
    assert model.flattened == flattened
    state = model.state_dict()
    assert all(state[f"{path}.weight"].shape[1] % channels == 0 for path, channels in flattened.items())


def test_keras_counters_are_our_order():
    """Keras gives Inception v3's layers numbers instead of names: each is the layer of ours that was made then."""
    with torch.device("meta"):
        model = create_model("inception_v3", 5)
    words = [f"{word}_{i}".removesuffix("_0") for word in ("conv2d", "batch_normalization") for i in range(94)]
    paths = _paths_by_name(model, [StoredLayer(name, {}) for name in reversed(["predictions", *words])])
    assert paths is not None and len(set(paths)) == 189 and paths[-1] == "fc"
    found = dict(zip(reversed(words), paths[:-1], strict=True))
    assert found["conv2d"] == "Conv2d_1a_3x3.conv" and found["conv2d_93"] == "Mixed_7c.branch_pool.conv"
    assert found["batch_normalization_5"] == "Mixed_5b.branch1x1.bn"
    assert not any(path.startswith("AuxLogits") for path in paths)
