"""Lists and cleans the cache folder: decoded pictures, features, weights, downloaded data sets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .cache_folder import ABOUT
from .file_names import find_on_disk

# Folders of the cache that are not decoded pictures: name -> what they hold.
OTHERS = {
    "features": "features of frozen backbones",
    "inspected": "inspection results",
    "weights": "published weights",
    "data": "data sets by name",
}


@dataclass(frozen=True)
class Kept:
    """A folder of the cache."""

    path: Path
    what: str
    size_bytes: int
    gone: bool  # whether the data set that it is of is there no more


def list_caches(root: Path) -> list[Kept]:
    """Every folder that pictaxa has made in the folder of caches, largest first; others are not named."""
    found = []
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        about = path / ABOUT
        if path.name in OTHERS and path.is_dir():
            found.append(Kept(path, OTHERS[path.name], _bytes_below(path), gone=False))
        elif about.is_file():
            source = about.read_text(encoding="utf-8", errors="replace").strip()
            found.append(
                Kept(path, f"pixels of {source}", _bytes_below(path), gone=not find_on_disk(Path(source)).exists())
            )
        elif (path / "journal.jsonl").is_file():
            found.append(Kept(path, "pixels, from an older version", _bytes_below(path), gone=True))
    return sorted(found, key=lambda kept: -kept.size_bytes)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # another process may just have removed it
            total += path.stat().st_size if path.is_file() else 0
    return total


def cache_lines(root: Path, *, clean: Literal["", "gone", "all"]) -> Iterator[str]:
    """The list as text; whatever is to be cleaned is removed at the same time.

    gone: pixels whose data set no longer exists, and features, which a training computes again; all: everything.
    """
    caches = list_caches(root)
    freed = 0
    for kept in caches:
        goes = clean == "all" or (clean == "gone" and (kept.gone or kept.path.name in ("features", "inspected")))
        told = " (removed)" if goes else " (its data set no longer exists)" if kept.gone else ""
        yield f"{kept.size_bytes / 1e6:10,.1f} MB  {kept.path.name:34}  {kept.what}{told}"
        if goes:
            shutil.rmtree(kept.path, ignore_errors=True)
            freed += kept.size_bytes
    total = sum(kept.size_bytes for kept in caches)
    yield f"{total / 1e6:10,.1f} MB  in {root}" + (f", {freed / 1e6:,.1f} MB freed" if clean else "")
