"""CIFAR-10 and CIFAR-100 as published: the pickled files (data_batch_1 ..., or train and test) and the binary ones.

The pickles are read by an unpickler that knows arrays of bytes, strings, lists, dictionaries and numbers, and nothing
else: whatever would run code, or make something of another kind, is refused before it is made.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...config.data import ReadingConfig
from ...errors import DataError
from ...images.decode import Picture
from ...limits import MAX_ARRAY_BYTES
from ...system.pickle_bounds import check_pickle_work
from ..layout import Layout
from ..listing import Listing, file_status

SIDE = 32
PICTURE_BYTES = 3 * SIDE * SIDE
# Of each form: training files, test files, labels before each picture's bytes (the last one counts), names.
BINARY = {
    "cifar10": (tuple(f"data_batch_{n}.bin" for n in range(1, 6)), ("test_batch.bin",), 1, "batches.meta.txt"),
    "cifar100": (("train.bin",), ("test.bin",), 2, "fine_label_names.txt"),
}
# Of each form: training files, test files, the key of the labels, the file and key of the names.
PICKLED = {
    "cifar10": (
        tuple(f"data_batch_{n}" for n in range(1, 6)),
        ("test_batch",),
        "labels",
        "batches.meta",
        "label_names",
    ),
    "cifar100": (("train",), ("test",), "fine_labels", "meta", "fine_label_names"),
}


def finds(path: Path) -> bool:
    """Whether a folder holds one of the forms."""
    return path.is_dir() and bool(_binary_form(path) or _pickled_form(path))


def _binary_form(path: Path) -> str:
    return next((form for form, (train, *_, names) in BINARY.items() if _all_there(path, (*train[:1], names))), "")


def _pickled_form(path: Path) -> str:
    return next((form for form, (train, _, _, meta, _) in PICKLED.items() if _all_there(path, (*train[:1], meta))), "")


def _all_there(path: Path, names: tuple[str, ...]) -> bool:
    return all((path / name).is_file() for name in names)


def list_cifar(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of a folder with one of the forms; DataError for damaged files."""
    path = files[0]
    if not finds(path):
        raise DataError(
            "CIFAR files with data_batch_1 and batches.meta, or train and meta", found="other files",
            fix="Give the folder that contains them.",
        )  # fmt: skip
    if form := _binary_form(path):
        train, test, label_bytes, names_file = BINARY[form]
        names = _names(path / names_file)
        numbers = {name: _records(path / name, label_bytes)[:, label_bytes - 1] for name in _there(path, train, test)}
    else:
        train, test, key, meta, names_key = PICKLED[_pickled_form(path)]
        listed = load_plain_pickle(path / meta).get(names_key)
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise DataError(f"a list {names_key!r} in {meta!r}", found="none", fix="Download the file again.")
        names = tuple(listed)
        numbers = {}
        for name in _there(path, train, test):
            labels = load_plain_pickle(path / name).get(key)
            if not isinstance(labels, list) or not all(isinstance(label, int) and 0 <= label < 256 for label in labels):
                raise DataError(f"a list {key!r} in {name!r}", found="none", fix="Download the file again.")
            numbers[name] = np.array(labels)
    for name, labels in numbers.items():
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
            raise DataError(
                f"labels from 0 to {len(names) - 1} in {name!r}",
                found=str(labels.max()),
                fix="Download the file again.",
            )
    status = {name: file_status(path / name)[:2] for name in numbers}
    counts = {name: len(labels) for name, labels in numbers.items()}
    table = np.array(names, dtype=object)
    return Listing(
        path, repr(str(path)), [f"{name}#{row}" for name, count in counts.items() for row in range(count)],
        table[np.concatenate(list(numbers.values()))],
        [("test" if name in test else "train") for name, count in counts.items() for _ in range(count)],
        more={
            "inside": [str(row) for count in counts.values() for row in range(count)],
            "bytes": pa.array(np.repeat([status[name][0] for name in counts], list(counts.values()))),
            "mtime_ns": pa.array(np.repeat([status[name][1] for name in counts], list(counts.values()))),
        },
        declared=names,
    )  # fmt: skip


def _names(file: Path) -> tuple[str, ...]:
    try:
        return tuple(file.read_text(encoding="utf-8").split())
    except ValueError as error:
        raise DataError("class names", found=f"{file.name!r}: {error}", fix="Download it again.") from None


def _there(path: Path, train: tuple[str, ...], test: tuple[str, ...]) -> list[str]:
    return [name for name in (*train, *test) if (path / name).is_file()]


