"""IDX files, gzipped or not: MNIST, Fashion-MNIST, KMNIST, EMNIST.

    train-images-idx3-ubyte.gz  train-labels-idx1-ubyte.gz  t10k-images-idx3-ubyte.gz  t10k-labels-idx1-ubyte.gz

A file begins with two zeros, the type (8: bytes), the number of axes, and each axis' length as a big-endian int32.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa

from ...errors import DataError
from ...pictures import Picture
from ..listing import Listing, file_status, some

NAME = re.compile(r"(?P<set>.*?)(?P<split>train|t10k|test)(?P<rest>[-_.]images?[-_.]idx3[-_.]ubyte(\.gz)?)", re.I)
SPLITS = {"train": "train", "t10k": "test", "test": "test"}
MOST_BYTES = 2**31  # of a file's pictures
BYTES_TYPE = 8


def image_files(place: Path) -> list[Path]:
    """The files of pictures at a place: the file itself, or those of a folder, training first."""
    if place.is_file():
        return [place] if NAME.fullmatch(place.name) else []
    files = [file for file in sorted(place.iterdir()) if NAME.fullmatch(file.name)]
    return sorted(files, key=lambda file: "train" not in file.name.lower())


def list_idx(files: list[Path]) -> Listing:
    """The pictures of IDX files whose labels lie beside; DataError where these are absent or don't fit."""
    sets = sorted({NAME.fullmatch(file.name)["set"] for file in files})  # type: ignore[index]  # they match
    if len(sets) > 1:
        raise DataError(
            "the files of one data set", found=f"several: {some(sets)}", fix="Give one file of pictures, or move them."
        )
    columns: dict[str, list[pa.Array]] = {}
    for file in files:
        for name, column in _columns(file).items():
            columns.setdefault(name, []).append(column)
    joined = {name: pa.chunked_array(parts) for name, parts in columns.items()}
    numbers = joined.pop("label").to_numpy()
    names = _names(files[0].parent, prefix=sets[0], numbers=numbers)
    labels = pa.array(np.array([names.get(number, "") for number in range(256)], dtype=object)[numbers])
    notes = ("EMNIST's pictures are stored on their side and turned upright",) if "emnist" in sets[0] else ()
    return Listing(
        files[0].parent, some([file.name for file in files]), joined.pop("path"), labels, joined.pop("split"),
        more=joined, declared=tuple(names.values()), notes=notes,
    )  # fmt: skip


def _columns(file: Path) -> dict[str, pa.Array]:
    match = NAME.fullmatch(file.name)
    assert match is not None, file
    with _open(file) as stream:
        count, *_ = _header(stream, file=file, axes=3)
    beside = _labels_file(file)
    with _open(beside) as stream:
        (labelled,) = _header(stream, file=beside, axes=1)
        labels = np.frombuffer(_read(stream, labelled, file=beside), dtype=np.uint8)
    if labelled != count:
        raise DataError(
            f"as many labels as pictures, {count}", found=f"{labelled} in {beside.name!r}", fix="Fetch them again."
        )
    size_bytes, mtime_ns, _ = file_status(file)
    inside = pa.array(np.arange(count)).cast(pa.string())
    return {
        "path": pa.array([f"{file.name}#{row}" for row in range(count)]),
        "inside": inside,
        "label": pa.array(labels),
        "split": pa.repeat(SPLITS[match["split"].lower()], count),
        "bytes": pa.repeat(pa.scalar(size_bytes, pa.int64()), count),
        "mtime_ns": pa.repeat(pa.scalar(mtime_ns, pa.int64()), count),
    }


def _labels_file(file: Path) -> Path:
    name = re.sub("images", "labels", file.name, flags=re.I).replace("idx3", "idx1")
    for candidate in (name, name.removesuffix(".gz"), f"{name}.gz"):
        if (file.parent / candidate).exists():
            return file.parent / candidate
    raise DataError(f"the labels of {file.name!r} beside it", found=f"no {name!r}", fix="Fetch that file too.")


def _names(folder: Path, *, prefix: str, numbers: np.ndarray) -> dict[int, str]:
    """Number -> class; EMNIST's mapping files give the code of each character."""
    mapping = folder / f"{prefix.rstrip('-_')}-mapping.txt"
    if mapping.exists():
        rows = [line.split() for line in mapping.read_text(encoding="ascii", errors="replace").splitlines()]
        return {int(row[0]): chr(int(row[1])) for row in rows if len(row) > 1 and row[0].isdecimal()}
    return {int(number): str(number) for number in np.unique(numbers)}


def _open(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file, "rb")) if file.suffix.lower() == ".gz" else file.open("rb")


def _header(stream: IO[bytes], *, file: Path, axes: int) -> tuple[int, ...]:
    begin = _read(stream, 4, file=file)
    if begin[:2] != b"\0\0" or begin[2] != BYTES_TYPE or begin[3] != axes:
        raise DataError(
            f"an IDX file of bytes with {axes} axes", found=f"{file.name!r}, which begins {begin.hex()}",
            fix="Fetch it again.",
        )  # fmt: skip
    lengths = tuple(int(length) for length in np.frombuffer(_read(stream, 4 * axes, file=file), dtype=">i4"))
    if min(lengths) < 0 or math.prod(lengths) > MOST_BYTES:
        raise DataError(f"at most {MOST_BYTES} bytes in {file.name!r}", found=f"axes {lengths}", fix="Fetch it again.")
    return lengths


def _read(stream: IO[bytes], count: int, *, file: Path) -> bytes:
    try:
        data = stream.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("a whole IDX file", found=f"{file.name!r}: {error}", fix="Fetch it again.") from None
    if len(data) < count:
        raise DataError(f"{count} bytes more in {file.name!r}", found=str(len(data)), fix="Fetch it again.")
    return data


class IdxFile:
    """A file of pictures, by row."""

    def __init__(self, file: Path) -> None:
        with _open(file) as stream:
            shape = _header(stream, file=file, axes=3)
            begin = stream.tell()
            if file.suffix.lower() != ".gz" and file.stat().st_size >= begin + math.prod(shape):
                self.pixels: np.ndarray = np.memmap(file, dtype=np.uint8, mode="r", offset=begin, shape=shape)
            else:
                self.pixels = np.frombuffer(_read(stream, math.prod(shape), file=file), np.uint8).reshape(shape)
        self.on_its_side = "emnist" in file.name.lower()

    def fetch(self, inside: str) -> Picture:
        """(H, W) uint8."""
        picture = self.pixels[int(inside)]
        return picture.T if self.on_its_side else picture

    def close(self) -> None:
        """Nothing is held open."""
