"""Reads torch and numpy files as names and tensors, without running anything in them.

Pickles are read by torch's reader that knows tensors and nothing else, after a look at what they name, and nothing is
unpacked that is much larger than the model it is for.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors.torch import load_file

from ..errors import PictaxaError, WeightsError, one_line
from ..system.pickle_bounds import check_pickle_work


def refusal(path: Path, expected: str, *, found: str, fix: str = "Download or save the file again.") -> WeightsError:
    """The error for a file that can't be read."""
    return WeightsError(expected, found=f"{str(path)!r}: {one_line(found)}", fix=fix)


@contextmanager
def reading(path: Path, expected: str, *, most_bytes: int) -> Iterator[None]:
    """Whatever goes wrong with a file's content is a WeightsError; too little memory stays what it is.

    Sizes are therefore compared before anything of a size that a file claims is made, its own to begin with.
    """
    if not path.is_file() or not path.stat().st_size:  # a pipe would be waited for
        found = "a folder" if path.is_dir() else "an empty file" if path.is_file() else "no regular file"
        raise refusal(path, expected, found=found)
    _check_bytes(path, path.stat().st_size, most_bytes=most_bytes, word="in it")
    try:
        yield
    except (PictaxaError, MemoryError):
        raise
    except Exception as error:  # pickle, zip, HDF5 and torch have dozens of their own
        raise refusal(path, expected, found=str(error)[:200] or type(error).__name__) from None


def _check_bytes(path: Path, size: int, *, most_bytes: int, word: str) -> None:
    if size > most_bytes:
        raise refusal(
            path,
            f"at most {most_bytes // 2**20:,} MiB of weights for this model",
            found=f"{size // 2**20:,} MiB {word}",
            fix="Check the name of the model, and don't use the file unless you trust its source.",
        )


def check_zip(path: Path, *, most_bytes: int) -> list[zipfile.ZipInfo]:
    """The members of an archive; WeightsError when it would unpack to more than `most_bytes`."""
    with reading(path, "a whole archive", most_bytes=most_bytes), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    _check_bytes(path, sum(member.file_size for member in members), most_bytes=most_bytes, word="when unpacked")
    return members


# Under which name a training script puts the weights beside its optimizer and counters.
_WRAPPERS = (
    "state_dict", "model_state_dict", "model", "net", "ema_state_dict", "state_dict_ema", "model_ema", "ema",
)  # fmt: skip
# What data-parallel training and the compiler put before every name.
_PREFIXES = ("module.", "_orig_mod.")
# What a training script calls the model within its own.
_OWNERS = ("model.", "net.", "network.", "backbone.")
_DEEPEST = 3  # wrappers within wrappers


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors by name, and the reason why anything else in it is not used."""

    tensors: dict[str, torch.Tensor]
    beside: dict[str, str] = field(default_factory=dict)


def read_torch(path: Path, *, max_values: int, owned: bool = False) -> Checkpoint:
    """A `.safetensors` file, or a `.pth` file through torch's reader that knows tensors and nothing else.

    With `owned` a word such as `model.` before all names, a training script's own for the model, is taken away too.
    """
    prefixes = (*_PREFIXES, *_OWNERS) if owned else _PREFIXES
    most_bytes = 8 * max_values
    if path.suffix.lower() == ".safetensors":
        with reading(path, "a whole safetensors file", most_bytes=most_bytes):
            return Checkpoint(_without_prefixes(load_file(path), prefixes))
    with reading(path, "a file of tensors", most_bytes=most_bytes):
        zipped = zipfile.is_zipfile(path)
        if zipped and any(member.compress_type for member in check_zip(path, most_bytes=most_bytes)):
            raise ValueError("compressed members, which torch never writes")  # they would be mapped as numbers
        _check_pickles(path, zipped=zipped)
        with warnings.catch_warnings(action="ignore"):  # of pickles of other versions, which it reads or refuses
            document = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    found = _unwrapped(document, depth=0)
    if found is None:
        keys = ", ".join(map(str, document)) if isinstance(document, dict) else type(document).__name__
        raise refusal(
            path,
            "tensors by name, or a dictionary with them as " + " or ".join(_WRAPPERS[:3]),
            found=keys[:200] or "an empty dictionary",
            fix=_ALONE,
        )
    if sum(value.numel() for value in found.tensors.values()) > max_values:  # a few numbers can stand for any many
        raise refusal(path, "about as many values as the model has", found="more", fix="Check the model's name.")
    return Checkpoint(_without_prefixes(found.tensors, prefixes), found.beside)


_ALONE = "Save the weights alone: torch.save(model.state_dict(), FILE)."
_MAX_PICKLED = 2**21  # bytes of names and shapes; a network of 500 tensors has 50,000
_MAX_COPIES = 8  # of what a pickle has made, each as large as all of it; a state dict copies its metadata
_COPYING = re.compile(r"collections (OrderedDict|Counter)|(builtins|__builtin__) set|torch Size")
# What a state dict and the counters beside it name, and what any object needs, which torch's reader refuses by itself.
# More than these it lets make memory of any size.
_PLAIN = re.compile(
    rf"{_COPYING.pattern}|torch (device|b?float\d+|u?int\d+|\w+Storage)"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)|copy_?reg _reconstructor|(builtins|__builtin__) object"
)
# What a training script keeps beside the weights, and tensors of other kinds.
_BESIDE = re.compile(
    r"(argparse|pathlib|datetime|collections|omegaconf|yacs|easydict)\b.*|numpy\S* (scalar|dtype|ndarray|_reconstruct)"
    r"|numpy\.dtypes .*|torch\S* (_rebuild_\w+|_get_layout|per_\w+|\w*Tensor|\w*Storage|Parameter)|_codecs encode"
    r"|(builtins|__builtin__) (bytearray|complex)"
)


def _check_pickles(path: Path, *, zipped: bool) -> None:
    """WeightsError when a pickle names anything but plain tensors, before it is loaded."""
    if zipped:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".pkl"):
                    with archive.open(member) as stream:
                        _check_pickle(path, io.BytesIO(stream.read(_MAX_PICKLED)))
    else:
        with path.open("rb") as stream:
            start = io.BytesIO(stream.read(_MAX_PICKLED))
        for _ in range(5):  # a magic number, a version, the system's sizes, the document, its storages; then numbers
            _check_pickle(path, start)


def _check_pickle(path: Path, stream: io.BytesIO) -> None:
    """The next pickle of a stream, which is left behind it."""
    check_pickle_work(stream.getvalue()[stream.tell() :])
    used = list(_used(stream))
    others = [word for word in used if " " in word and not _PLAIN.fullmatch(word)]
    code = [name for name in others if not _BESIDE.fullmatch(name)]
    if others:
        name = (code or others)[0].replace(" ", ".")
        raise refusal(
            path, "a file of tensors", found=f"code that would run ({name})" if code else f"{name} among the tensors",
            fix=f"Nothing was run. {_ALONE}",
        )  # fmt: skip
    made = sum(_COPYING.fullmatch(word) is not None and then != "EMPTY_TUPLE" for word, then in pairwise(used))
    if made + used.count("BUILD") > _MAX_COPIES:
        raise refusal(path, "a file of tensors", found="a pickle that expands without limit", fix=_ALONE)


def _used(stream: IO[bytes]) -> Iterator[str]:
    """A pickle's operations by name, "module name" for what brings a global, once made or remembered."""
    remembered: dict[object, str] = {}
    texts, last = ["", ""], ""
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name.endswith("PUT"):
            remembered[argument] = last
            continue
        last = operation.name
        if last in ("GLOBAL", "INST"):
            last = str(argument)
        elif last == "STACK_GLOBAL":  # torch's reader knows none
            last = " ".join(texts)
        elif last.endswith("GET"):
            last = remembered.get(argument, "")
        elif isinstance(argument, str):
            texts = [texts[1], argument]
        yield last


