"""Arrays of pictures and of labels by name, in .npz and HDF5 files.

    x_train y_train x_test y_test                              Keras' mnist.npz and its like
    train_images train_labels val_images ...                   MedMNIST and others
    train_set_x train_set_y test_set_x test_set_y list_classes   the sign-language exercise

Which array is what is told by its name; --keys train_images=A train_labels=B says it outright. Pictures are
(N, H, W), (N, H, W, C) or (N, C, H, W); labels are numbers, names, or rows with a one for the class.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...config.data import ReadingConfig
from ...errors import DataError, MissingExtraError, PictaxaError, PictureError
from ...images.decode import Picture
from ...system.extras import need
from ..layout import Layout
from ..listing import SPLIT_NAMES, Listing, of_file, some

NPZ_SUFFIXES, HDF5_SUFFIXES = (".npz",), (".h5", ".hdf5", ".hdf")
USUAL = {
    "images": ("x", "images", "image", "data", "pictures"),
    "labels": ("y", "labels", "label", "targets", "target"),
}
CLASSES = ("list_classes", "classes", "class_names", "label_names", "names")
ROLES = (*USUAL, *(f"{split}_{kind}" for split in ("train", "val", "test") for kind in USUAL))
# An array that takes more memory than the first, from fewer bytes than a part of the second, is no set of pictures.
BOMB_BYTES, BOMB_PART = 2**28, 200
CHUNK = 1024  # pictures looked at together when their range is sought


def list_arrays(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of a file of arrays; DataError where arrays are absent, or don't fit each other."""
    file = files[0]
    with open_arrays(file) as arrays:
        keys = _keys(arrays, reading, file=file)
        names = _class_names(arrays, reading)
        columns: dict[str, list[pa.Array]] = {}
        for split in ("train", "val", "test", ""):
            if f"{split}:images" not in keys:
                continue
            images, labels = keys[f"{split}:images"], keys[f"{split}:labels"]
            count, values = len(arrays[images]), _labels(np.asarray(arrays[labels][()]), rows=len(arrays[images]))
            if len(values) != count:
                raise DataError(
                    f"as many labels as pictures, {count}",
                    found=f"{len(values)} in {labels!r}",
                    fix="Write the file again with one label per picture.",
                )
            inside = [f"{images}/{row}" for row in range(count)]
            part = {
                "path": pa.array([f"{file.name}#{place}" for place in inside]),
                "inside": pa.array(inside),
                "label": pa.array([_name(value, names) for value in values.tolist()], type=pa.string()),
                "split": pa.repeat(split, count),
            } | of_file(file, count)
            for name, column in part.items():
                columns.setdefault(name, []).append(column)
    joined = {name: pa.chunked_array(parts) for name, parts in columns.items()}
    told = ", ".join(f"{key!r} are the {role.replace(':', ' ').strip()}" for role, key in keys.items())
    return Listing(
        file.parent, file.name, joined.pop("path"), joined.pop("label"), joined.pop("split"), more=joined,
        declared=names, notes=(f"arrays: {told}",),
    )  # fmt: skip


def _keys(arrays: Arrays, reading: ReadingConfig, *, file: Path) -> dict[str, str]:
    """`split:images` and `split:labels` -> the array's name; DataError when there is none of either kind."""
    keys: dict[str, str] = {}
    for word in reading.keys:
        role, _, key = word.partition("=")
        if role == "classes":
            continue
        if role not in ROLES or key not in arrays.names:
            raise DataError(
                f"--keys ROLE=NAME with a role of {some(ROLES, at_most=8)} and an array of {file.name!r}",
                found=f"{word!r}; it has {some(arrays.names, at_most=12)}", fix="Use one of these roles and arrays.",
            )  # fmt: skip
        split, _, kind = role.rpartition("_")
        keys[f"{split}:{kind}"] = key
    if not keys:
        for key in arrays.names:
            words = [word for word in re.split(r"[^a-z0-9]+", key.casefold()) if word]
            split = next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")
            kind = next((kind for kind, usual in USUAL.items() if {*words} & {*usual}), "")
            if kind and f"{split}:{kind}" not in keys:
                keys[f"{split}:{kind}"] = key
    splits = {role.partition(":")[0] for role in keys}
    if not splits or not all(f"{split}:{kind}" in keys for split in splits for kind in USUAL):
        raise DataError(
            "arrays of pictures and their labels, such as x_train and y_train", found=some(arrays.names, at_most=12),
            fix="Use --keys train_images=A train_labels=B (or images= and labels=).",
        )  # fmt: skip
    return keys


def _class_names(arrays: Arrays, reading: ReadingConfig) -> tuple[str, ...]:
    asked = [word.partition("=")[2] for word in reading.keys if word.startswith("classes=")]
    found = [key for key in (*asked, *CLASSES) if key in arrays.names]
    if not found:
        return ()
    values = np.asarray(arrays[found[0]][()]).reshape(-1).tolist()
    return tuple(_text(value) for value in values)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _labels(values: np.ndarray, *, rows: int) -> np.ndarray:
    """(N,), (N, 1), (1, N) or one-hot (N, K) -> (N,)."""
    if values.ndim == 2 and 1 not in values.shape and len(values) == rows:
        return values.argmax(axis=1)
    return values.reshape(-1)


