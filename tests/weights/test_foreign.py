from __future__ import annotations

import argparse
import io
import os
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.errors import WeightsError
from pictaxa.models.zoo import find_entry
from pictaxa.weights.foreign import read_npz, read_torch
from pictaxa.weights.jax import translate

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}
MANY = 1_000_000


def saved(document: object, file: Path, *, zipped: bool = True) -> Path:
    torch.save(document, file, _use_new_zipfile_serialization=zipped)
    return file


@pytest.mark.parametrize("zipped", [True, False])
def test_plain_checkpoints_are_read(zipped: bool, tmp_path: Path):
    """State dicts with metadata, parameters, shared tensors and counters beside them come back, old files too."""
    layer = torch.nn.Linear(3, 2)
    state = layer.state_dict()
    assert isinstance(state, OrderedDict) and state._metadata
    document = {
        "model": {**STATE, "tied": STATE["a.bias"]},
        "epoch": 3,
        "shape": torch.Size([2]),
        "type": torch.float32,
    }
    for given, expected in ((state, dict(state)), (dict(layer.named_parameters()), dict(state)), (document, None)):
        read = read_torch(saved(given, tmp_path / "a.pth", zipped=zipped), max_values=MANY).tensors
        for name, value in (expected or document["model"]).items():
            assert torch.equal(read[name], value)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "module._orig_mod.module."])
def test_what_stands_before_all_names_is_taken_away(prefix: str, tmp_path: Path):
    """What data-parallel training and the compiler add, in any order and repeated; a script's own only when told."""
    for owner in ("", "model.", "backbone."):
        names = {f"{prefix}{owner}{name}": value for name, value in STATE.items()}
        file = saved({"state_dict": names}, tmp_path / "a.pth")
        assert read_torch(file, max_values=MANY, owned=True).tensors.keys() == STATE.keys()
        assert read_torch(file, max_values=MANY).tensors.keys() == {f"{owner}{name}" for name in STATE}


@pytest.mark.parametrize("wrapper", ["state_dict_ema", "model_ema", "ema"])
def test_averages_are_found(wrapper: str, tmp_path: Path):
    """A running average under its usual names, and as torch's AveragedModel has it with the number of its models."""
    averaged = {**{f"module.{name}": value for name, value in STATE.items()}, "n_averaged": torch.tensor(3)}
    for document in (averaged, {wrapper: averaged}, {wrapper: STATE}, {"state_dict": {wrapper: averaged}}):
        assert read_torch(saved(document, tmp_path / "a.pth"), max_values=MANY).tensors.keys() == STATE.keys()


def test_what_lies_beside_the_weights_is_named(tmp_path: Path):
    """Counters, an optimizer's state and a second set of weights are dropped by name, the last as what it is."""
    document = {"epoch": 3, "arch": "lenet5", "optimizer": {"state": {}}, "state_dict_ema": STATE, "state_dict": STATE}
    read = read_torch(saved(document, tmp_path / "a.pth"), max_values=MANY)
    assert read.tensors.keys() == STATE.keys()
    told = dict.fromkeys(("epoch", "arch", "optimizer"), "not weights")
    assert read.beside == told | {"state_dict_ema": "other weights; those in state_dict are used"}
    averaged = {**{f"module.{name}": value for name, value in STATE.items()}, "n_averaged": torch.tensor(3)}
    assert read_torch(saved({"ema": averaged}, tmp_path / "a.pth"), max_values=MANY).beside.keys() == {"n_averaged"}


def test_what_training_scripts_keep_is_told(tmp_path: Path):
    """Their arguments and numpy's numbers are named as such, with what to save instead; code is told as code."""
    cases = {
        "argparse.Namespace among the tensors": argparse.Namespace(rate=1), "scalar among the tensors": np.float64(1),
        "_rebuild_sparse_tensor among the tensors": torch.ones(2).to_sparse(), "code that would run": os.system,
    }  # fmt: skip
    for words, value in cases.items():
        with pytest.raises(WeightsError, match=words) as told:
            read_torch(saved({"model": STATE, "args": value}, tmp_path / "a.pth"), max_values=MANY)
        assert "torch.save(model.state_dict(), FILE)" in str(told.value)


