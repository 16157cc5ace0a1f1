"""The known layouts, in the order in which they are tried."""

from __future__ import annotations

from pathlib import Path

from ...errors import DataError
from ..layout import Layout, PictureFile, check_kind
from . import arrays, cifar, folders, idx, imagefolder, manifests, parquet, shards

# What lies in a folder by fixed names decides first, then folders of pictures, then files by their suffix. A table
# that says what is in the pictures beside it comes before the folders that they happen to lie in.
LAYOUTS: tuple[Layout, ...] = (
    cifar.LAYOUT,
    idx.LAYOUT,
    imagefolder.LAYOUT,
    folders.LAYOUT,
    parquet.LAYOUT,
    shards.LAYOUT,
    manifests.LAYOUT,
    arrays.LAYOUT,
)
# In words, for who gives another.
FILE_KINDS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".npz", ".h5", ".tar", "IDX")


def recognise(path: Path) -> Layout | None:
    """The first layout that a file or folder has; a folder that has none may still hold pictures."""
    return next((layout for layout in LAYOUTS if layout.recognises(path)), folders.LAYOUT if path.is_dir() else None)


def find_layout(name: str) -> Layout:
    """A layout by its name."""
    return next(layout for layout in LAYOUTS if layout.name == name)


def open_pictures(file: Path) -> PictureFile:
    """The reader of a file with pictures in it; DataError for a kind that is none, and for a pipe or a device."""
    check_kind(file)
    for layout in LAYOUTS:
        if layout.opens is not None and layout.holds(file):
            return layout.opens(file)
    raise DataError(
        "a file with pictures in it (parquet, tar, .npz, HDF5, IDX, CIFAR's)", found=repr(str(file)),
        fix="Check the paths in the table.",
    )  # fmt: skip
