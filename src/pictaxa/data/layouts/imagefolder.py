"""Folders with a table beside the pictures, of which each begins its paths at its own folder:

    root/train/metadata.jsonl, root/train/*.jpg, root/test/metadata.jsonl ...     Hugging Face's imagefolder
    root/train/_classes.csv ..., root/train/_annotations.coco.json ...            Roboflow's exports

The split is the folder's name, where the table has no column of splits.
"""

from __future__ import annotations

from pathlib import Path

from ...config.data import ReadingConfig
from ...errors import DataError
from ..columns import choose_columns, is_known
from ..layout import Layout
from ..listing import Listing, some
from ..tables import read_table
from .manifests import list_manifest

NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet", "_classes.csv", "_annotations.coco.json")


def find_tables(folder: Path) -> list[Path]:
    """The tables of the first name that there is: in the folder, or in its folders."""
    for name in NAMES:
        for pattern in (name, f"*/{name}"):
            files = filter(Path.is_file, sorted(folder.glob(pattern)))
            found = [file for file in files if not file.parent.name.startswith(".")]
            if found:
                return found
    return []


def recognises(place: Path) -> bool:
    """A folder with such tables that say what is in the pictures; captions and boxes alone do not."""
    if not place.is_dir():
        return False
    try:
        tables = [read_table(file, known=is_known) for file in find_tables(place)[:1]]
        for table in tables:
            choose_columns(list(table.columns), ReadingConfig(), file=table.file, roles=table.roles, words=table.words)
        return bool(tables)
    except DataError:
        return False


def list_imagefolder(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of all tables; DataError where there are none, and as with any manifest."""
    tables = find_tables(files[0]) if files[0].is_dir() else files
    if not tables:
        raise DataError(
            f"one of {some(NAMES)} in the folder or its sub-folders",
            found=f"none in {str(files[0])!r}", fix="Check the path.",
        )  # fmt: skip
    return list_manifest(tables, reading, for_training=for_training)


LAYOUT = Layout("imagefolder", recognises, list_imagefolder, takes_one=True)
