from __future__ import annotations

import argparse
import io
import os
import pickletools
import sys
import zipfile
from collections import OrderedDict, defaultdict, deque
from datetime import datetime
from functools import partial
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


@pytest.mark.parametrize("wrapper", ["state_dict_ema", "model_ema", "ema"])
def test_averages_are_found(wrapper: str, tmp_path: Path):
    """A running average under its usual names, where a file has nothing else."""
    for document in ({wrapper: STATE}, {"state_dict": {wrapper: STATE}}, {wrapper: {"model": STATE}, "epoch": 3}):
        assert read_torch(saved(document, tmp_path / "a.pth"), max_values=MANY).tensors.keys() == STATE.keys()


def test_dictionaries_without_a_known_name_are_joined(tmp_path: Path):
    """Their names stand before those of their tensors; one that holds itself is read once."""
    document = {"teacher": {"net": STATE}, "student": {**STATE}, "epoch": 3}
    read = read_torch(saved(document, tmp_path / "a.pth"), max_values=MANY)
    assert read.tensors.keys() == {f"{part}.{name}" for part in ("teacher.net", "student") for name in STATE}
    assert read.beside == {"epoch": "not weights"}
    circle: dict[str, object] = dict(STATE)
    circle["again"] = circle
    assert read_torch(saved(circle, tmp_path / "a.pth"), max_values=MANY).tensors.keys() == STATE.keys()
    with pytest.raises(WeightsError, match="two named"):
        read_torch(saved({"a": {"b": STATE["a.bias"]}, "a.b": STATE["a.bias"]}, tmp_path / "a.pth"), max_values=MANY)


def test_what_lies_beside_the_weights_is_named(tmp_path: Path):
    """Counters, an optimizer's state and a second set of weights are dropped by name, the last as what it is."""
    document = {"epoch": 3, "arch": "lenet5", "optimizer": {"state": {}}, "state_dict_ema": STATE, "state_dict": STATE}
    read = read_torch(saved(document, tmp_path / "a.pth"), max_values=MANY)
    assert read.tensors.keys() == STATE.keys()
    told = dict.fromkeys(("epoch", "arch", "optimizer"), "not weights")
    assert read.beside == told | {"state_dict_ema": "other weights; those in state_dict are used"}


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_scripts_keep_is_read_without_its_code(zipped: bool, tmp_path: Path):
    """Their arguments, numpy's numbers and arrays, and containers beside the weights are replaced by nothing."""
    values = [
        argparse.Namespace(rate=1, place=Path("a")), np.float64(1), np.arange(1000), np.random.get_state(), {1, 2},
        defaultdict(list, {"a": [1]}), deque([1, 2]), partial(torch.optim.Adam, lr=1), datetime(2020, 1, 1),
        b"abc" * 99, np.dtype("f4"), np.float32, slice(1), torch.__version__, OrderedDict(a=1),
    ]  # fmt: skip
    before = torch.serialization.get_safe_globals()
    for value in values:
        file = saved({"model": STATE, "args": [value, value]}, tmp_path / "a.pth", zipped=zipped)
        read = read_torch(file, max_values=MANY)
        assert read.beside == {"args": "not weights"}
        assert all(torch.equal(read.tensors[name], STATE[name]) for name in STATE)
    assert {*torch.serialization.get_safe_globals()} == {*before}


def test_no_module_of_what_is_kept_is_imported(tmp_path: Path):
    """The types of a library that isn't installed are read all the same, also where they are filled as containers."""
    pickled = {
        "objects": b"comegaconf.dictconfig\nDictConfig\n)\x81}(U\x01aK\x01ub",
        "dictionaries": b"ceasydict\nEasyDict\n)\x81(U\x01aK\x01u",
        "lists": b"cmmengine.lists\nItems\n)\x81(K\x01K\x02e",
    }
    for name, body in pickled.items():
        with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
            archive.writestr("a/data.pkl", b"\x80\x02}(X\x01\x00\x00\x00a" + body + b"u.")
            archive.writestr("a/version", "3\n")
            archive.writestr("a/byteorder", "little")
        with pytest.raises(WeightsError, match="tensors by name"):  # there are none, but it was read
            read_torch(tmp_path / "a.pth", max_values=MANY)
        assert not {"omegaconf", "easydict", "mmengine"} & sys.modules.keys(), name


def test_code_beside_the_weights_is_refused(tmp_path: Path):
    """Functions, tensors of other kinds and whole models are named, with what to save instead."""
    cases = {
        r"code that would run \((posix|nt).system": os.system, r"code that would run \(builtins.eval": eval,
        "_rebuild_sparse_tensor among the tensors": torch.ones(2).to_sparse(),
        "code that would run .*getattr": getattr, "bytearray": bytearray(10),
        "code that would run .*Own": Own(), "code that would run .*system": partial(os.system, "true"),
    }  # fmt: skip
    for words, value in cases.items():
        with pytest.raises(WeightsError, match=words) as told:
            read_torch(saved({"model": STATE, "args": value}, tmp_path / "a.pth"), max_values=MANY)
        assert "torch.save(model.state_dict(), FILE)" in str(told.value)
    for model in (torch.nn.Sequential(torch.nn.Linear(2, 2)), OwnNetwork()):
        with pytest.raises(WeightsError, match="a whole pickled model"):
            read_torch(saved(model, tmp_path / "a.pth"), max_values=MANY)


class Own:
    """Of a script's own."""


class OwnNetwork(torch.nn.Module):
    """The same, with a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)


def test_bytes_are_made_of_no_text_twice(tmp_path: Path):
    """A long text that becomes bytes over and over would take memory without end."""
    text = b"X" + (100_000).to_bytes(4, "little") + b"a" * 100_000
    body = b"\x80\x02](" + text + b"q\x01X\x06\x00\x00\x00latin1q\x02"
    body += b"c_codecs\nencode\nh\x01h\x02\x86R" * 1000 + b"e."
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/data.pkl", body)
    with pytest.raises(WeightsError, match="a text of their own"):
        read_torch(tmp_path / "a.pth", max_values=MANY)


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
