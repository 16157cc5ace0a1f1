from __future__ import annotations

import json
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import ConfigError, PictaxaError, WeightsError
from pictaxa.models.contract import NORMALIZATIONS, Classifier
from pictaxa.models.vit import SIZES, Options, VisionTransformer
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import weights_file
from pictaxa.weights.files import load_tensors, read_notes, save_tensors
from pictaxa.weights.foreign import read_npz
from pictaxa.weights.loading import load_weights


def saved(model: torch.nn.Module, file: Path) -> Path:
    torch.save({name: value for name, value in model.state_dict().items() if name not in ("mean", "std")}, file)
    return file


def tiny_vit(size: int = 32, classes: int = 5, *, resnet: tuple[int, ...] = ()) -> VisionTransformer:
    form = replace(SIZES["vit_b_16"], width=48, depth=2, heads=3, mlp=96, patch=8, resnet=resnet)
    if resnet:
        form = replace(form, patch=4 * 2 ** (len(resnet) - 1))
    model = VisionTransformer(
        classes, 3, form=form,
        options=Options(size=size, representation_size=0, dropout=0.0, attention_dropout=0.0, drop_path=0.0),
    ).eval()  # fmt: skip
    model.entry = "vit_b_16"
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


def timm_names(model: VisionTransformer) -> dict[str, torch.Tensor]:
    state = model.state_dict()
    return {name.replace("classifier", "head"): state[name] for name in state if name not in ("mean", "std")}


def torchvision_names(model: VisionTransformer, *, mlp: tuple[str, str]) -> dict[str, torch.Tensor]:
    whole = {"cls_token": "class_token", "pos_embed": "encoder.pos_embedding"}
    parts = {
        "patch_embed.proj.": "conv_proj.", "blocks.": "encoder.layers.encoder_layer_", ".norm1.": ".ln_1.",
        ".norm2.": ".ln_2.", ".attn.qkv.": ".self_attention.in_proj_", ".attn.proj.": ".self_attention.out_proj.",
        ".mlp.fc1.": f".mlp.{mlp[0]}.", ".mlp.fc2.": f".mlp.{mlp[1]}.", "classifier.": "heads.head.",
    }  # fmt: skip
    renamed = {}
    for name, value in model.state_dict().items():
        theirs = whole.get(name, name)
        for ours, part in parts.items():
            theirs = theirs.replace(ours, part)
        renamed[theirs.replace("norm.", "encoder.ln.") if theirs.startswith("norm.") else theirs] = value
    return {name: value for name, value in renamed.items() if name not in ("mean", "std")}


@pytest.mark.parametrize("mlp", [("0", "3"), ("linear_1", "linear_2")])
def test_torchvisions_transformers_come_back(mlp: tuple[str, str], tmp_path: Path):
    """By the names of its models and of its published files, which are older; fed as it feeds pictures."""
    model, other = tiny_vit(), tiny_vit()
    torch.save(torchvision_names(model, mlp=mlp), tmp_path / "a.pth")
    told = load_weights(other, tmp_path / "a.pth", source="torchvision")
    model.set_normalization(*NORMALIZATIONS["imagenet"])
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(other(images), model(images))
    assert not told.fresh and not told.dropped


def test_the_layer_before_many_classes_may_be_left(tmp_path: Path):
    """A checkpoint of ImageNet-21k has pre-logits; a model without them drops them with a reason, its head is new."""
    large, model = tiny_vit(), tiny_vit()
    large.pre_logits = torch.nn.Linear(48, 48)
    arrays = jax_arrays(large) | {"pre_logits/kernel": np.zeros((48, 48), np.float32)}
    np.savez(tmp_path / "a.npz", **arrays, **{"pre_logits/bias": np.zeros(48, np.float32)})
    told = load_weights(model, tmp_path / "a.npz", source="jax")
    assert set(told.dropped) == {"pre_logits.weight", "pre_logits.bias"} and not told.fresh
    assert "representation_size" in told.dropped["pre_logits.weight"]


def test_a_whole_checkpoint_comes_back(tmp_path: Path):
    """A torchvision state dict, bare or wrapped or from data-parallel training, gives the same logits."""
    torch.manual_seed(0)
    model, images = create_model("resnet18", 4).eval(), torch.rand(2, 3, 64, 64)
    state = model.state_dict()
    weights = {name: value for name, value in state.items() if name not in ("mean", "std")}
    for document in (
        weights, {"state_dict": weights, "epoch": 3}, {f"module.{name}": value for name, value in weights.items()},
    ):  # fmt: skip
        torch.save(document, tmp_path / "a.pth")
        other = create_model("resnet18", 4).eval()
        told = load_weights(other, tmp_path / "a.pth", source="torchvision")
        assert torch.equal(other(images), model(images))
        beside = ["dropped   epoch: not weights"] if "epoch" in document else []
        assert not told.fresh and not told.dropped and told.lines() == [f"weights   {len(weights)} tensors", *beside]