def _records(file: Path, label_bytes: int) -> np.ndarray:
    """(rows, labels and pixels) uint8, memory-mapped."""
    record, size = label_bytes + PICTURE_BYTES, file.stat().st_size
    if not size or size % record:
        raise DataError(f"records of {record} bytes in {file.name!r}", found=f"{size} bytes", fix="Download it again.")
    return np.memmap(file, dtype=np.uint8, mode="r").reshape(-1, record)


class CifarFile:
    """A batch in either form, by row."""

    def __init__(self, file: Path) -> None:
        if file.suffix == ".bin":
            label_bytes = 2 if file.name in ("train.bin", "test.bin") else 1
            self.pixels = _records(file, label_bytes)[:, label_bytes:]
        else:
            pixels = load_plain_pickle(file).get("data")
            if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != PICTURE_BYTES:
                raise DataError(
                    f"pixels (rows, {PICTURE_BYTES}) in {file.name!r}", found="none", fix="Download it again."
                )
            self.pixels = pixels

    def fetch(self, inside: str) -> Picture:
        """(32, 32, 3) uint8; there planes of red, green and blue come one after the other."""
        return self.pixels[int(inside)].reshape(3, SIDE, SIDE).transpose(1, 2, 0)

    def close(self) -> None:
        """Nothing is held open."""


class _Type:
    """Stands for numpy's dtype: bytes are the only one."""

    def __init__(self, word: Any = "", *_: Any) -> None:
        word = word.decode() if isinstance(word, bytes) else word
        if word not in ("u1", "|u1"):
            raise pickle.UnpicklingError(f"numbers of type {word!r}")

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like: of no meaning for bytes."""


class _Array:
    """Stands for numpy's array until its bytes are there."""

    def __init__(self, *_: Any) -> None:
        self.pixels = np.empty(0, dtype=np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_column, data = state
        data = data.encode("latin-1") if isinstance(data, str) else data
        is_shape = isinstance(shape, tuple) and len(shape) < 5 and all(isinstance(axis, int) for axis in shape)
        fits = is_shape and isinstance(data, bytes) and math.prod(shape) == len(data)
        if not isinstance(kind, _Type) or not fits:
            raise pickle.UnpicklingError("an array whose bytes don't fit its shape")
        self.pixels = np.frombuffer(data, dtype=np.uint8).reshape(shape, order="F" if by_column else "C")


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any, *_: Any) -> _Array:
    """What newer pickles of arrays call."""
    array = _Array()
    data = bytes(data) if isinstance(data, bytearray) else data  # of a number it would make so many zeros
    array.__setstate__((1, shape, kind, order == "F", data))
    return array


def _latin_bytes(text: str, encoding: str) -> bytes:
    """What newer pickles of old strings call: bytes written as text."""
    return text.encode("latin-1")


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _latin_bytes,
}
# What opcodes can make beside plain values: objects of any class, by other ways than the names above.
REFUSED = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER"}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return KNOWN[module, name]


def load_plain_pickle(file: Path) -> dict[str, Any]:
    """A pickled dictionary of plain values and arrays of bytes, keys as text; DataError for anything else in it."""
    try:
        if file.stat().st_size > MAX_ARRAY_BYTES:
            raise pickle.UnpicklingError(f"{file.stat().st_size:,} bytes")
        data = file.read_bytes()
        check_pickle_work(data)
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in REFUSED:
                raise pickle.UnpicklingError(f"it creates objects ({opcode.name})")
            if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > len(data):
                raise pickle.UnpicklingError("it would take more memory than it has bytes")
        document = _PlainUnpickler(io.BytesIO(data), encoding="latin-1").load()
        if not isinstance(document, dict):
            raise pickle.UnpicklingError("it is not a dictionary")
    except Exception as error:  # damaged pickles raise many types
        raise DataError(
            "a pickle of only arrays, strings, lists, dictionaries and numbers",
            found=f"{file.name!r}: {str(error)[:120] or type(error).__name__}",
            fix="Download it from its publisher.",
        ) from None
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): (
            value.pixels if isinstance(value, _Array) else value
        )
        for key, value in document.items()
    }


def is_batch(file: Path) -> bool:
    """Whether a file's name is one of those that hold pictures."""
    forms = [(train, test) for train, test, *_ in BINARY.values()] + [
        (train, test) for train, test, *_ in PICKLED.values()
    ]
    return any(file.name in (*train, *test) for train, test in forms)


LAYOUT = Layout("cifar", recognises=finds, lists=list_cifar, holds=is_batch, opens=CifarFile, takes_one=True)
