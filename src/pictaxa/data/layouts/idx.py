"""IDX files, gzipped or not: MNIST, Fashion-MNIST, KMNIST, EMNIST.

    train-images-idx3-ubyte.gz  train-labels-idx1-ubyte.gz  t10k-images-idx3-ubyte.gz  t10k-labels-idx1-ubyte.gz

A file begins with two zeros, the type (8: bytes), the number of axes, and each axis' length as a big-endian int32.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa

from ...config.data import ReadingConfig
from ...errors import DataError
from ...images.decode import Picture
from ...limits import BOMB_BYTES, BOMB_PART, MAX_ARRAY_BYTES
from ..layout import Layout, common_folder, told_from
from ..listing import Listing, of_file, some

NAME = re.compile(r"(?P<set>.*?)(?P<split>train|t10k|test)(?P<rest>[-_.]images?[-_.]idx3[-_.]ubyte(\.gz)?)", re.I)
SPLITS = {"train": "train", "t10k": "test", "test": "test"}
BYTES_TYPE = 8


def image_files(path: Path) -> list[Path]:
    """The files of pictures at a place: the file itself, or those of a folder, training first."""
    if path.is_file():
        return [path] if NAME.fullmatch(path.name) else []
    names = set(os.listdir(path))
    files = [
        file
        for file in sorted(path.iterdir())
        if NAME.fullmatch(file.name)
        and file.is_file()
        and not (file.suffix == ".gz" and file.stem in names)  # unpacked beside it
    ]
    return sorted(files, key=lambda file: "train" not in file.name.lower())


def list_idx(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of IDX files, with labels from the files next to them; DataError if these don't fit."""
    path, files = files[0], [file for given in files for file in image_files(given)]
    if not files:
        raise DataError("IDX files such as train-images-idx3-ubyte.gz", found=f"none at {path}", fix="Check the path.")
    sets = sorted({match["set"] for file in files if (match := NAME.fullmatch(file.name))})
    if len(sets) > 1:
        raise DataError(
            "the files of one data set",
            found=f"several: {some(sets)}",
            fix="Give one file of pictures, or move the others elsewhere.",
        )
    root = common_folder(files)
    columns: dict[str, list[pa.Array]] = {}
    for file in files:
        for name, column in _columns(file, told=told_from(root, file)).items():
            columns.setdefault(name, []).append(column)
    joined = {name: pa.chunked_array(parts) for name, parts in columns.items()}
    numbers = joined.pop("label").to_numpy()
    names = _names(files[0].parent, prefix=sets[0], numbers=numbers)
    labels = pa.array(np.array([names.get(number, "") for number in range(256)], dtype=object)[numbers])
    notes = ("EMNIST's pictures are stored on their side and turned upright",) if "emnist" in sets[0] else ()
    return Listing(
        root, some([told_from(root, file) for file in files]), joined.pop("path"), labels, joined.pop("split"),
        more=joined, declared=tuple(names.values()), notes=notes,
    )  # fmt: skip


def _columns(file: Path, *, told: str) -> dict[str, pa.Array]:
    match = NAME.fullmatch(file.name)
    assert match is not None, file
    beside = _labels_file(file)
    count = len(IdxFile(file).pixels)  # read to its end: a file that is cut short is told at once
    with _open(beside) as stream:
        (labelled,) = _header(stream, file=beside, axes=1)
        labels = np.frombuffer(_read_rest(stream, labelled, file=beside), dtype=np.uint8)
    if labelled != count:
        raise DataError(
            f"as many labels as pictures, {count}", found=f"{labelled} in {beside.name!r}", fix="Download them again."
        )
    inside = pa.array(np.arange(count)).cast(pa.string())
    return {
        "path": pa.array([f"{told}#{row}" for row in range(count)]),
        "inside": inside,
        "label": pa.array(labels),
        "split": pa.repeat(SPLITS[match["split"].lower()], count),
    } | of_file(file, count)


