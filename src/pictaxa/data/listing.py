"""What a layout's reader found, as columns, and the one way from there to an Index: classes, labels, checks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import DataError, Problem, ProblemKind
from ..images.formats import told_irregular
from .file_names import shown_name
from .index import Index, index_from_columns
from .labels import clean_label, clean_labels, find_twins, visible
from .problems import KIND, SENTENCE, problem_columns
from .split_names import SPLIT_WORDS

SPLIT_NAMES = SPLIT_WORDS
MAX_DIGITS = 1000  # of a number in a name; Python makes no number of very many
Column: TypeAlias = Any  # Sequence, numpy's or Arrow's array, of which mypy knows nothing


@dataclass(frozen=True)
class Listing:
    """Pictures in a fixed order, with the names of their classes; columns are as long as `paths`."""

    root: Path
    what: str  # the data set in words, for errors, such as "photos.csv"
    paths: Column  # str, as in the Index
    labels: Column  # str: the class's name; "" where there is none
    splits: Column | None = None  # train, val, test or ""
    more: dict[str, Column] = field(default_factory=dict)  # other columns of the Index
    problems: Sequence[Problem | None] = ()  # of each picture, where the reader knows of some
    declared: tuple[str, ...] = ()  # classes in an order of their own, where the data set has one
    notes: tuple[str, ...] = ()


def index_of(listing: Listing, classes: tuple[str, ...] | None = None) -> Index:
    """The Index of a listing. `classes` are those of a trained run, when it is to be judged by these pictures.

    Without, they are those that training may use, in the data set's own order or in natural order. Other splits are
    matched by name: one that training lacks is a DataError (in test its pictures are set aside), one that they lack is
    said. So are too few classes, and names that look the same.
    """
    rows = len(listing.paths)
    names, changed = clean_labels(pa.array(listing.labels, type=pa.string()))
    splits = pa.array(pa.repeat("", rows) if listing.splits is None else listing.splits, type=pa.string())
    for_training = pc.is_in(splits, value_set=pa.array(["", "train"]))
    if not pc.any(for_training).as_py():  # a part of a data set by itself; whoever trains on it says what is missing
        for_training = pc.is_valid(splits)
    notes = list(listing.notes)
    if changed:
        told = some([f"{visible(label)} as {name!r}" for label, name in changed])
        notes.append(f"blanks that can't be seen were taken off labels: {told}")
    source, split_of = "the run", {"": "the folder"}
    if classes is None:
        source, split_of = "train", {}
        classes = _classes(_distinct(names.filter(for_training)), listing, notes)
    notes += _check_by_name(names, splits, classes=classes, source=source, told=split_of)
    known = pa.array([clean_label(name) for name in classes], type=pa.string())
    labels = pc.fill_null(pc.index_in(names, value_set=known), -1)
    columns = {"path": listing.paths, "label": labels, "split": splits, **listing.more}
    columns |= _problems(listing, names, labels=labels, source=source)
    return index_from_columns(columns, root=Path(shown_name(str(listing.root))), classes=classes).with_notes(*notes)


def _problems(listing: Listing, names: pa.Array, *, labels: pa.Array, source: str) -> dict[str, Column]:
    """The columns of what the reader found, and of pictures whose label is none that can be used."""
    problems = problem_columns(listing.problems or [None] * len(listing.paths))
    nameless = pc.equal(names, "")
    unlabelled = {
        SENTENCE: pc.if_else(nameless, "it has no label", f"{source} has no class of its label"),
        KIND: pc.if_else(nameless, ProblemKind.NO_LABEL.value, ProblemKind.UNKNOWN_LABEL.value),
    }
    new = pc.and_(pc.less(labels, 0), pc.equal(problems[KIND], ""))
    return {name: pc.if_else(new, unlabelled[name], problems[name]) for name in problems}


def natural_order(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key with numbers by value: 2 before 10."""
    parts = re.split(r"(\d+)", name.casefold())
    key = [
        (0, int(part), "") if part.isdecimal() and len(part) <= MAX_DIGITS else (1, 0, part) for part in parts if part
    ]
    return key, name


def file_status(path: Path | os.DirEntry[str]) -> tuple[int, int, Problem | None]:
    """Bytes, time of the last change in ns, and the problem where there is one."""
    try:
        status = path.stat()
        kind = told_irregular(status.st_mode)
        return status.st_size, status.st_mtime_ns, ProblemKind.UNREADABLE.told(kind) if kind else None
    except OSError as error:
        return 0, 0, ProblemKind.UNREADABLE.told(error.strerror or error)
    except ValueError:  # which versions of Python tell in words of their own
        return 0, 0, ProblemKind.UNREADABLE.told("no path, as it has a null character")


def of_file(file: Path, rows: int) -> dict[str, Column]:
    """The columns that are the same for all pictures within a file: its bytes and the time of its last change."""
    size_bytes, mtime_ns, _ = file_status(file)
    values = {"bytes": size_bytes, "mtime_ns": mtime_ns}
    return {name: pa.repeat(pa.scalar(value, pa.int64()), rows) for name, value in values.items()}


def some(names: Sequence[str], *, at_most: int = 5) -> str:
    """The first few of many names, and how many more there are."""
    shown = ", ".join(names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"


def _distinct(names: pa.Array) -> list[str]:
    return [name for name in pc.unique(names).to_pylist() if name]


def _classes(present: Iterable[str], listing: Listing, notes: list[str]) -> tuple[str, ...]:
    """The one class list, from the pictures that classes are learned from."""
    known = set(present)
    if listing.declared:
        declared = [clean_label(name) for name in listing.declared]
        absent = [name for name in declared if name not in known]
        if absent:
            notes.append(f"left out classes without a training picture: {some(absent)}")
        classes = tuple(name for name in declared if name in known)
    else:
        classes = tuple(sorted(known, key=natural_order))
    if not classes:
        raise DataError(
            "pictures with a label to train on", found=f"none in {listing.what}", fix="Check the labels and splits."
        )
    if len(classes) < 2:
        raise DataError(
            "at least two classes",
            found=f"only {classes[0]!r} in {listing.what}",
            fix="Add pictures of another class.",
        )
    twins = find_twins(classes, folds_case=not listing.declared)  # EMNIST's A and a are meant
    if twins:
        raise DataError(
            "class names that a reader can tell apart, by more than case, width or blanks",
            found=" and ".join(map(visible, twins)), fix="Merge or rename one of them.",
        )  # fmt: skip
    return classes


def _check_by_name(
    names: pa.Array, splits: pa.Array, *, classes: tuple[str, ...], source: str, told: dict[str, str]
) -> list[str]:
    """An error for a class that the source of the class list lacks, a note for one that a split lacks."""
    notes = []
    for split in sorted(pc.unique(splits).to_pylist()):
        if source == "train" and split in ("", "train"):
            continue
        where = told.get(split, split)
        present = _distinct(names.filter(pc.equal(splits, split)))
        unknown = sorted(set(present) - set(classes), key=natural_order)
        if unknown and split == "test":
            notes.append(f"set aside pictures of test whose class {source} does not have: {some(unknown)}")
        elif unknown:
            raise DataError(
                f"only classes in {where} that {source} has too ({some(classes)})",
                found=some(unknown),
                fix="Add pictures of this class to train, rename it, or remove it.",
            )
        absent = [name for name in classes if name not in set(present)]
        if absent:
            notes.append(f"{where} has no picture of {some(absent)}, which {source} has")
    return notes
