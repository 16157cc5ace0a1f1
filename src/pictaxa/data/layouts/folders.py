"""Folders of pictures, and the ways in which people lay them:

    root/CLASS/...                         split by us (split.py)
    root/{train,val,test}/CLASS/...        split by the owner, in any spelling that split_names.py knows
    root/CLASS/{train,val,test}/...        the same, the other way round
    root/[{train,val,test}/]cat.0.jpg ...  by --label-pattern, from the names of the files

Pictures may lie at any depth below a class. Where two of these are possible, neither is guessed: the error names both,
and the flag that settles it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ...config.data import ReadingConfig
from ...errors import DataError
from ...images.formats import OTHER_PICTURES, SUFFIXES, is_picture
from ..file_names import shown_name
from ..layout import Layout
from ..listing import Listing, file_status, some
from ..split_names import is_for_prediction, split_of_name
from ..structure import FolderReading, find_class_folders, folders_in
from ..walk import PassedOver, is_hidden, list_entries, walk_pictures

COLUMNS = ("path", "class", "split", "bytes", "mtime_ns", "problem")
NUMBERED = r"([^/\d]+?)[._ (-]*\d+\)?\.\w+$"  # cat.0.jpg, great_dane_17.png, dog (3).jpg


def list_folder(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """List a data set in any of the layouts of folders; no picture is opened.

    DataError: no such folder, a file, no pictures, two folders for a split, a loop of links, or a structure that can be
    read in two ways.
    """
    root = files[0]
    _check_is_folder(root)
    reader = FolderReading(root, reading, for_training)
    rows = list(_by_pattern(reader) if reading.label_pattern else _by_folders(reader))
    if reader.passed.loops:
        link, real = reader.passed.loops[0]
        raise DataError(
            "folders without loops", found=f"the link {link!r}, which leads back to {real!r}", fix="Remove the link."
        )
    if not rows:
        _refuse_empty(reader)
    columns: dict[str, list[Any]] = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    if reader.loose:
        told = [f"{count} in {shown_name(where) or 'the folder itself'}" for where, count in reader.loose.items()]
        reader.notes.append(f"skipped {reader.loose.total()} pictures that are in no class folder: {some(told)}")
    if reader.decoded:
        examples = some(reader.decoded, at_most=2)
        reader.notes.append(f"{len(reader.decoded)} paths are not in UTF-8; they were read as {examples}")
    return Listing(
        root, repr(shown_name(str(root))), columns.pop("path"), columns.pop("class"), columns.pop("split"),
        problems=columns.pop("problem"), more=columns, notes=(*reader.passed.notes(), *reader.notes),
    )  # fmt: skip


def _check_is_folder(root: Path) -> None:
    layout = "a folder with a sub-folder of pictures for each class"
    if not root.exists():
        raise DataError(layout, found=f"nothing at {shown_name(str(root))!r}", fix="Check the path.")
    if not root.is_dir():
        found = f"a file at {shown_name(str(root))!r}"
        raise DataError(layout, found=found, fix="Give the folder that holds the class folders.")


def _row(reader: FolderReading, entry: os.DirEntry[str], *, name: str, split: str) -> tuple[object, ...]:
    size_bytes, mtime_ns, problem = file_status(entry)
    relative = entry.path[len(str(reader.root)) + 1 :].replace(os.sep, "/")
    shown = shown_name(relative)
    if shown != relative:
        reader.decoded.append(shown)
    return shown, name, split, size_bytes, mtime_ns, problem


# --- labels from folders


def _by_folders(reader: FolderReading) -> Iterator[tuple[object, ...]]:
    empty = []
    for folder in find_class_folders(reader):
        count = 0
        for entry in walk_pictures(folder.path, reader.passed):
            name = Path(entry.path).parent.name if reader.config.class_folder == "parent" else folder.name
            count += 1
            yield _row(reader, entry, name=shown_name(name), split=folder.split)
        if not count and folder.split in ("", "train"):
            empty.append(folder.name)
    if empty:
        reader.notes.append(f"skipped classes without pictures: {reader.shown(empty)}")


# --- labels from the names of files


def _by_pattern(reader: FolderReading) -> Iterator[tuple[object, ...]]:
    pattern = _compiled(reader.config.label_pattern)
    tops = [] if reader.config.split_folders == "no" else [top.name for top in folders_in(reader.root)]
    splits = {name: split_of_name(name) or "" for name in tops}
    without: list[str] = []
    for entry in walk_pictures(reader.root, reader.passed):
        inside = entry.path[len(str(reader.root)) + 1 :].replace(os.sep, "/")
        relative, top = shown_name(inside), inside.partition("/")[0]
        match = None if top in splits and is_for_prediction(top) else pattern.search(relative)
        if match is None:
            without.append(relative)
        else:
            name = match.groupdict().get("label") or next((group for group in match.groups() if group), match[0])
            yield _row(reader, entry, name=name, split=splits.get(top, ""))
    if without:
        reader.notes.append(f"skipped {len(without)} pictures whose names don't fit --label-pattern: {some(without)}")


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise DataError(
            "a regular expression that finds the class in a picture's path",
            found=f"--label-pattern {pattern!r}: {error}",
            fix=r"Give one such as '([a-z]+)\.\d+' for cat.0.jpg.",
        ) from None  # fmt: skip


# --- what is said where nothing was found


def _refuse_empty(reader: FolderReading) -> NoReturn:
    root = reader.root
    where = repr(shown_name(str(root)))
    if reader.config.label_pattern:
        raise DataError(
            f"pictures whose paths fit --label-pattern {reader.config.label_pattern!r}",
            found=f"none under {where}", fix="Try the pattern on a path such as train/cat.0.jpg.",
        )  # fmt: skip
    passed = PassedOver()
    names = [entry.name for entry in walk_pictures(root, passed)]
    others = {suffix: OTHER_PICTURES[suffix] for suffix in passed.other_files if suffix in OTHER_PICTURES}
    prefixes = Counter(match[1] for name in names if (match := re.search(NUMBERED, name)))
    tables = [entry.name for entry in list_entries(root, PassedOver()) if entry.name.lower().endswith((".csv", ".tsv"))]
    fix = "Make a folder per class and put its pictures in it."
    if tables:
        fix = (
            f"Give the table if it has their labels ({shown_name(str(root / tables[0]))}), or make a folder per class."
        )
    elif 1 < len(prefixes) <= max(2, len(names) // 2):
        fix = (
            f"Say --label-pattern '{NUMBERED}' if the files' names begin with their classes "
            f"({reader.shown(sorted(prefixes))}), or make a folder per class."
        )
    elif others and not names:
        kinds = ", ".join(f"{suffix} ({kind})" for suffix, kind in others.items())
        fix = f"Convert them to JPEG or PNG first, with a folder per class: {kinds} can't be read."
    inside = sorted(name for name in os.listdir(root) if not is_hidden(name))
    holds = f" (it holds: {reader.shown(inside)})" if inside else " (it is empty)"
    loose = f", and {len(names)} pictures in no class folder" if names else ""
    raise DataError(
        f"pictures ({', '.join(sorted(SUFFIXES))}) in a sub-folder for each class",
        found=f"no class with a picture under {where}{holds}{loose}", fix=fix,
    )  # fmt: skip


def has_picture_folders(path: Path) -> bool:
    """Whether a folder has folders that hold pictures, or further folders: then these are what it is about."""
    return path.is_dir() and any(
        inside.is_dir() or is_picture(inside.name)
        for folder in list_entries(path, PassedOver())
        if folder.is_dir()
        for inside in list_entries(folder.path, PassedOver())
    )


LAYOUT = Layout("folders", recognises=has_picture_folders, lists=list_folder, takes_one=True)
