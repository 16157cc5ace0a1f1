"""Tar shards in the WebDataset layout: the files of a picture stand together and differ in what follows the first dot.

000017.jpg  000017.cls      the picture; its class, a number or a name
000018.jpg  000018.json     or a document with "label" (or "class", "cls", "class_name") in it
"""

from __future__ import annotations

import tarfile
import threading
from pathlib import Path
from typing import Any

from ...config.data import ReadingConfig
from ...config.documents import parse_json
from ...errors import DataError, PictureError, Problem, ProblemKind
from ...images.decode import Picture, is_picture
from ...limits import MAX_LABEL_BYTES, MAX_PICTURE_BYTES
from ..archives import open_tar
from ..file_names import shown_name
from ..layout import Layout, common_folder, files_within, holds_files, split_of_file, told_from
from ..listing import Listing, file_status, some

SUFFIX = ".tar"
LABEL_SUFFIXES = ("cls", "label", "txt", "json")  # the first that is there
LABEL_KEYS = ("class_name", "label", "class", "cls", "category")


def list_shards(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of tar files; DataError for damaged ones, and for pictures without a label."""
    files = files_within(files, SUFFIX)
    root = common_folder(files)
    columns: dict[str, list[Any]] = {name: [] for name in ("path", "class", "split", "inside", "bytes", "mtime_ns")}
    for file in files:
        size_bytes, mtime_ns, _ = file_status(file)
        split, told = split_of_file(file, among=files), told_from(root, file)
        for name, label in _labelled(file):
            row = (f"{told}#{name}", label, split, name, size_bytes, mtime_ns)
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    if not columns["path"]:
        raise DataError(
            "pictures in the shards", found=f"none in {some([file.name for file in files])}", fix="Check the files."
        )
    return Listing(
        root, some([told_from(root, file) for file in files]), columns.pop("path"), columns.pop("class"),
        columns.pop("split"), more=columns,
    )  # fmt: skip


def _labelled(file: Path) -> list[tuple[str, str]]:
    """(member, label) of each picture; the label is "" where there is none."""
    pictures: dict[str, str] = {}  # key -> member
    labels: dict[str, dict[str, str]] = {}  # key -> suffix -> label
    try:
        for archive, member in open_tar(file, mode="r:"):
            name = shown_name(member.name)
            folder, _, base = name.rpartition("/")
            stem, _, suffix = base.partition(".")
            key = f"{folder}/{stem}"
            if not member.isreg() or base.startswith("."):
                continue
            if is_picture(base):
                if key in pictures:
                    raise DataError(
                        f"one picture per key in {file.name!r}",

                        found=f"{pictures[key]!r} and {name!r}",
                        fix="Write the shard again with a different name for each picture.",
                    )  # fmt: skip
                pictures[key] = name
            elif suffix in LABEL_SUFFIXES and member.size <= MAX_LABEL_BYTES:
                stream = archive.extractfile(member)
                assert stream is not None, member.name
                labels.setdefault(key, {})[suffix] = _label(stream.read(), suffix)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(
            "an uncompressed tar file", found=f"{file.name!r}: {error}", fix="Unpack it, or download it again."
        ) from None
    told = ((name, labels.get(key, {})) for key, name in pictures.items())
    return [(name, next((own[suffix] for suffix in LABEL_SUFFIXES if own.get(suffix)), "")) for name, own in told]


def _label(data: bytes, suffix: str) -> str:
    text = data.decode("utf-8", "replace").strip()
    if suffix != "json":
        return text
    try:
        document = parse_json(text)
    except ValueError:
        return ""
    values = (document.get(key) for key in LABEL_KEYS) if isinstance(document, dict) else ()
    return next((str(value) for value in values if isinstance(value, (str, int))), "")


class TarShard:
    """A tar file that returns its pictures by name."""

    def __init__(self, file: Path) -> None:
        members = (member for _, member in open_tar(file, mode="r:") if member.isreg())
        self.places = {shown_name(member.name): (member.offset_data, member.size) for member in members}
        self.stream = file.open("rb")
        self.bytes = file.stat().st_size
        self.lock = threading.Lock()

    def fetch(self, inside: str) -> Picture:
        """The encoded bytes."""
        offset, size = self.places.get(inside, (self.bytes, 1))
        if offset + size > self.bytes:
            raise PictureError(inside, Problem(ProblemKind.TRUNCATED, "no longer complete in its shard"))
        if size > MAX_PICTURE_BYTES:
            raise PictureError(inside, ProblemKind.BOMB.told(f"{size:,} bytes"))
        with self.lock:
            self.stream.seek(offset)
            return self.stream.read(size)

    def close(self) -> None:
        """Let the file go."""
        self.stream.close()


def is_shard(file: Path) -> bool:
    """Whether a file is a tar file by its name."""
    return file.suffix.lower() == SUFFIX


LAYOUT = Layout(
    "shards", recognises=lambda place: holds_files(place, SUFFIX) or (place.is_file() and is_shard(place)),
    lists=list_shards, holds=is_shard, opens=TarShard,
)  # fmt: skip