def _name(value: Any, names: tuple[str, ...]) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if names and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else ""
    return _text(value)


class Arrays:
    """A file's arrays by name, each with a length and reading by rows; nothing in it is run."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.is_zip = file.suffix.lower() in NPZ_SUFFIXES
        self.loaded: dict[str, Any] = {}
        try:
            if self.is_zip:
                self.inner: Any = np.load(file, allow_pickle=False)
                self.names = list(self.inner.files)
            else:
                self.inner = need("h5py", extra="hdf5").File(file, "r")
                self.names = _datasets(self.inner, self.inner)
        except MissingExtraError:
            raise
        except Exception as error:  # damaged files make their libraries raise many types
            raise self.damaged(error) from None

    def damaged(self, error: Exception) -> DataError:
        """What is said of a file that can't be read."""
        return DataError(
            "a file of arrays", found=f"{self.file.name!r}: {str(error)[:160]}", fix="Download or write it again."
        )

    def __getitem__(self, name: str) -> Any:
        """A numpy array, or an HDF5 data set that is read by its rows."""
        if name not in self.loaded:
            try:
                self._check_size(name)
                self.loaded[name] = self._unpacked(name) if self.is_zip else self.inner[name]
            except Exception as error:  # as above
                raise self.damaged(error) from None
        return self.loaded[name]

    def _unpacked(self, name: str) -> np.ndarray:
        """An array of a zip file, whose checksum is told only to who asks for more than the array."""
        with self.inner.zip.open(f"{name}.npy") as stream:
            array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
            if stream.read(1):
                raise ValueError(f"{name!r} is longer than it says")
        return array

    def _check_size(self, name: str) -> None:
        if self.is_zip:
            member = self.inner.zip.getinfo(f"{name}.npy")
            memory, stored = member.file_size, member.compress_size
        else:
            array = self.inner[name]
            memory, stored = array.nbytes, array.id.get_storage_size()
        if memory > max(BOMB_BYTES, BOMB_PART * stored):
            raise ValueError(f"{name!r} would take {memory:,} bytes")

    def close(self) -> None:
        """Let the file go."""
        self.inner.close()


def _datasets(file: Any, group: Any, prefix: str = "") -> list[str]:
    """Names of the arrays that lie in the file itself: links to other files are not followed."""
    h5py, names = need("h5py", extra="hdf5"), []
    for key in group:
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            continue
        item = group[key]
        if isinstance(item, h5py.Dataset) and item.external is None and not item.is_virtual:
            names.append(f"{prefix}{key}")
        elif isinstance(item, h5py.Group) and prefix.count("/") < 8:
            names += _datasets(file, item, f"{prefix}{key}/")
    return names


@contextmanager
def open_arrays(file: Path) -> Iterator[Arrays]:
    """A file's arrays, closed at the end."""
    arrays = Arrays(file)
    try:
        yield arrays
    except PictaxaError:
        raise
    except Exception as error:  # HDF5's data sets are read when they are asked for
        raise arrays.damaged(error) from None
    finally:
        arrays.close()


class ArrayFile:
    """A file of arrays that gives its pictures by NAME/ROW."""

    def __init__(self, file: Path) -> None:
        self.arrays = Arrays(file)
        self.scales: dict[str, float] = {}
        self.lock = threading.Lock()

    def fetch(self, inside: str) -> Picture:
        """(H, W) or (H, W, C) uint8; PictureError for numbers that are no picture's."""
        name, _, row = inside.rpartition("/")
        with self.lock:
            array = self.arrays[name]
            if name not in self.scales:
                self.scales[name] = _scale(array, name=name)
            pixels = np.asarray(array[int(row)])
        if pixels.dtype != np.uint8:
            pixels = np.rint(pixels * self.scales[name]).astype(np.uint8)
        if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3, 4):
            pixels = pixels.transpose(1, 2, 0)  # (C, H, W) -> (H, W, C)
        return pixels

    def close(self) -> None:
        """Let the file go."""
        self.arrays.close()


def _scale(array: Any, *, name: str) -> float:
    """What an array's numbers are multiplied by to lie in [0, 255]; PictureError where no number does that."""
    if array.dtype == np.uint8:
        return 1.0
    if array.dtype.kind not in "iufb":
        raise PictureError(name, f"not pictures: values of type {array.dtype}")
    low, high = 0.0, 0.0
    for start in range(0, len(array), CHUNK):
        part = np.asarray(array[start : start + CHUNK])
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    if not (low >= 0 and high <= 255):
        raise PictureError(name, f"not pictures: numbers from {low:g} to {high:g} instead of 0 to 1 or 0 to 255")
    return 255.0 if high <= 1 else 1.0


def is_arrays(file: Path) -> bool:
    """Whether a file is one of arrays by its name."""
    return file.suffix.lower() in (*NPZ_SUFFIXES, *HDF5_SUFFIXES)


LAYOUT = Layout(
    "arrays", recognises=lambda place: place.is_file() and is_arrays(place), lists=list_arrays, holds=is_arrays,
    opens=ArrayFile,
)  # fmt: skip
