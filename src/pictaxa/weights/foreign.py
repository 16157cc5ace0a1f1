"""Reads torch and numpy files as names and tensors, without running anything in them.

Pickles are read by torch's reader that knows tensors and nothing else, after a look at what they name (pickles.py), and
nothing is unpacked that is much larger than the model it is for.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors.torch import load_file

from ..errors import PictaxaError, WeightsError, one_line
from .pickles import ALONE, MAX_PICKLED, StandIn, check_pickle, is_object


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


# Under which name a training script puts the weights beside its optimizer and counters, and their running average.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
_AVERAGES = ("ema_state_dict", "state_dict_ema", "model_ema", "ema")
_MAX_CHARACTERS = 2**23  # in all names; those of 5,000 tensors and their optimizer have a tenth of it
_DEEPEST = 4  # dictionaries within dictionaries


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors by name, and the reason why anything else in it is not used."""

    tensors: dict[str, torch.Tensor]
    beside: dict[str, str] = field(default_factory=dict)


def read_torch(path: Path, *, max_values: int) -> Checkpoint:
    """A `.safetensors` file, or a `.pth` file through torch's reader that knows tensors and nothing else.

    Tensors of dictionaries within others have the names of both, as in `teacher.conv1.weight`.
    """
    most_bytes = 8 * max_values
    if path.suffix.lower() == ".safetensors":
        with reading(path, "a whole safetensors file", most_bytes=most_bytes):
            return Checkpoint(load_file(path))
    with reading(path, "a file of tensors", most_bytes=most_bytes):
        zipped = zipfile.is_zipfile(path)
        if zipped and any(member.compress_type for member in check_zip(path, most_bytes=most_bytes)):
            raise ValueError("compressed members, which torch never writes")  # they would be mapped as numbers
        stand_ins = _check_pickles(path, zipped=zipped)
        # It warns of pickles of other versions, which it reads or refuses.
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals([*stand_ins]):
            document = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    found = _unwrapped(document, depth=0)
    if found is None:
        keys = ", ".join(map(str, document)) if isinstance(document, dict) else type(document).__name__
        keys = "a whole pickled model, which is code" if is_object(document) else keys
        raise refusal(
            path,
            "tensors by name, or a dictionary with them as " + " or ".join(_WRAPPERS[:3]),
            found=keys[:200] or "an empty dictionary",
            fix=ALONE,
        )
    # A few numbers can stand for any many. Four bytes each, as most are, are twice as many as eight.
    if sum(value.numel() for value in found.tensors.values()) > 2 * max_values:
        raise refusal(path, "about as many values as the model has", found="more", fix="Check the model's name.")
    return found


def _check_pickles(path: Path, *, zipped: bool) -> set[StandIn]:
    """What stands in for the types that a file names beside tensors; WeightsError when it names code."""

    def refused(found: str, fix: str) -> WeightsError:
        return refusal(path, "a file of tensors", found=found, fix=fix)

    stand_ins: set[StandIn] = set()
    if zipped:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".pkl"):
                    with archive.open(member) as stream:
                        stand_ins |= check_pickle(io.BytesIO(stream.read(MAX_PICKLED)), refused)
        return stand_ins
    with path.open("rb") as stream:
        start = io.BytesIO(stream.read(MAX_PICKLED))
    for _ in range(5):  # a magic number, a version, the system's sizes, the document, its storages; then numbers
        stand_ins |= check_pickle(start, refused)
    return stand_ins


def _unwrapped(document: Any, *, depth: int) -> Checkpoint | None:
    """The tensors of a document, by name: itself, or what is under the name of a wrapper.

    Where several could be meant, none is chosen here: all tensors are given, and the model's names decide.
    """
    if not isinstance(document, dict) or depth > _DEEPEST:
        return None
    inner = {
        key: found
        for key in (*_WRAPPERS, *_AVERAGES)
        if (found := _unwrapped(document.get(key), depth=depth + 1)) and found.tensors
    }
    plain = [key for key in inner if key in _WRAPPERS] or [*inner]
    if len(plain) == 1:
        key = plain[0]
        others = f"other weights; those in {key} are used"
        beside = {str(name): others if inner.get(name) else "not weights" for name in document if name != key}
        return Checkpoint(inner[key].tensors, inner[key].beside | beside)
    tensors, beside = _flattened(document)
    return Checkpoint(tensors, beside) if tensors else None


def _flattened(document: dict[Any, Any]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """All tensors of dictionaries within dictionaries, and the names of what has none."""
    tensors: dict[str, torch.Tensor] = {}
    beside: dict[str, str] = {}
    characters = 0
    seen: set[int] = set()  # a dictionary may be in many, itself among them

    def walk(part: dict[Any, Any], before: str, depth: int) -> None:
        nonlocal characters
        seen.add(id(part))
        for key, value in part.items():
            name = f"{before}{key if isinstance(key, (str, int)) else type(key).__name__}"
            characters += len(name)
            if characters > _MAX_CHARACTERS:
                raise WeightsError("names of a network's tensors", found="names without end", fix=ALONE)
            if isinstance(value, torch.Tensor):
                if name in tensors:
                    raise WeightsError("one tensor per name", found=f"two named {name[:80]}", fix=ALONE)
                tensors[name] = value
            elif isinstance(value, dict) and value and depth < _DEEPEST and id(value) not in seen:
                walk(value, f"{name}.", depth + 1)
            elif not before:
                beside[name] = "not weights"

    walk(document, "", 0)
    return tensors, beside


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