def _unwrapped(document: Any, *, depth: int) -> Checkpoint | None:
    """The first dictionary of tensors alone, the document itself or under a wrapper's name."""
    if not isinstance(document, dict) or depth > _DEEPEST:
        return None
    tensors = {str(name): value for name, value in document.items() if isinstance(value, torch.Tensor)}
    if tensors and len(tensors) == len(document):
        if "n_averaged" in tensors and all(name.startswith(_PREFIXES) for name in tensors if name != "n_averaged"):
            del tensors["n_averaged"]  # of torch's AveragedModel
            return Checkpoint(tensors, {"n_averaged": "how many models were averaged"})
        return Checkpoint(tensors)
    inner = {key: _unwrapped(document[key], depth=depth + 1) for key in _WRAPPERS if key in document}
    for key, found in inner.items():
        if found and found.tensors:
            others = f"other weights; those in {key} are used"
            beside = {str(name): others if inner.get(name) else "not weights" for name in document if name != key}
            return Checkpoint(found.tensors, found.beside | beside)
    return None


def _without_prefixes(tensors: dict[str, torch.Tensor], prefixes: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Without what stands before all names, one prefix after the other in any order."""
    while True:
        common = [prefix for prefix in prefixes if all(name.startswith(prefix) for name in tensors)]
        if not tensors or not common:
            return tensors
        tensors = {name.removeprefix(common[0]): value for name, value in tensors.items()}


def read_npz(path: Path, *, max_values: int) -> dict[str, np.ndarray]:
    """A `.npz` file's arrays; WeightsError for anything in it but floating-point numbers, pickled objects included."""
    most_bytes = 8 * max_values
    members = check_zip(path, most_bytes=most_bytes)
    arrays: dict[str, np.ndarray] = {}
    with reading(path, "a file of arrays", most_bytes=most_bytes), zipfile.ZipFile(path) as archive:
        for member in members:
            with archive.open(member) as stream:
                _check_header(path, stream, member)
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def _check_header(path: Path, stream: IO[bytes], member: zipfile.ZipInfo) -> None:
    """WeightsError unless an array's header tells of floating-point numbers that are there."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    shape, _, dtype = readers[version](stream)
    size = np.prod(shape, dtype=object) * dtype.itemsize  # as large as it claims: no overflow
    if dtype.kind != "f" or dtype.itemsize > 8 or size > member.file_size:
        raise refusal(
            path, "a file of arrays of floating-point numbers", found=f"{shape} of {dtype} at {member.filename}",
            fix="Save only the numbers: numpy.savez(FILE, **arrays)." if dtype.kind != "f" else
            "Download or save the file again.",
        )  # fmt: skip
