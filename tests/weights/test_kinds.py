from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch

from pictaxa.cli.main import main
from pictaxa.errors import WeightsError
from pictaxa.models.zoo import create_model
from pictaxa.weights.kinds import check_kind, is_of_tensorflow
from pictaxa.weights.loading import load_weights

STARTS = {
    "Git LFS pointer.*git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    "a web page": b"\n<!DOCTYPE html><html></html>",
    "TFLite": b"\x1c\x00\x00\x00TFL3" + bytes(64),
    "an ONNX model": b"\x08\x08\x12\x07pytorch" + bytes(64),
    "a packed file.*Unpack": b"\x1f\x8b\x08" + bytes(64),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(64),
}


@pytest.mark.parametrize("words", STARTS)
@pytest.mark.parametrize("suffix", [".pth", ".bin"])
def test_files_are_named_for_what_they_are(words: str, suffix: str, tmp_path: Path):
    """In one line, with what to do instead."""
    file = tmp_path / f"a{suffix}"
    file.write_bytes(STARTS[words])
    with pytest.raises(WeightsError, match=words) as told:
        load_weights(create_model("lenet5", 3), file, source="torchvision")
    assert "\n" not in str(told.value)


def test_suffixes_of_exported_models_are_known(tmp_path: Path):
    """An ONNX file, a SavedModel and its folder, TorchScript, and an index of several files."""
    (tmp_path / "a.onnx").write_bytes(bytes(10))
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(bytes(10))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(
        json.dumps({"metadata": {}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    )
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:  # as torch.jit.save writes it
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py", "version"):
            archive.writestr(f"script/{name}", "")
    cases = {
        "an ONNX model": tmp_path / "a.onnx", "SavedModel": folder, "a SavedModel": folder / "saved_model.pb",
        "TorchScript": tmp_path / "script.pt", "model-1.safetensors, model-2.safetensors": index,
    }  # fmt: skip
    for words, file in cases.items():
        with pytest.raises(WeightsError, match=words) as told:
            load_weights(create_model("lenet5", 3), file, source="torchvision")
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("given", ["w/a.ckpt", "w/a.ckpt.index", "w/a.ckpt.data-00000-of-00001", "w/checkpoint", "w"])
def test_checkpoints_of_tensorflow_are_named(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By the name that their files share, any of them or their folder: in one line, with what to do, everywhere."""
    (tmp_path / "w").mkdir()
    for name in ("checkpoint", "a.ckpt.index", "a.ckpt.data-00000-of-00001"):
        (tmp_path / "w" / name).write_bytes(b"a" * 64)
    place = str(tmp_path / given)
    convert = ["weights", "convert", place, "--source", "keras", "--model", "lenet5", "--normalization", "0-1"]
    for words in (
        [*convert, "--out", str(tmp_path / "o.safetensors")],
        ["train", str(tmp_path), "--weights", place, "--model", "lenet5", "--source", "keras"],
    ):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "a checkpoint of TensorFlow" in said and "model.load_weights('a.ckpt')" in said and said.count("\n") == 1
    with pytest.raises(WeightsError, match="a checkpoint of TensorFlow"):
        load_weights(create_model("lenet5", 3), place, source="keras", normalization="0-1")


def test_a_checkpoint_of_a_trainer_is_none_of_tensorflow(tmp_path: Path):
    """The suffix .ckpt alone says nothing; nor does a name beside which there is no index."""
    torch.save({"a": torch.ones(2)}, tmp_path / "a.ckpt")
    check_kind(tmp_path / "a.ckpt")
    assert not is_of_tensorflow(tmp_path / "a.ckpt") and not is_of_tensorflow(tmp_path / "b.ckpt")
    assert not is_of_tensorflow(tmp_path)


def test_weights_are_no_other_kind(tmp_path: Path):
    """A file of torch.save passes, in both of its formats."""
    for zipped in (True, False):
        torch.save({"a": torch.ones(2)}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
        check_kind(tmp_path / "a.pth")