def test_copies_of_copies_are_refused(tmp_path: Path):
    """A pickle that copies a large thing over and over, of names that are all allowed, is not loaded."""
    backbone = b"\x80\x02](" + b"K\x01K\x02\x86" * 1000 + b"eq\x01c" + b"collections\nOrderedDict\nq\x02]q\x03("
    backbone += b"h\x02h\x01\x85R" * 100 + b"e."
    assert sum(operation.name == "REDUCE" for operation, *_ in pickletools.genops(backbone)) == 100
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/data.pkl", backbone)
    with pytest.raises(WeightsError, match="expands without limit"):
        read_torch(tmp_path / "a.pth", max_values=MANY)


def test_few_numbers_for_many_are_refused(tmp_path: Path):
    """A tensor that says one number over and over is as large as it says."""
    file = saved({"a": torch.zeros(1, 1).expand(10**4, 10**4)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="about as many values"):
        read_torch(file, max_values=MANY)


def test_packed_members_are_refused(tmp_path: Path):
    """torch's archive packed by another tool is an error: its numbers are taken from where they lie."""
    whole = zipfile.ZipFile(saved(STATE, tmp_path / "a.pth"))
    with whole, zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for member in whole.infolist():
            archive.writestr(member.filename, whole.read(member))
    with pytest.raises(WeightsError, match="compressed"):
        read_torch(tmp_path / "b.pth", max_values=MANY)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz"])
def test_files_that_are_none_are_told(suffix: str, tmp_path: Path):
    """A folder, an empty file, a pipe and a file of something else each give one line that says so."""
    made = {"a folder": "folder", "an empty file": "empty", "no regular file": "pipe", "": "text"}
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"empty{suffix}").touch()
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"text{suffix}").write_text("weights")
    reader = read_npz if suffix == ".npz" else read_torch
    for words, name in made.items():
        with pytest.raises(WeightsError, match=f"{words}.*Download or save the file again") as told:
            reader(tmp_path / f"{name}{suffix}", max_values=MANY)
        assert "\n" not in str(told.value)


def test_arrays_of_anything_else_are_refused(tmp_path: Path):
    """Texts, whole numbers, records, other members and damaged ones in an .npz are each one line."""
    for array in (np.array(["a"]), np.arange(3), np.zeros(2, dtype=[("a", "f4")]), np.zeros(2, np.complex64)):
        np.savez(tmp_path / "a.npz", cls=array)
        with pytest.raises(WeightsError, match="floating-point"):
            read_npz(tmp_path / "a.npz", max_values=MANY)
    with pytest.raises(WeightsError, match="magic"):
        read_npz(saved(STATE, tmp_path / "b.npz"), max_values=MANY)
    np.savez_compressed(tmp_path / "c.npz", cls=np.random.default_rng(0).normal(size=500).astype(np.float32))
    whole = (tmp_path / "c.npz").read_bytes()
    directory = whole.rindex(b"PK\x01\x02")
    damages = {
        "deflate": (120, b"\xff" * 60), "name": (directory + 46, b"\xff"), "flags": (directory + 8, b"\xff\xff"),
        "method": (directory + 10, b"\x63"),
    }  # fmt: skip
    for name, (place, data) in damages.items():
        (tmp_path / "d.npz").write_bytes(whole[:place] + data + whole[place + len(data) :])
        with pytest.raises(WeightsError) as told:
            read_npz(tmp_path / "d.npz", max_values=MANY)
        assert "\n" not in str(told.value), name


def test_arrays_of_no_networks_shape_are_left_for_the_error():
    """Kernels without axes, and queries, keys and values of different shapes, are kept by name and not put together."""
    attention = "Transformer/encoderblock_0/MultiHeadDotProductAttention_1"
    shapes = {
        "head/kernel": (), f"{attention}/query/kernel": (4, 2, 2), f"{attention}/key/kernel": (5, 2, 2),
        f"{attention}/value/kernel": (), f"{attention}/out/kernel": (3,),
    }  # fmt: skip
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    read = translate(arrays, find_entry("vit_b_16").known_to("jax").rules)
    assert "classifier.weight" in read and "blocks.0.attn.qkv.weight.query" in read
    assert "blocks.0.attn.qkv.weight" not in read


def test_headers_that_claim_too_much_are_refused(tmp_path: Path):
    """An array's claimed size is compared with its member before room is made."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (2**40, 2**40), "fortran_order": False, "descr": "<f4"})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("cls.npy", header.getvalue())
    with pytest.raises(WeightsError, match="1099511627776"):
        read_npz(tmp_path / "a.npz", max_values=MANY)
