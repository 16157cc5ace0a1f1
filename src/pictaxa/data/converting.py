"""Converts any layout to folders, parquet or shards, picture by picture; encoded bytes are kept, pixels become PNG."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..config.data import ReadingConfig
from ..errors import DataError, PictureError, Problem
from ..images.decode import Picture, decode, examine
from ..system.files import require_utf8
from ..system.progress import CountProgress
from .fetching import Fetcher
from .index import Index
from .reading import read_data
from .walk import is_hidden

Target = Literal["folders", "parquet", "shards"]
SUFFIXES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "DIB": ".bmp", "GIF": ".gif",
    "TIFF": ".tif", "PPM": ".ppm", "AVIF": ".avif", "JPEG2000": ".jp2", "HEIF": ".heic", "DICOM": ".dcm",
}  # fmt: skip
GROUP_ROWS = 256  # pictures of a parquet file that are in memory at a time


@dataclass(frozen=True)
class Item:
    """A picture on its way."""

    name: str  # unique, with a suffix, such as 000012.jpg
    data: bytes
    label: int
    split: str  # "" where it is not decided


@dataclass
class Converted:
    """What was written, and what could not be."""

    written: int = 0
    problems: tuple[tuple[str, Problem], ...] = ()  # (path, problem)


def convert_data(source: str | Path, out: Path, *, to: Target, reading: ReadingConfig, per_file: int) -> Converted:
    """Write a data set in another layout into a new folder, completely or not at all; the source is not changed.

    `per_file` is the most pictures of a parquet file or shard. DataError when `out` is there already, or a class can't
    be a folder's name.
    """
    if out.exists():
        raise DataError(
            "a new folder to write into",
            found=f"{str(out)!r}, which exists already",
            fix="Give a folder that does not exist yet.",
        )
    if Path(source).is_dir() and out.resolve().is_relative_to(Path(source).resolve()):
        raise DataError(
            "a folder outside the pictures",
            found=f"{str(out)!r}, which is inside",
            fix="Give a folder outside that of the pictures.",
        )
    require_utf8(out, DataError)
    index = read_data(source, reading)
    if to == "folders":
        _check_names(index)
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    converted = Converted()
    write = {"folders": _write_folders, "parquet": _write_parquet, "shards": _write_shards}[to]
    try:
        partial.mkdir(parents=True)
        with Fetcher(index) as fetcher, CountProgress("convert", total=len(index)) as progress:
            write(_items(fetcher, converted, progress.count), partial, index, per_file)
        partial.rename(out)
    except OSError as error:
        raise DataError(
            "a place to write",
            found=f"{str(out)!r}: {error.strerror}",
            fix="Free some space on the disk, or give another folder.",
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return converted


def _check_names(index: Index) -> None:
    folded = {name.casefold() for name in index.classes}
    for name in index.classes:
        if set(name) & set('/\\:*?"<>|\0') or is_hidden(name):
            raise DataError(
                "class names that can be folder names", found=repr(name), fix="Use --to parquet or --to shards."
            )
    if len(folded) < len(index.classes):
        raise DataError(
            "class names that differ in more than case",
            found="some that do not",
            fix="Use --to parquet or --to shards.",
        )


def _items(fetcher: Fetcher, converted: Converted, count: Callable[[int], None]) -> Iterator[Item]:
    """Every row with a label that can be read, split by split; the others are noted."""
    index = fetcher.index
    labels, splits, bad = index.labels, index.column("split"), index.set_aside()
    count(len(bad))
    usable = np.flatnonzero(index.usable)
    for row in usable[np.argsort(splits[usable], kind="stable")].tolist():
        count(1)
        try:
            data, suffix = _encoded(fetcher.fetch(row))
        except PictureError as error:
            bad.append((index.name(row), error.problem))
            continue
        converted.written += 1
        yield Item(f"{row:07}{suffix}", data, int(labels[row]), splits[row])
    converted.problems = tuple(bad)


def _encoded(picture: Picture) -> tuple[bytes, str]:
    """Bytes and the suffix that they should have; what no format knows keeps none of the usual ones."""
    if isinstance(picture, np.ndarray):
        file = io.BytesIO()
        decode(picture, name="pixels").save(file, "PNG")
        return file.getvalue(), ".png"
    return picture, SUFFIXES.get(examine(picture).format, ".jpg")


def _write_folders(items: Iterator[Item], folder: Path, index: Index, per_file: int) -> None:
    for item in items:
        path = folder / item.split / index.classes[item.label]
        path.mkdir(parents=True, exist_ok=True)
        (path / item.name).write_bytes(item.data)


def _write_parquet(items: Iterator[Item], folder: Path, index: Index, per_file: int) -> None:
    """As the Hugging Face hub has them; the names of the classes in the metadata."""
    names = {"label": {"names": list(index.classes), "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": names}}, ensure_ascii=False)},
    )
    for stem, part in _parts(items, per_file):
        with pq.ParquetWriter(folder / f"{stem}.parquet", schema) as writer:
            rows: list[dict[str, Any]] = []
            for item in part:
                rows.append({"image": {"bytes": item.data, "path": item.name}, "label": item.label})
                if len(rows) == GROUP_ROWS:
                    writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                    rows.clear()
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _write_shards(items: Iterator[Item], folder: Path, index: Index, per_file: int) -> None:
    """As WebDataset has them: each picture and its class' name."""
    for stem, part in _parts(items, per_file):
        with tarfile.open(folder / f"{stem}.tar", "w") as archive:
            for item in part:
                key = item.name.partition(".")[0]
                for name, data in ((item.name, item.data), (f"{key}.cls", index.classes[item.label].encode())):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))


def _parts(items: Iterator[Item], per_file: int) -> Iterator[tuple[str, Iterator[Item]]]:
    """(name of a file without its suffix, its items): a split's items lie together, at most `per_file` in a file."""
    waiting = next(items, None)
    number = 0
    while waiting is not None:
        split = waiting.split

        def part(first: Item, split: str = split) -> Iterator[Item]:
            nonlocal waiting
            waiting, left = first, per_file
            while waiting is not None and waiting.split == split and left:
                yield waiting
                left -= 1
                waiting = next(items, None)

        yield f"{split or 'all'}-{number:05}", part(waiting)
        number = number + 1 if waiting is not None and waiting.split == split else 0
