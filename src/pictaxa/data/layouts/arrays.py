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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...config.data import ReadingConfig
from ...errors import DataError, PictureError, Problem, ProblemKind
from ...images.decode import Picture
from ..array_files import HDF5_SUFFIXES, NPZ_SUFFIXES, Arrays, open_arrays
from ..layout import Layout, common_folder, split_of_file, told_from
from ..listing import Listing, of_file, some
from ..split_names import split_of_name

USUAL = {
    "images": ("x", "images", "image", "data", "pictures"),
    "labels": ("y", "labels", "label", "targets", "target"),
}
CLASSES = ("list_classes", "classes", "class_names", "label_names", "names")
ROLES = (*USUAL, *(f"{split}_{kind}" for split in ("train", "val", "test") for kind in USUAL))
CHUNK = 1024  # pictures looked at together when their range is sought


@dataclass(frozen=True)
class Part:
    """Pictures and labels of one split in one file."""

    file: Path
    split: str
    images: str  # the arrays' names
    rows: int
    labels: list[Any]
    names: tuple[str, ...]  # of the classes, where the file has them


def list_arrays(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of files of arrays; DataError where arrays are absent, or don't fit each other.

    The split is in an array's name, or else, of several files, in the file's.
    """
    files = _within(files)
    root = common_folder(files)
    _check_keys(files, reading)
    parts, told = [], []
    for file in files:
        with open_arrays(file) as arrays:
            keys = _keys(arrays, reading, file=file)
            by_name = split_of_file(file, among=files) if len(files) > 1 else ""
            names = _class_names(arrays, reading)
            parts += [_part(arrays, keys, split, by_name, names=names, file=file) for split in _splits(keys)]
            words = ", ".join(f"{key!r} are the {role.replace(':', ' ').strip()}" for role, key in keys.items())
            told.append(f"arrays: {words}" if len(files) == 1 else f"arrays of {told_from(root, file)}: {words}")
    names = _agreed([(part.file, part.names) for part in parts], root=root)
    columns: dict[str, list[pa.Array]] = {}
    for part in parts:
        for name, column in _columns(part, names, told=told_from(root, part.file)).items():
            columns.setdefault(name, []).append(column)
    joined = {name: pa.chunked_array(column) for name, column in columns.items()}
    return Listing(
        root, some([told_from(root, file) for file in files]), joined.pop("path"), joined.pop("label"),
        joined.pop("split"), more=joined, declared=names, notes=tuple(told),
    )  # fmt: skip


def _splits(keys: dict[str, str]) -> list[str]:
    return [split for split in ("train", "val", "test", "") if f"{split}:images" in keys]


def _part(
    arrays: Arrays, keys: dict[str, str], split: str, by_name: str, *, names: tuple[str, ...], file: Path
) -> Part:
    images, labels = keys[f"{split}:images"], keys[f"{split}:labels"]
    count, values = len(arrays[images]), _labels(np.asarray(arrays[labels][()]), rows=len(arrays[images]))
    if len(values) != count:
        raise DataError(
            f"as many labels as pictures, {count}", found=f"{len(values)} in {labels!r} of {file.name!r}",
            fix="Write the file again with one label per picture.",
        )  # fmt: skip
    return Part(file, split or by_name, images, count, values.tolist(), names)


def _columns(part: Part, names: tuple[str, ...], *, told: str) -> dict[str, pa.Array]:
    inside = [f"{part.images}/{row}" for row in range(part.rows)]
    return {
        "path": pa.array([f"{told}#{place}" for place in inside]),
        "inside": pa.array(inside),
        "label": pa.array([_name(value, names) for value in part.labels], type=pa.string()),
        "split": pa.repeat(part.split, part.rows),
    } | of_file(part.file, part.rows)


def _agreed(named: list[tuple[Path, tuple[str, ...]]], *, root: Path) -> tuple[str, ...]:
    """The one list of classes that files have, () where none has; DataError where they differ."""
    having = [(file, names) for file, names in named if names]
    for file, names in having:
        if names != having[0][1]:
            raise DataError(
                f"the same classes in each file, {some(having[0][1])} as in {told_from(root, having[0][0])!r}",
                found=f"{some(names)} in {told_from(root, file)!r}", fix="Give the files separately.",
            )  # fmt: skip
    return having[0][1] if having else ()


def _check_keys(files: list[Path], reading: ReadingConfig) -> None:
    """DataError for a word of --keys that is no role and array of any of the files."""
    if not reading.keys:
        return
    known: dict[str, None] = {}
    for file in files:
        with open_arrays(file) as arrays:
            known |= dict.fromkeys(arrays.names)
    for word in reading.keys:
        role, _, key = word.partition("=")
        if role not in (*ROLES, "classes") or key not in known:
            raise DataError(
                f"--keys ROLE=NAME with a role of {some((*ROLES, 'classes'), at_most=9)} and an array of "
                f"{some([file.name for file in files])}",
                found=f"{word!r}; the arrays are {some(list(known), at_most=12)}",
                fix="Use one of these roles and arrays.",
            )


def _keys(arrays: Arrays, reading: ReadingConfig, *, file: Path) -> dict[str, str]:
    """`split:images` and `split:labels` -> the array's name; DataError when there is none of either kind."""
    keys: dict[str, str] = {}
    for word in reading.keys:
        role, _, key = word.partition("=")
        if role != "classes" and key in arrays.names:
            split, _, kind = role.rpartition("_")
            keys[f"{split}:{kind}"] = key
    if not keys:
        for key in arrays.names:
            words = [word for word in re.split(r"[^a-z0-9]+", key.casefold()) if word]
            split = split_of_name(key) or ""
            kind = next((kind for kind, usual in USUAL.items() if {*words} & {*usual}), "")
            if kind and f"{split}:{kind}" not in keys:
                keys[f"{split}:{kind}"] = key
    splits = {role.partition(":")[0] for role in keys}
    if not splits or not all(f"{split}:{kind}" in keys for split in splits for kind in USUAL):
        raise DataError(
            f"arrays of pictures and their labels in {file.name!r}, such as x_train and y_train",
            found=some(arrays.names, at_most=12),
            fix="Use --keys train_images=A train_labels=B (or images= and labels=).",
        )
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
        raise PictureError(name, Problem(ProblemKind.NOT_A_PICTURE, f"not pictures: values of type {array.dtype}"))
    low, high = 0.0, 0.0
    for start in range(0, len(array), CHUNK):
        part = np.asarray(array[start : start + CHUNK])
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    if not (low >= 0 and high <= 255):
        told = f"not pictures: numbers from {low:g} to {high:g} instead of 0 to 1 or 0 to 255"
        raise PictureError(name, Problem(ProblemKind.NOT_A_PICTURE, told))
    return 255.0 if high <= 1 else 1.0


def is_arrays(file: Path) -> bool:
    """Whether a file is one of arrays by its name."""
    return file.suffix.lower() in (*NPZ_SUFFIXES, *HDF5_SUFFIXES)


def _within(files: list[Path]) -> list[Path]:
    """A folder as the files of arrays in it; files as they are. DataError where there are none."""
    if not files[0].is_dir():
        return files
    found = _in_folder(files[0])
    if not found:
        raise DataError(
            f"files of arrays ({', '.join((*NPZ_SUFFIXES, *HDF5_SUFFIXES))})", found=f"none in {str(files[0])!r}",
            fix="Check the path.",
        )  # fmt: skip
    return found


def _in_folder(folder: Path) -> list[Path]:
    files = filter(Path.is_file, sorted(folder.iterdir()))
    return [file for file in files if is_arrays(file) and not file.name.startswith(".")]


def recognises(place: Path) -> bool:
    """A file of arrays, or a folder with such files."""
    return bool(_in_folder(place)) if place.is_dir() else is_arrays(place) and place.is_file()


LAYOUT = Layout("arrays", recognises, list_arrays, holds=is_arrays, opens=ArrayFile)
