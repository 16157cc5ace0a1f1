"""Folders of pictures, in two layouts:

    root/CLASS/...                 split by us (split.py)
    root/{train,val,test}/CLASS/...    split by the owner; also training, valid, validation, testing, 训练集

Pictures may lie at any depth below a class. Hidden and system folders are passed over, and the Index says so.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...config.data import ReadingConfig
from ...errors import DataError
from ...images.decode import SUFFIXES, is_picture
from ..layout import Layout
from ..listing import SPLIT_NAMES, Listing, file_status, some, utf8_name

SYSTEM_NAMES = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"})


@dataclass
class Passed:
    """What a reader passed over, counted so that it can be said."""

    hidden: list[str] = field(default_factory=list)
    other_files: Counter[str] = field(default_factory=Counter)
    empty_classes: list[str] = field(default_factory=list)
    extra_folders: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """One line for each kind that occurred."""
        lines = []
        if self.hidden:
            lines.append(f"skipped {len(self.hidden)} hidden or system folders and files: {some(self.hidden)}")
        if self.other_files:
            kinds = [f"{suffix or 'no suffix'} x{count}" for suffix, count in self.other_files.most_common()]
            lines.append(f"skipped {self.other_files.total()} files that are not pictures: {some(kinds)}")
        if self.empty_classes:
            lines.append(f"skipped classes without pictures: {some(self.empty_classes)}")
        if self.extra_folders:
            lines.append(f"skipped folders next to the splits: {some(self.extra_folders)}")
        return tuple(lines)


def list_folder(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """List a data set in either folder layout; no picture is opened. To be judged, it may lack training pictures.

    DataError: no such folder, a file, no pictures, two folders for a split, or a loop of links.
    """
    root = files[0]
    _check_is_folder(root)
    passed = Passed()
    folders = _subfolders(root, passed)
    splits = _split_folders(folders, passed, needs_train=for_training)
    if splits is None:
        class_folders = {"": folders}
        for name in sorted(os.listdir(root)):
            if (root / name).is_file() and not _is_hidden(name):
                passed.other_files["in no class: " + Path(name).suffix] += 1
    else:
        class_folders = {split: _subfolders(folder, passed) for split, folder in splits.items()}

    columns: dict[str, list[object]] = {name: [] for name in ("path", "class", "split", "bytes", "mtime_ns", "problem")}
    for split, folders in class_folders.items():
        for folder in folders:
            before = len(columns["path"])
            for entry in _pictures(str(folder), passed):
                _add(columns, entry, root=str(root), name=folder.name, split=split)
            if len(columns["path"]) == before and split in ("", "train"):
                passed.empty_classes.append(folder.name)
    if not columns["path"]:
        raise DataError(
            f"pictures ({', '.join(sorted(SUFFIXES))}) in a sub-folder for each class",
            found=f"no class with a picture under {str(root)!r}" + _searched(root),
            fix="Make one folder per class and put its pictures into it.",
        )
    return Listing(
        root, repr(str(root)), columns.pop("path"), columns.pop("class"), columns.pop("split"), more=columns,
        notes=passed.notes(),
    )  # fmt: skip


def _check_is_folder(root: Path) -> None:
    layout = "a folder with a sub-folder of pictures for each class"
    if not root.exists():
        raise DataError(layout, found=f"nothing at {str(root)!r}", fix="Check the path.")
    if not root.is_dir():
        raise DataError(layout, found=f"a file at {str(root)!r}", fix="Give the folder that holds the class folders.")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def _subfolders(folder: Path, passed: Passed) -> list[Path]:
    found = []
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if not path.is_dir():
            continue
        if _is_hidden(name):
            passed.hidden.append(name)
        else:
            found.append(path)
    return found


def _split_folders(folders: list[Path], passed: Passed, *, needs_train: bool) -> dict[str, Path] | None:
    """The folder of each split when the owner has split the pictures, else None."""
    splits: dict[str, Path] = {}
    for folder in folders:
        split = SPLIT_NAMES.get(folder.name.casefold())
        if split is None:
            continue
        if split in splits:
            raise DataError(
                f"one folder for the {split} split",
                found=f"{splits[split].name!r} and {folder.name!r}",
                fix="Keep one of them.",
            )
        splits[split] = folder
    if not splits or (needs_train and "train" not in splits):
        return None
    if len(splits) < len(folders):
        # Toy trains are a class too: beside other classes, a train folder that holds pictures itself is one.
        if any(is_picture(name) for folder in splits.values() for name in os.listdir(folder)):
            return None
        passed.extra_folders.extend(folder.name for folder in folders if folder not in splits.values())
    return splits


def _pictures(folder: str, passed: Passed, *, above: tuple[str, ...] = ()) -> Iterator[os.DirEntry[str]]:
    """Every picture at or below a folder, in a fixed order; links are followed, loops are an error."""
    real = os.path.realpath(folder)
    if real in above:
        raise DataError(
            "folders without loops of links",
            found=f"the link {folder!r}, which leads back to {real!r}",
            fix="Remove the link.",
        )
    with os.scandir(folder) as entries:  # knows folders from files without asking for each; a million files are listed
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if _is_hidden(entry.name):
            passed.hidden.append(entry.name)
        elif entry.is_dir():
            yield from _pictures(entry.path, passed, above=(*above, real))
        elif is_picture(entry.name):
            yield entry
        else:
            passed.other_files[Path(entry.name).suffix.lower()] += 1


def _searched(root: Path) -> str:
    names = sorted(os.listdir(root))
    return f" (it holds: {some(names)})" if names else " (it is empty)"


def _add(columns: dict[str, list[object]], entry: os.DirEntry[str], *, root: str, name: str, split: str) -> None:
    size_bytes, mtime_ns, problem = file_status(entry)
    relative, bad_name = utf8_name(entry.path[len(root) + 1 :].replace(os.sep, "/"))
    columns["path"].append(relative)
    columns["class"].append(name)
    columns["split"].append(split)
    columns["bytes"].append(size_bytes)
    columns["mtime_ns"].append(mtime_ns)
    columns["problem"].append(bad_name or problem)


def has_picture_folders(path: Path) -> bool:
    """Whether a folder has folders that hold pictures, or further folders: then these are what it is about."""
    return path.is_dir() and any(
        inside.is_dir() or is_picture(inside.name)
        for folder in path.iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
        for inside in folder.iterdir()
        if not inside.name.startswith(".")
    )


LAYOUT = Layout("folders", recognises=has_picture_folders, lists=list_folder)