def test_a_head_for_other_classes_stays_new(tmp_path: Path):
    """The backbone is the file's, the head is untouched, and one line says so."""
    model, other = create_model("resnet18", 7), create_model("resnet18", 3)
    before = other.fc.weight.clone()
    told = load_weights(other, saved(model, tmp_path / "a.pth"), source="torchvision")
    assert torch.equal(other.fc.weight, before) and torch.equal(other.conv1.weight, model.conv1.weight)
    assert told.lines()[1:] == ["new       fc: the file's head has 7 classes, this one has 3"]


def test_a_file_without_a_head(tmp_path: Path):
    """A backbone alone is enough."""
    model, other = create_model("mobilenet_v2", 0), create_model("mobilenet_v2", 3)
    torch.save(
        {k.replace("convs.", "features."): v for k, v in model.state_dict().items() if "." in k}, tmp_path / "a.pt"
    )
    told = load_weights(other, tmp_path / "a.pt", source="torchvision")
    assert list(told.fresh) == ["classifier.1"]
    assert torch.equal(other.convs[0][0].weight, model.convs[0][0].weight)


def test_auxiliary_heads_may_be_absent_on_either_side(tmp_path: Path):
    """A model without them drops the file's with a reason; a model with them keeps its own where the file has none."""
    full, bare = create_model("googlenet_bn", 4), create_model("googlenet_bn", 4, aux=False)
    told = load_weights(
        create_model("googlenet_bn", 4, aux=False), saved(full, tmp_path / "a.pth"), source="torchvision"
    )
    assert all(name.startswith("aux") for name in told.dropped) and len(told.dropped) > 10
    told = load_weights(create_model("googlenet_bn", 4), saved(bare, tmp_path / "b.pth"), source="torchvision")
    assert {name.partition(".")[0] for name in told.fresh} == {"aux1", "aux2"} and not told.dropped


def test_colour_weights_in_a_grey_model(tmp_path: Path):
    """A grey picture gives the maps that its three equal channels give, where the statistics are equal too."""
    colour, grey = create_model("cifar_resnet20", 3).eval(), create_model("cifar_resnet20", 3, in_channels=1).eval()
    told = load_weights(grey, saved(colour, tmp_path / "a.pth"), source="torchvision", normalization="-1-1")
    colour.set_normalization((0.5,) * 3, (0.5,) * 3)
    picture = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.allclose(grey(picture), colour(picture.expand(1, 3, 32, 32)), atol=1e-4)
    assert told.fitted == {"conv1.weight": "colours summed for grey pictures"}


def test_position_embeddings_are_resized(tmp_path: Path):
    """A transformer for larger pictures gets the embeddings that the smaller one would use for them."""
    small, large = tiny_vit(32), tiny_vit(64)
    torch.save(timm_names(small), tmp_path / "a.pth")
    told = load_weights(large, tmp_path / "a.pth", source="timm")
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(large(images), small(images), atol=1e-5)
    assert told.fitted == {"pos_embed": "resized from 4 x 4 to 8 x 8"}


