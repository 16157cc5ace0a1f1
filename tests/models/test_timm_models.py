"""Models of timm behind our contract; timm and its torchvision are in the environment of `make parity` alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pictaxa.cli.main import main
from pictaxa.config.learning import TransferConfig
from pictaxa.errors import ModelError
from pictaxa.models.folding import share_norms
from pictaxa.models.fusing import can_fuse, fast_copy
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import open_run
from pictaxa.training.transfer import freeze, lr_scales

pytest.importorskip("timm", reason="timm is not installed; `make parity` runs these")

Make = Callable[..., Path]
TINY = ("--size", "32", "--batch-size", "8", "--precision", "float32", "--policy", "light", "--epochs", "2")
SMALL = "timm/resnet10t"
FORMS = (SMALL, "timm/convnext_atto", "timm/mobilenetv3_small_050", "timm/vit_tiny_patch16_224", "timm/densenet121")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> Path:
    """A run of a small model on two classes."""
    folder = tmp_path_factory.mktemp("backbone")
    data = make_photos(folder / "photos", {"a": 12, "b": 12})
    assert main(["train", str(data), "--out", str(folder / "run"), "--model", SMALL, *TINY]) == 0
    return folder / "run"


@pytest.mark.parametrize("name", FORMS)
def test_every_parameter_is_in_one_part(name: str):
    """timm's order names each parameter of ours once, and the last part is what it calls the classifier."""
    model = create_model(name, 5)
    parts = model.blocks_in_order()
    in_head = [key for key, _ in model.named_parameters() if key.startswith(f"{model.main_head()}.")]
    inside = [path for part in parts[:-1] for path in part]
    assert sorted([*inside, *in_head]) == sorted(key for key, _ in model.named_parameters())
    assert parts[-1] == [model.main_head()] and len(parts) > 5
    assert model.get_submodule(model.main_head()).out_features == 5


@pytest.mark.parametrize("name", FORMS)
def test_blocks_at_the_end_are_left_to_learn(name: str):
    """last:1 frees the classifier and the part before it; head frees the classifier alone."""
    model = create_model(name, 5)
    freeze(model, "head")
    free = {key for key, value in model.named_parameters() if value.requires_grad}
    assert free == {f"{model.main_head()}.weight", f"{model.main_head()}.bias"}
    freeze(model, "last:1")
    more = {key for key, value in model.named_parameters() if value.requires_grad}
    assert more - free == set(model.blocks_in_order()[-2])


def test_two_classifiers():
    """A model with two of them can be trained as a whole; what needs the one head says so."""
    model = create_model("timm/deit_tiny_distilled_patch16_224", 3)
    shares = lr_scales(model, TransferConfig(weights=Path("a"), backbone_lr_scale=0.5))
    assert len(shares) == len(list(model.parameters())) - 4 and set(shares.values()) == {0.5}
    with pytest.raises(ModelError, match="single dense layer"):
        freeze(model, "head")


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--head", "8,dropout:0.5"),
        ("--solve-head", "no", "--feature-views", "1"),
        ("--solve-head", "no", "--feature-views", "0"),
        ("--solve-head", "no", "--head", "8,dropout:0.5"),
    ],
)
def test_a_frozen_backbone_is_bitwise_unchanged(
    backbone: Path, tmp_path: Path, make_photos: Make, more: tuple[str, ...]
):
    """--tune head, solved or not, on cached features or not, with hidden layers or not: only the classifier changes."""
    data = make_photos(tmp_path / "photos", {"x": 12, "y": 12, "z": 12})
    words = ["train", str(data), "--weights", str(backbone), "--tune", "head", "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, *more]) == 0
    run = open_run(tmp_path / "run")
    assert run.config["chosen"]["model"] == SMALL
    before, after = load_file(backbone / "model.safetensors"), load_file(run.model_path)
    head = create_model(SMALL, 2).main_head()
    names = [name for name in before if not name.startswith(f"{head}.")]
    assert len(names) > 50 and all(after[name].equal(before[name]) for name in names)
    assert main(["predict", str(run.path), str(data), "--out", str(tmp_path / "p.csv")]) == 0


@pytest.mark.parametrize("tune", ["last:2", "head,all"])
def test_the_end_of_a_backbone_can_learn(backbone: Path, tmp_path: Path, make_photos: Make, tune: str):
    """last:2 leaves the first convolution as it was, head,all changes it."""
    data = make_photos(tmp_path / "photos", {"x": 12, "y": 12, "z": 12})
    words = ["train", str(data), "--weights", str(backbone), "--tune", tune, "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, "--best-by", "last"]) == 0
    before, after = load_file(backbone / "model.safetensors"), load_file(tmp_path / "run" / "model.safetensors")
    same = {name for name in before if after[name].shape == before[name].shape and after[name].equal(before[name])}
    assert ("network.conv1.0.weight" in same) == (tune == "last:2")
    assert "network.layer4.0.conv2.weight" not in same


def test_our_logits_are_timms():
    """The classifier that stands in for timm's own computes the same."""
    model = create_model(SMALL, 4).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(images), model.network(model.normalise(images)))


@pytest.mark.parametrize("name", ["timm/tf_efficientnet_lite0", SMALL, "timm/mobilenetv3_small_050"])
@pytest.mark.parametrize("side", [64, 65])
def test_merged_and_fused_networks_say_the_same(name: str, side: int):
    """With norms merged for training, and fused for features, also where timm's convolutions pad by themselves."""
    torch.manual_seed(0)
    model = create_model(name, 4).train()
    images = torch.nn.functional.interpolate(torch.rand(8, 3, 7, 7), size=side, mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        for _ in range(20):  # so that statistics are those of such pictures
            model(images)
        wanted = model.eval()(images)
        assert torch.allclose(share_norms(model, size=side).eval()(images), wanted, atol=1e-4 * wanted.abs().max())
        fused = fast_copy(model, size=side)(images)
        assert torch.allclose(fused, wanted, atol=1e-4 * wanted.abs().max())
        if not can_fuse(torch.device("cpu"), torch.bfloat16):
            pytest.skip("this CPU has no native bfloat16")
        with torch.autocast("cpu", torch.bfloat16):
            fused = fast_copy(model, size=side, precision=torch.bfloat16)
            found, usual = fused(images).float(), model(images).float()
    assert (found - wanted).norm() <= max(0.02 * wanted.norm(), 1.5 * (usual - wanted).norm())