def _labels_file(file: Path) -> Path:
    name = re.sub("images", "labels", file.name, flags=re.I).replace("idx3", "idx1")
    for candidate in (name, name.removesuffix(".gz"), f"{name}.gz"):
        if (file.parent / candidate).is_file():
            return file.parent / candidate
    raise DataError(f"the labels of {file.name!r} beside it", found=f"no {name!r}", fix="Download that file too.")


def _names(folder: Path, *, prefix: str, numbers: np.ndarray) -> dict[int, str]:
    """Number -> class; EMNIST's mapping files give the code of each character."""
    mapping = folder / f"{prefix.rstrip('-_')}-mapping.txt"
    if mapping.is_file():
        rows = [line.split() for line in mapping.read_text(encoding="ascii", errors="replace").splitlines()]
        try:
            return {int(row[0]): chr(int(row[1])) for row in rows if len(row) > 1}
        except (ValueError, OverflowError):
            raise DataError(
                f"lines like `10 65` in {mapping.name!r}: a class number and a character code", found="other lines",
                fix="Download it again.",
            ) from None  # fmt: skip
    return {int(number): str(number) for number in np.unique(numbers)}


def _open(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file, "rb")) if file.suffix.lower() == ".gz" else file.open("rb")


def _header(stream: IO[bytes], *, file: Path, axes: int) -> tuple[int, ...]:
    begin = _read(stream, 4, file=file)
    if begin[:2] != b"\0\0" or begin[2] != BYTES_TYPE or begin[3] != axes:
        raise DataError(
            f"an IDX file of bytes with {axes} axes", found=f"{file.name!r}, which begins with {begin.hex()}",
            fix="Download it again.",
        )  # fmt: skip
    lengths = tuple(int(length) for length in np.frombuffer(_read(stream, 4 * axes, file=file), dtype=">i4"))
    most = min(MAX_ARRAY_BYTES, max(BOMB_BYTES, BOMB_PART * file.stat().st_size))
    if min(lengths) < 0 or math.prod(lengths) > most:
        raise DataError(f"at most {most} bytes in {file.name!r}", found=f"axes {lengths}", fix="Download it again.")
    return lengths


def _read_some(stream: IO[bytes], count: int, *, file: Path) -> bytes:
    try:
        return stream.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("a complete IDX file", found=f"{file.name!r}: {error}", fix="Download it again.") from None


def _read(stream: IO[bytes], count: int, *, file: Path) -> bytes:
    data = _read_some(stream, count, file=file)
    if len(data) < count:
        raise DataError(
            f"{count} bytes in {file.name!r}, as its header says", found=str(len(data)), fix="Download it again."
        )
    return data


def _read_rest(stream: IO[bytes], count: int, *, file: Path) -> bytes:
    """The last bytes of a file; a zipped one gives its checksum only to who asks for more."""
    data = _read(stream, count, file=file)
    if _read_some(stream, 1, file=file):
        raise DataError(
            f"{count} bytes in {file.name!r}, as its header says", found="more bytes", fix="Download it again."
        )
    return data


class IdxFile:
    """A file of pictures, by row."""

    def __init__(self, file: Path) -> None:
        with _open(file) as stream:
            shape = _header(stream, file=file, axes=3)
            begin = stream.tell()
            if file.suffix.lower() != ".gz" and file.stat().st_size == begin + math.prod(shape) > begin:
                self.pixels: np.ndarray = np.memmap(file, dtype=np.uint8, mode="r", offset=begin, shape=shape)
            else:
                self.pixels = np.frombuffer(_read_rest(stream, math.prod(shape), file=file), np.uint8).reshape(shape)
        self.on_its_side = "emnist" in file.name.lower()

    def fetch(self, inside: str) -> Picture:
        """(H, W) uint8."""
        picture = self.pixels[int(inside)]
        return picture.T if self.on_its_side else picture

    def close(self) -> None:
        """Nothing is held open."""


LAYOUT = Layout(
    "idx", recognises=lambda place: bool(image_files(place)), lists=list_idx,
    holds=lambda file: NAME.fullmatch(file.name) is not None, opens=IdxFile,
)  # fmt: skip