def jax_arrays(model: VisionTransformer) -> dict[str, np.ndarray]:
    """Our weights under the published code's names, with its axes."""
    arrays: dict[str, torch.Tensor] = {"cls": model.cls_token}

    def put(name: str, layer: torch.nn.Module) -> None:
        weight = layer.weight
        kind = {4: "kernel", 2: "kernel", 1: "scale"}[weight.ndim]
        axes = weight.permute(2, 3, 1, 0) if weight.ndim == 4 else weight.t() if weight.ndim == 2 else weight
        arrays[f"{name}/{kind}"] = axes
        if layer.bias is not None:
            arrays[f"{name}/bias"] = layer.bias

    put("embedding", model.patch_embed.proj)
    arrays["Transformer/posembed_input/pos_embedding"] = model.pos_embed
    put("Transformer/encoder_norm", model.norm)
    put("head", model.classifier)
    for number, block in enumerate(model.blocks):
        path = f"Transformer/encoderblock_{number}"
        put(f"{path}/LayerNorm_0", block.norm1)
        put(f"{path}/LayerNorm_2", block.norm2)
        put(f"{path}/MlpBlock_3/Dense_0", block.mlp.fc1)
        put(f"{path}/MlpBlock_3/Dense_1", block.mlp.fc2)
        attention, heads = f"{path}/MultiHeadDotProductAttention_1", block.attn.heads
        width = block.attn.proj.in_features
        for place, word in enumerate(("query", "key", "value")):
            rows = slice(place * width, (place + 1) * width)
            arrays[f"{attention}/{word}/kernel"] = block.attn.qkv.weight[rows].t().unflatten(1, (heads, -1))
            arrays[f"{attention}/{word}/bias"] = block.attn.qkv.bias[rows].unflatten(0, (heads, -1))
        arrays[f"{attention}/out/kernel"] = block.attn.proj.weight.t().unflatten(0, (heads, -1))
        arrays[f"{attention}/out/bias"] = block.attn.proj.bias
    backbone = model.patch_embed.backbone
    if not isinstance(backbone, torch.nn.Identity):
        put("conv_root", backbone.stem.conv)
        put("gn_root", backbone.stem.norm)
        for s, stage in enumerate(backbone.stages, start=1):
            for b, unit in enumerate(stage.blocks, start=1):
                for n in (1, 2, 3):
                    put(f"block{s}/unit{b}/conv{n}", getattr(unit, f"conv{n}"))
                    put(f"block{s}/unit{b}/gn{n}", getattr(unit, f"norm{n}"))
                if unit.downsample is not None:
                    put(f"block{s}/unit{b}/conv_proj", unit.downsample.conv)
                    put(f"block{s}/unit{b}/gn_proj", unit.downsample.norm)
    return {
        name: value.detach().numpy().reshape((1, 1, 1, -1) if "gn" in name else value.shape)
        for name, value in arrays.items()
    }


@pytest.mark.parametrize("resnet", [(), (2, 1)])
def test_googles_checkpoints_come_back(resnet: tuple[int, ...], tmp_path: Path):
    """Fused query, key and value, class token, embeddings and the hybrid's ResNet load from an .npz."""
    model, other = tiny_vit(resnet=resnet), tiny_vit(resnet=resnet)
    np.savez(tmp_path / "a.npz", **jax_arrays(model))
    told = load_weights(other, tmp_path / "a.npz", source="jax")
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(other(images), model(images))
    assert not told.fresh and not told.dropped


def test_googles_checkpoints_are_read_as_timm_reads_them(tmp_path: Path):
    """One file, read by timm's loader and by ours, gives the same logits; `make parity` has timm."""
    transformer = pytest.importorskip("timm.models.vision_transformer", reason="timm is not installed")
    ours = tiny_vit()
    np.savez(tmp_path / "a.npz", **jax_arrays(tiny_vit()))
    load_weights(ours, tmp_path / "a.npz", source="jax")
    theirs = transformer.VisionTransformer(
        img_size=32, patch_size=8, num_classes=5, embed_dim=48, depth=2, num_heads=3, mlp_ratio=2
    ).eval()
    theirs.load_pretrained(str(tmp_path / "a.npz"))
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = theirs(images * 2 - 1)
        assert float((ours(images) - expected).abs().max() / expected.abs().max()) < 1e-5


def test_a_run_is_a_checkpoint(tmp_path: Path):
    """A folder with model.safetensors, or the file: normalisation included."""
    model, other = create_model("lenet5", 3), create_model("lenet5", 3)
    model.set_normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    save_tensors(model.state_dict(), tmp_path / "model.safetensors")
    load_weights(other, weights_file(tmp_path), source="pictaxa")
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_source_is_stated_and_a_wrong_one_is_told(tmp_path: Path):
    """A file that is plainly another source's is an error that says whose."""
    vit = tiny_vit()
    torch.save(timm_names(vit), tmp_path / "a.pth")
    cases = [
        (vit, tmp_path / "a.pth", "torchvision", "source timm"),
        (vit, tmp_path / "a.npz", "keras", "source jax"),
        (vit, tmp_path / "a.h5", "torchvision", "source keras"),
        (vit, tmp_path / "a.zip", "jax", "not a known kind of weights"),
        (vit, tmp_path / "none.pth", "timm", "none at"),
        (vit, tmp_path / "a.h5", "keras", "--normalization 0-1"),
        (vit, tmp_path / "a.pth", "tim", "timm"),
    ]
    for name in ("a.npz", "a.h5", "a.zip"):
        (tmp_path / name).write_bytes(b"")
    for model, file, source, words in cases:
        with pytest.raises((WeightsError, ConfigError), match=words):
            load_weights(model, file, source=source)  # type: ignore[arg-type]  # wrong words are what is tested


