"""Which folders of a data set are splits, which are classes: told where it is plain, refused where it is not."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ..config.data import ReadingConfig
from ..errors import DataError
from ..images.decode import is_picture
from .file_names import shown_name
from .labels import clean_label
from .listing import some
from .split_names import is_for_prediction, is_split_alone, split_of_name
from .walk import PassedOver, list_entries, walk_pictures

ALIKE = 0.5  # of the names of inner folders stand in several outer ones: then either may be the classes


@dataclass(frozen=True)
class ClassFolder:
    """Pictures of one class and one split."""

    path: str
    name: str
    split: str


@dataclass
class FolderReading:
    """What is known of a folder while it is read."""

    root: Path
    config: ReadingConfig
    for_training: bool
    passed: PassedOver = field(default_factory=PassedOver)
    loose: Counter[str] = field(default_factory=Counter)  # folder ("" for the root) -> pictures beside class folders
    decoded: list[str] = field(default_factory=list)  # names that are no UTF-8, as they are shown
    notes: list[str] = field(default_factory=list)

    def shown(self, names: list[str]) -> str:
        """Some names in words."""
        return some([shown_name(name) for name in names])


def folders_in(folder: str | Path) -> list[os.DirEntry[str]]:
    """The folders in a folder that are not the system's."""
    return [entry for entry in list_entries(folder, PassedOver()) if entry.is_dir()]


def find_class_folders(reader: FolderReading) -> list[ClassFolder]:
    """Every class folder with its split, however they are laid; DataError where that is doubtful."""
    tops = _look_around(reader, reader.root, where="")
    splits, classes = _split_folders(reader, tops)
    if not splits and all(_holds_splits_alone(top) for top in tops):
        return [
            ClassFolder(inner.path, top.name, split_of_name(inner.name) or "")
            for top in tops
            for inner in _look_around(reader, top.path, where=top.name)
        ]
    found = [ClassFolder(top.path, top.name, "") for top in classes]
    for split, folder in splits.items():
        found += [ClassFolder(entry.path, entry.name, split) for entry in _unwrapped(reader, folder, split)]
    _check_depth(reader, [folder for folder in found if folder.split == found[0].split])
    return found


def _split_folders(
    reader: FolderReading, tops: list[os.DirEntry[str]]
) -> tuple[dict[str, os.DirEntry[str]], list[os.DirEntry[str]]]:
    """The folder of each split, {} where the owner has not split the pictures, and the class folders beside them."""
    named = [top for top in tops if split_of_name(top.name)]
    if reader.config.split_folders == "no" or not named:
        return {}, tops
    unlabelled = [top for top in tops if top not in named and is_for_prediction(top.name)]
    others = [top for top in tops if top not in named and top not in unlabelled and _holds_something(top.path)]
    splits = _one_for_each(named)
    trains = "train" in splits or not reader.for_training
    if reader.config.split_folders == "auto" and others:
        flat = [top.name for top in named if not folders_in(top.path)]
        if flat and not any(is_split_alone(name) and name.casefold() != "train" for name in flat):
            return {}, tops  # toy trains are a class too, and so are test tubes
        classes_within = {inner.name for top in named for inner in folders_in(top.path)}
        same = not trains and classes_within and classes_within <= {top.name for top in others}
        if flat or not (same or (trains and len(splits) > 1)):
            _refuse_splits(reader, [top.name for top in named], [top.name for top in others])
    elif reader.config.split_folders == "auto" and not trains:
        _refuse_splits(reader, [top.name for top in named], [])
    left = unlabelled + (others if trains else [])
    if left:
        reader.notes.append(f"skipped folders next to the splits: {reader.shown([top.name for top in left])}")
    return splits, [] if trains else others


def _one_for_each(named: list[os.DirEntry[str]]) -> dict[str, os.DirEntry[str]]:
    splits: dict[str, os.DirEntry[str]] = {}
    words = Counter(split_of_name(top.name) for top in named)
    for top in named:
        split = split_of_name(top.name) or ""
        # Where there is a test split too, eval is what others call val.
        if split == "test" and words["test"] > 1 and not words["val"] and "eval" in top.name.casefold():
            split = "val"
        if split in splits:
            raise DataError(
                f"one folder for the {split} split",
                found=f"{shown_name(splits[split].name)!r} and {shown_name(top.name)!r}",
                fix="Keep one of them, or say --split-folders no if they are classes.",
            )
        splits[split] = top
    order = ("train", "val", "test")
    return dict(sorted(splits.items(), key=lambda item: order.index(item[0])))


