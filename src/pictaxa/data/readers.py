"""Folders of pictures to an Index. Two layouts:

    root/CLASS/...                 split by us (split.py)
    root/{train,val,test}/CLASS/...    split by the owner; also training, valid, validation, testing

Pictures may lie at any depth below a class. Hidden and system folders are passed over, and the Index says so.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError, PictureError
from ..pictures import SUFFIXES, is_picture, measure
from .index import Index, index_from_rows

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
SYSTEM_NAMES = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"})


@dataclass
class Passed:
    """What a reader passed over, counted so that it can be said."""

    hidden: list[str] = field(default_factory=list)
    other_files: Counter[str] = field(default_factory=Counter)
    empty_classes: list[str] = field(default_factory=list)
    extra_folders: list[str] = field(default_factory=list)
    absent_classes: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """One line for each kind that occurred."""
        lines = []
        if self.hidden:
            lines.append(f"passed over {len(self.hidden)} hidden or system folders and files: {_some(self.hidden)}")
        if self.other_files:
            kinds = [f"{suffix or 'no suffix'} x{count}" for suffix, count in self.other_files.most_common()]
            lines.append(f"passed over {self.other_files.total()} files that are not pictures: {_some(kinds)}")
        if self.empty_classes:
            lines.append(f"left out classes without a picture: {_some(self.empty_classes)}")
        if self.extra_folders:
            lines.append(f"left out folders beside the splits: {_some(self.extra_folders)}")
        lines.extend(self.absent_classes)
        return tuple(lines)


def read_folder(root: str | Path, classes: tuple[str, ...] | None = None) -> Index:
    """List a data set in either folder layout; no picture is opened.

    `classes` are those of a trained run, when the pictures are to be judged by it: then any of them may be absent.

    DataError: no such folder, a file, no pictures, fewer than two classes, classes that differ only in case, a class
    in another split that train lacks, or a loop of links.
    """
    root = Path(root)
    _check_is_folder(root)
    passed = Passed()
    folders = _subfolders(root, passed)
    splits = _split_folders(folders, passed, needs_train=classes is None)
    if splits is None:
        class_folders = {"": folders}
        for name in sorted(os.listdir(root)):
            if (root / name).is_file() and not _is_hidden(name):
                passed.other_files["in no class: " + Path(name).suffix] += 1
    else:
        class_folders = {split: _subfolders(folder, passed) for split, folder in splits.items()}

    listed = {
        split: {_class_name(folder): list(_pictures(folder, passed)) for folder in folders}
        for split, folders in class_folders.items()
    }
    if classes is None:
        first = "" if splits is None else "train"
        classes = _class_list(listed[first], root=root, passed=passed)
        others = {split: by_class for split, by_class in listed.items() if split != first}
        _check_other_splits(others, classes=classes, source="train", passed=passed)
    else:
        _check_other_splits(listed, classes=classes, source="the run", passed=passed)
    label_of = {name: label for label, name in enumerate(classes)}
    rows = [
        _row(path, root=root, label=label_of[name], split=split)
        for split, by_class in listed.items()
        for name, paths in by_class.items()
        if name in label_of
        for path in paths
    ]
    return _with_notes(index_from_rows(rows, root=root, classes=classes), passed)


def survey(index: Index, *, at_most: int = 64) -> tuple[int, bool]:
    """The median longer side in pixels and whether all are grey, from the headers of an even sample of pictures."""
    step = max(1, len(index) // at_most)
    sides, greys = [], []
    for row in range(0, len(index), step):
        try:
            width, height, grey = measure(index.path(row))
        except PictureError:
            continue
        sides.append(max(width, height))
        greys.append(grey)
    if not sides:
        raise DataError(
            "pictures that can be decoded",
            found=f"none among {len(index)} files under {str(index.root)!r}",
            fix="Check that the files are pictures and that you may read them.",
        )
    return sorted(sides)[len(sides) // 2], all(greys)


def natural_order(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key with numbers by value: 2 before 10."""
    parts = re.split(r"(\d+)", name.casefold())
    key = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
    return key, name


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


