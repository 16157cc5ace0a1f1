from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from pictaxa.errors import WeightsError
from pictaxa.models import efficientnet_lite
from pictaxa.models.contract import Classifier
from pictaxa.models.zoo import create_model, find_entry
from pictaxa.weights.loading import load_weights, rename_state

# Blocks of each size and, by name, the first two: only a block that widens has `_expand_conv`, and `_bn0` is its norm.
BLOCKS = {"efficientnet_lite0": 16, "efficientnet_lite1": 21, "efficientnet_lite2": 21, "efficientnet_lite3": 24,
          "efficientnet_lite4": 30}  # fmt: skip
NAMES = {
    "_conv_stem": "convs.0.0", "_bn0": "convs.0.1",
    "_blocks.0._depthwise_conv": "convs.1.block.0.0", "_blocks.0._bn1": "convs.1.block.0.1",
    "_blocks.0._project_conv": "convs.1.block.1.0", "_blocks.0._bn2": "convs.1.block.1.1",
    "_blocks.1._expand_conv": "convs.2.block.0.0", "_blocks.1._bn0": "convs.2.block.0.1",
    "_blocks.1._depthwise_conv": "convs.2.block.1.0", "_blocks.1._bn1": "convs.2.block.1.1",
    "_blocks.1._project_conv": "convs.2.block.2.0", "_blocks.1._bn2": "convs.2.block.2.1",
    "_fc": "classifier",
}  # fmt: skip


def their_state(model: Classifier) -> dict[str, torch.Tensor]:
    """The model's state by efficientnet_pytorch's names."""
    blocks = BLOCKS[model.entry]
    parts = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
    renamed = {}
    for name, value in model.state_dict().items():
        if name in ("mean", "std"):
            continue
        path, _, last = name.rpartition(".")
        place = [int(number) for number in re.findall(r"\d+", path)]
        if path == "classifier":
            theirs = "_fc"
        elif len(place) == 2:
            theirs = (("_conv_stem", "_bn0") if place[0] == 0 else ("_conv_head", "_bn1"))[place[1]]
        else:
            block = place[0] - 1
            theirs = f"_blocks.{block}.{parts[place[1] + (block == 0)][place[2]]}"
        renamed[f"{theirs}.{last}"] = value
    assert sum(name.endswith("_depthwise_conv.weight") for name in renamed) == blocks
    return renamed


@pytest.mark.parametrize("name", BLOCKS)
def test_every_layer_is_known(name: str):
    """Each name of theirs is the layer of ours that computes the same, in every block, the first without expansion."""
    with torch.device("meta"):
        model = create_model(name, 3)
    assert set(BLOCKS) == set(efficientnet_lite.SIZES)
    theirs, ours = their_state(model), model.state_dict()
    told = rename_state(model, theirs, source="efficientnet_pytorch")
    assert set(told.tensors) == set(ours) - {"mean", "std"} and not told.dropped
    assert all(value.shape == ours[key].shape for key, value in told.tensors.items())
    names = {**NAMES, "_conv_head": f"convs.{BLOCKS[name] + 1}.0", "_bn1": f"convs.{BLOCKS[name] + 1}.1"}
    assert all(told.tensors[f"{here}.weight"] is theirs[f"{there}.weight"] for there, here in names.items())


def test_a_checkpoint_of_theirs_gives_the_same_logits(tmp_path: Path):
    """Saved under their names and loaded, 127 / 255 and 128 / 255 are its normalisation, and the logits are equal."""
    torch.manual_seed(0)
    model, other = (create_model("efficientnet_lite0", 3).eval() for _ in range(2))
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point() and value.ndim == 1 and value.numel() > 3:
                value.uniform_(0.5, 1.5)
    torch.save(their_state(model), tmp_path / "theirs.pth")
    told = load_weights(other, tmp_path / "theirs.pth", source="efficientnet_pytorch", normalization="lite")
    assert len(told.tensors) == 296 + 2 and not told.fresh and not told.dropped  # and the normalisation
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(other(images), model(images)) and model(images).std() > 0


def test_their_names_are_not_timms(tmp_path: Path):
    """A file under their names that is said to be timm's is refused with whose it is."""
    model = create_model("efficientnet_lite0", 3)
    torch.save(their_state(model), tmp_path / "theirs.pth")
    with pytest.raises(WeightsError, match="--source efficientnet_pytorch"):
        load_weights(model, tmp_path / "theirs.pth", source="timm")


def test_every_size_has_rules():
    """One for each layer of each size, none left over."""
    for name, blocks in BLOCKS.items():
        assert len(find_entry(name).known_to("efficientnet_pytorch").rules) > 4 * blocks, name