class Harmful:
    """Its pickle would make a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_hostile_files_are_refused_and_nothing_runs(tmp_path: Path):
    """Pickles with code, torn files and bombs each give one line; the model is untouched."""
    model = create_model("lenet5", 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save({"a": Harmful(tmp_path / "made")}, tmp_path / "code.pth")
    (tmp_path / "old-code.pth").write_bytes(pickle.dumps({"a": Harmful(tmp_path / "made")}))
    save_tensors(model.state_dict(), tmp_path / "whole.safetensors")
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-1000])
    saved(model, tmp_path / "whole.pth")
    (tmp_path / "torn.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:-3000])
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cls.npy", bytes(2**26))
    np.savez(tmp_path / "objects.npz", cls=np.array([Harmful(tmp_path / "made")], dtype=object))
    torch.save([1, 2], tmp_path / "list.pth")
    cases = [
        ("code.pth", "torchvision", "code that would run"),
        ("old-code.pth", "torchvision", "a file of tensors"),
        ("torn.safetensors", "pictaxa", "safetensors"),
        ("torn.pth", "torchvision", "Download or save the file again"),
        ("bomb.npz", "jax", "when unpacked"),
        ("objects.npz", "jax", "a file of arrays"),
        ("list.pth", "timm", "tensors by name"),
    ]
    for name, source, words in cases:
        with pytest.raises(PictaxaError, match=words) as told:
            load_weights(model, tmp_path / name, source=source)  # type: ignore[arg-type]  # words from a table
        assert "\n" not in str(told.value)
    assert not (tmp_path / "made").exists()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_arrays_are_bounded_before_they_are_read(tmp_path: Path):
    """foreign.py reads what fits the model and refuses a file with more, whatever the archive's own size."""
    np.savez_compressed(tmp_path / "a.npz", zeros=np.zeros(10_000, np.float32))
    assert read_npz(tmp_path / "a.npz", max_values=20_000)["zeros"].shape == (10_000,)
    with pytest.raises(WeightsError, match="when unpacked"):
        read_npz(tmp_path / "a.npz", max_values=1_000)


def test_convert_writes_a_file_that_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`pictaxa weights convert` names classes in the order of the checkpoint, and load_weights takes the result."""
    model = create_model("lenet5", 3)
    saved(model, tmp_path / "a.pth")
    (tmp_path / "class_indices.json").write_text(json.dumps({"rose": 2, "daisy": 0, "tulip": 1}))
    words = ["weights", "convert", str(tmp_path / "a.pth"), "--source", "torchvision", "--model", "lenet5"]
    out = tmp_path / "b.safetensors"
    assert (
        main([*words, "--out", str(out), "--classes", str(tmp_path / "class_indices.json"), "--normalization", "0-255"])
        == 0
    )
    assert "3 classes" in capsys.readouterr().out
    notes = read_notes(out)
    assert notes["model"] == "lenet5" and json.loads(notes["classes"]) == ["daisy", "tulip", "rose"]
    assert torch.allclose(load_tensors(out)["std"], torch.full((3,), 1 / 255))
    other: Classifier = pictaxa.create_model("lenet5", 3)
    pictaxa.load_weights(other, out, source="pictaxa")
    assert torch.equal(other.fc1.weight, model.fc1.weight)
    (tmp_path / "class_indices.json").write_text(json.dumps({"rose": 1, "daisy": 1, "tulip": 3}))
    assert main([*words, "--out", str(out), "--classes", str(tmp_path / "class_indices.json")]) == 2
    assert "0 to 2" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "module.model._orig_mod.", "net."])
def test_words_of_training_scripts_are_taken_away(prefix: str, tmp_path: Path):
    """What a script puts before all names, in any order, and a Lightning checkpoint's ending are understood."""
    model, other = create_model("resnet18", 3), create_model("resnet18", 3)
    state = {f"{prefix}{name}": value for name, value in model.state_dict().items() if "." in name}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "a.ckpt")
    told = load_weights(other, tmp_path / "a.ckpt", source="torchvision")
    assert torch.equal(other.conv1.weight, model.conv1.weight) and not told.dropped and not told.fresh