def _class_name(folder: Path) -> str:
    # The same name typed on a Mac (decomposed) and elsewhere (composed) is the same class.
    return unicodedata.normalize("NFC", folder.name)


def _pictures(folder: Path, passed: Passed, *, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """Every picture at or below a folder, in a fixed order; links are followed, loops are an error."""
    real = os.path.realpath(folder)
    if real in above:
        raise DataError(
            "folders without loops",
            found=f"the link {str(folder)!r}, which leads back to {real!r}",
            fix="Remove the link.",
        )
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if _is_hidden(name):
            passed.hidden.append(name)
        elif path.is_dir():
            yield from _pictures(path, passed, above=(*above, real))
        elif is_picture(name):
            yield path
        else:
            passed.other_files[path.suffix.lower()] += 1


def _class_list(listed: dict[str, list[Path]], *, root: Path, passed: Passed) -> tuple[str, ...]:
    """The one class list, in natural order, from the pictures that classes are learned from."""
    for name in [name for name, paths in listed.items() if not paths]:
        passed.empty_classes.append(name)
        del listed[name]
    classes = tuple(sorted(listed, key=natural_order))
    if not classes:
        raise DataError(
            f"pictures ({', '.join(sorted(SUFFIXES))}) in a sub-folder for each class",
            found=f"no class with a picture under {str(root)!r}" + _searched(root),
            fix="Make a folder per class and put its pictures in it.",
        )
    if len(classes) < 2:
        raise DataError(
            "at least two classes to tell apart",
            found=f"only {classes[0]!r} under {str(root)!r}",
            fix="Add a folder with pictures of something else.",
        )
    by_folded: dict[str, str] = {}
    for name in classes:
        twin = by_folded.setdefault(name.casefold(), name)
        if twin != name:
            raise DataError(
                "class names that differ in more than case",
                found=f"{twin!r} and {name!r}",
                fix="Merge or rename one of the folders.",
            )
    return classes


def _searched(root: Path) -> str:
    names = sorted(os.listdir(root))
    return f" (it holds: {_some(names)})" if names else " (it is empty)"


def _check_other_splits(
    listed: dict[str, dict[str, list[Path]]], *, classes: tuple[str, ...], source: str, passed: Passed
) -> None:
    """Map by name: a class that the source of the class list lacks is an error, one that is missing is said."""
    for split, by_class in listed.items():
        where = split or "the folder"
        unknown = [name for name, paths in by_class.items() if paths and name not in classes]
        if unknown:
            raise DataError(
                f"in {where} only classes that {source} has ({_some(list(classes))})",
                found=_some(unknown),
                fix="Add pictures of it to train, rename it, or remove it.",
            )
        absent = [name for name in classes if not by_class.get(name)]
        if absent:
            passed.absent_classes.append(f"{where} has no picture of {_some(absent)}, which {source} has")


def _row(path: Path, *, root: Path, label: int, split: str) -> dict[str, object]:
    problem, size_bytes, mtime_ns = "", 0, 0
    try:
        status = path.stat()
        size_bytes, mtime_ns = status.st_size, status.st_mtime_ns
    except OSError as error:
        problem = f"unreadable: {error.strerror or error}"
    relative = path.relative_to(root).as_posix()
    try:
        relative.encode()
    except UnicodeEncodeError:
        relative = os.fsencode(relative).decode("utf-8", "backslashreplace")
        problem = "its name is not valid UTF-8: rename the file"
    return {
        "path": relative,
        "label": label,
        "split": split,
        "bytes": size_bytes,
        "mtime_ns": mtime_ns,
        "problem": problem,
    }


def _with_notes(index: Index, passed: Passed) -> Index:
    return index.with_notes(*passed.notes())


def _some(names: list[str], *, at_most: int = 5) -> str:
    shown = ", ".join(names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"
