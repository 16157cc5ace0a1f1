"""What kind of file something is, by its first bytes: files that hold no weights that can be read are named for what
they are, with what to do instead.
"""

from __future__ import annotations

import glob
import json
import re
import zipfile
from collections.abc import Collection
from pathlib import Path

from ..errors import WeightsError

_START = 4096  # bytes that are looked at
_STATE = "save the weights alone: torch.save(model.state_dict(), FILE)"
# TensorFlow's checkpoints are two files or more, NAME.index and NAME.data-00000-of-00001; `checkpoint` names the last.
_SHARD = re.compile(r"(.+)\.(index|data-\d{5}-of-\d{5})")
_TENSORFLOW = "a checkpoint of TensorFlow (an index and data files), which only TensorFlow reads"
_BY_TENSORFLOW = (
    "in the TensorFlow that wrote it load it into its Keras model and save that: "
    "model.load_weights({name!r}), model.save_weights('model.h5'); then use that file with --source keras"
)
# The beginning of a protobuf of ONNX: its version, then its producer, domain, graph or imports.
_ONNX = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x22\x3a\x42]", re.DOTALL)


def check_kind(path: Path) -> None:
    """WeightsError that names a file for what it is, where that is no file of weights.

    Args:
        path: a file or folder, or the name that the files of a TensorFlow checkpoint begin with.

    Raises:
        WeightsError: it is a Git LFS pointer, a web page, a TorchScript archive, a SavedModel, a checkpoint of
            TensorFlow, an ONNX or TFLite model, an index of sharded files, or something packed.

    Example:
        check_kind(Path("resnet50.pth"))
    """
    found, fix = _kind(path)
    if found:
        raise WeightsError("a file of weights", found=f"{str(path)!r}, {found}", fix=f"{fix[0].upper()}{fix[1:]}.")


def is_of_tensorflow(path: Path) -> bool:
    """Whether a path is TensorFlow's own: a SavedModel or checkpoint, its folder, or the name that its files share."""
    if path.is_dir():
        names = [entry.name for entry in path.iterdir()]
        return bool({"saved_model.pb", "saved_model.pbtxt"} & {*names}) or _checkpoint_in(names) != ""
    return path.name == "saved_model.pb" or _checkpoint_of(path) != ""


def _checkpoint_in(names: Collection[str]) -> str:
    """The name that the files of a checkpoint begin with, the last of those in a folder; "" where there is none."""
    found = {match[1] for name in names if (match := _SHARD.fullmatch(name))}
    return max((name for name in found if f"{name}.index" in names), default="")


def _checkpoint_of(path: Path) -> str:
    """The name that the files of a checkpoint begin with, for one of its files or that name itself."""
    match = _SHARD.fullmatch(path.name)
    name = match[1] if match else path.name
    there = path.with_name(f"{name}.index").is_file() and any(path.parent.glob(f"{glob.escape(name)}.data-*-of-*"))
    if path.name == "checkpoint" and path.is_file():
        return _checkpoint_in([entry.name for entry in path.parent.iterdir()])
    return name if there and (match or not path.exists()) else ""


def _kind(path: Path) -> tuple[str, str]:
    """What it is, and what to do; nothing for what may be weights."""
    if path.is_dir():
        return _kind_of_folder(path)
    if checkpoint := _checkpoint_of(path):
        return _TENSORFLOW, _BY_TENSORFLOW.format(name=checkpoint)
    if not path.is_file():
        return "", ""
    with path.open("rb") as file:
        start = file.read(_START)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    exported = "an exported model without the names of its layers"
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer, not the file itself", "fetch it with git lfs pull, or download it from its page"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page, not the file itself", "download the file again from its direct address"
    if text.startswith(b"{") and path.suffix.lower() != ".safetensors":
        return _kind_of_json(path, text)
    if start[4:8] == b"TFL3":
        return f"a TFLite model: {exported}", "use the Keras model that it was converted from, with --source keras"
    if path.name == "saved_model.pb":
        return _kind_of_folder(path.parent)
    if path.suffix.lower() == ".onnx" or (_ONNX.match(start) and path.suffix.lower() not in (".h5", ".npz")):
        return f"an ONNX model: {exported}", f"go back to the model that it was exported from and {_STATE}"
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")):
        return "a packed file", "unpack it, and give the file of weights in it"
    if start.startswith(b"\x89HDF\r\n") and path.suffix.lower() not in (".h5", ".hdf5"):
        return "an HDF5 file, as Keras writes them", "end its name in .h5 or .weights.h5 and use --source keras"
    if start.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    return "", ""


def _kind_of_folder(path: Path) -> tuple[str, str]:
    if any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return (
            "a SavedModel of TensorFlow",
            "save it with Keras as one file: keras.models.load_model(FOLDER).save('model.keras')",
        )
    if checkpoint := _checkpoint_in([entry.name for entry in path.iterdir()]):
        return _TENSORFLOW, _BY_TENSORFLOW.format(name=checkpoint)
    files = sorted(p.name for p in path.iterdir() if p.suffix.lower() in (".safetensors", ".bin", ".pth", ".pt"))
    return "a folder", f"give the file in it: {', '.join(files[:3])}" if files else "give a file of weights"


def _kind_of_json(path: Path, text: bytes) -> tuple[str, str]:
    if b'"weight_map"' not in text and not path.name.endswith(".index.json"):
        return "a text file of JSON", "give the file of weights beside it"
    names: list[str] = []
    try:
        if path.stat().st_size < 2**24:
            names = sorted({str(name) for name in json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()})
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        pass
    which = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    return (
        f"an index of weights in several files{which}",
        "put them into one: safetensors.torch.save_file({**load_file(A), **load_file(B)}, 'model.safetensors')",
    )


def _kind_of_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # the last of a packing it does not know
        return "", ""  # whoever reads it tells what is damaged
    inner = [name.partition("/")[2] for name in names]
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return (
            "a TorchScript archive, which is code",
            "nothing was run; if you trust it, save its weights: torch.save(torch.jit.load(FILE).state_dict(), NEW)",
        )
    if path.suffix.lower() == ".safetensors":
        return "a file of torch.save", "end its name in .pth"
    if any(name.endswith("saved_model.pb") for name in names):
        return "a packed SavedModel of TensorFlow", "unpack it and save the model as one file with Keras"
    return "", ""