def _refuse_splits(reader: FolderReading, named: list[str], others: list[str]) -> NoReturn:
    told, plural = reader.shown(named), len(named) > 1
    if not others:
        raise DataError(
            "pictures to train on", found=f"only {told}, named as other splits",
            fix="Give the folder that holds the training pictures too, or say --split-folders no if these are classes.",
        )  # fmt: skip
    raise DataError(
        "folders of which one can tell which are splits and which are classes",
        found=f"{told} beside {reader.shown(others)}",
        fix=f"Say --split-folders yes if {told} {'are splits' if plural else 'is a split'}, or --split-folders no if "
        f"{'they are classes' if plural else 'it is a class'}.",
    )


def _unwrapped(reader: FolderReading, folder: os.DirEntry[str], split: str) -> list[os.DirEntry[str]]:
    """The class folders of a split: seg_train/seg_train/CLASS has them one deeper."""
    inner = folders_in(folder.path)
    if len(inner) == 1 and (inner[0].name == folder.name or split_of_name(inner[0].name) == split):
        return _unwrapped(reader, inner[0], split)
    return _look_around(reader, folder.path, where=folder.name)


def _look_around(reader: FolderReading, folder: str | Path, *, where: str) -> list[os.DirEntry[str]]:
    """The folders in a folder of class folders; what else lies there is counted."""
    folders = []
    for entry in list_entries(folder, reader.passed):
        if entry.is_dir():
            folders.append(entry)
        elif is_picture(entry.name):
            reader.loose[where] += 1
        else:
            reader.passed.passes_file(entry.name)
    return folders


def _holds_splits_alone(top: os.DirEntry[str]) -> bool:
    inner = folders_in(top.path)
    return bool(inner) and all(is_split_alone(entry.name) for entry in inner) and not _holds_pictures(top.path)


def _check_depth(reader: FolderReading, folders: list[ClassFolder]) -> None:
    """DataError where the outer and the inner folders could be the classes; a note where the outer ones are taken."""
    if reader.config.class_folder != "auto" or not reader.for_training:
        return
    inner = {folder.name: [entry.name for entry in folders_in(folder.path)] for folder in folders}
    outer_names = {clean_label(name) for name in inner}
    for name, names in inner.items():  # a copy of the whole among its classes
        if len(outer_names & {*names}) > max(1, ALIKE * (len(outer_names) - 1)):
            _refuse_depth(reader, [name], names, why=" again")
    counts = Counter(name for names in inner.values() for name in names)
    shared = [name for name, count in counts.items() if count > 1]
    every = all(
        names and not _holds_pictures(folder.path) for folder, names in zip(folders, inner.values(), strict=True)
    )
    if len(folders) > 1 and every and len(shared) > 1 and len(shared) >= ALIKE * len(counts):
        _refuse_depth(reader, list(inner), shared, why="")
    if counts:
        example = next(f"{outer}/{names[0]}" for outer, names in inner.items() if names)
        reader.notes.append(
            f"a folder within a class folder is part of that class, such as {shown_name(example)} "
            "(--class-folder parent takes the innermost folders as classes)"
        )


def _refuse_depth(reader: FolderReading, outer: list[str], inner: list[str], *, why: str) -> NoReturn:
    raise DataError(
        "folders of which one can tell which are the classes",
        found=f"{reader.shown(inner)} in {reader.shown(outer)}{why}",
        fix=f"Say --class-folder top if {reader.shown(outer)} and the like are the classes, --class-folder parent if "
        f"{reader.shown(inner)} are.",
    )


def _holds_pictures(folder: str) -> bool:
    return any(is_picture(entry.name) for entry in list_entries(folder, PassedOver()))


def _holds_something(folder: str) -> bool:
    return next(walk_pictures(folder, PassedOver()), None) is not None
