"""Manifests: tables with a row per picture, in CSV, TSV, lines of text, JSON, JSON lines or parquet; one or several.

    path,label,split,group        the path is relative to the manifest's folder, or absolute
    2024/a.jpg,daisy,train,camera1

Which columns these are is guessed from their names and said; --path-column and the like say it outright. Of several
tables all are read; one without a column of splits has the one that its name, or its folder's, speaks of.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...config.data import ReadingConfig
from ...errors import DataError, Problem
from ..columns import Columns, choose_columns, is_known, labels_of, splits_of
from ..layout import Layout, common_folder, split_of_file, told_from
from ..listing import Listing, some
from ..table import Table, numbers_among_words, several_in_a_cell, single_labels
from ..table_paths import Places, find_places
from ..tables import JSON_SUFFIXES, SUFFIXES, WORKBOOKS, is_table, read_table
from .parquet import holds_pictures

# Of a folder: .parquet is another layout's, and a lone .json is more often something else.
IN_FOLDERS = tuple(suffix for suffix in SUFFIXES if suffix not in (".parquet", *JSON_SUFFIXES, *WORKBOOKS))


@dataclass(frozen=True)
class Part:
    """What a table says, with its rows' files."""

    file: Path
    columns: Columns
    places: Places
    problems: list[Problem | None]
    labels: list[str]
    splits: np.ndarray | None
    groups: list[str]
    declared: tuple[str, ...]
    notes: tuple[str, ...]


def list_manifest(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of manifests; DataError on a table that can't be read, absent columns, unknown splits, tables that
    differ in their columns, a picture in two of them, and when most files of one are not there.
    """
    files = tables_within(files)
    root = reading.root.expanduser().absolute() if reading.root else common_folder(files)
    parts = [_list_table(file, reading, root=root) for file in files]
    first = parts[0]
    for part in parts:
        if part.columns != first.columns or part.declared != first.declared:
            raise DataError(
                "tables with the same columns and classes",
                found=f"{first.file.name!r} with {first.columns.note()}, {part.file.name!r} with {part.columns.note()}",
                fix="Give the tables separately, or give them the same columns.",
            )
    _check_once(parts, root=root)
    more = {
        "inside": _joined(parts, lambda part: part.places.inside),
        "bytes": _joined(parts, lambda part: part.places.bytes),
        "mtime_ns": _joined(parts, lambda part: part.places.mtime_ns),
    }
    if first.columns.group:
        more["group"] = _joined(parts, lambda part: part.groups)
    labels = _joined(parts, lambda part: part.labels)
    paths = _joined(parts, lambda part: part.places.paths)
    told = [several_in_a_cell(labels), _again(paths)]
    notes = [first.columns.note(), *dict.fromkeys(note for part in parts for note in part.notes)]
    if len(parts) > 1:
        counts = [f"{told_from(root, part.file)} ({len(part.labels)} rows)" for part in parts]
        notes.insert(0, f"{len(parts)} tables: {some(counts)}")
    return Listing(
        root, some([told_from(root, file) for file in files]), paths, labels, _splits(parts), more=more,
        problems=_joined(parts, lambda part: part.problems), declared=first.declared,
        notes=(*notes, *filter(None, told)),
    )  # fmt: skip


def _list_table(file: Path, reading: ReadingConfig, *, root: Path) -> Part:
    table = read_table(file, reading.encoding, known=is_known, label=reading.label_column)
    columns = choose_columns(list(table.columns), reading, file=file, roles=table.roles, words=table.words)
    folder = root if reading.root else file.parent
    places = find_places(
        table.words(columns.path),
        folder=folder,
        root=root,
        template=reading.path_template,
        others=_other(table),
        label=columns.label,
    )
    own = table.problems or [None] * len(places.paths)  # of the table itself: several labels, say
    problems = [problem or other for problem, other in zip(places.problems, own, strict=True)]
    labels = single_labels(labels_of(columns, table.words), what=f"the labels of {file.name!r}")
    mixed = numbers_among_words(table.columns[columns.label]) if columns.label else ""
    return Part(
        file, columns, places, problems, labels, splits_of(columns, table.words, file=file),
        table.words(columns.group) if columns.group else [], columns.one_hot or table.declared,
        (*table.notes, *places.notes, *filter(None, [mixed])),
    )  # fmt: skip


def _other(table: Table) -> Callable[[str], list[str]]:
    """Another column's words, for --path-template."""

    def words(name: str) -> list[str]:
        if name not in table.columns:
            raise DataError(
                f"a column {name!r} of {table.file.name!r}", found=some(list(table.columns), at_most=12),
                fix="Change --path-template.",
            )  # fmt: skip
        return table.words(name)

    return words


def _joined(parts: list[Part], column: Callable[[Part], list[Any]]) -> list[Any]:
    return [value for part in parts for value in column(part)]


def _again(paths: list[str]) -> str:
    """What to say of pictures that several rows have, as tables of boxes do; "" where there are none."""
    counts = Counter(path for path in paths if path)
    twice = [path for path, count in counts.items() if count > 1]
    rows = sum(counts[path] - 1 for path in twice)
    return f"{rows} rows repeat a picture of another row, such as {twice[0]!r}" if rows else ""


def _splits(parts: list[Part]) -> np.ndarray | None:
    """Of columns; without, of several tables those that their names, or their folders', speak of."""
    if len(parts) == 1:
        return parts[0].splits
    files = [part.file for part in parts]
    return np.concatenate(
        [
            np.full(len(part.labels), split_of_file(part.file, among=files), dtype=object)
            if part.splits is None
            else part.splits
            for part in parts
        ]
    )


def _check_once(parts: list[Part], *, root: Path) -> None:
    """DataError for a picture that stands in two tables: it would be learnt from twice, or judge what it taught."""
    seen: dict[str, Part] = {}
    whole = root.absolute()
    for part in parts if len(parts) > 1 else ():
        paths = {os.path.normpath(whole / path) for path in part.places.paths if path}
        twice = sorted(paths & seen.keys())
        if twice:
            one, other = (told_from(root, each.file) for each in (seen[twice[0]], part))
            raise DataError(
                "each picture in only one table",
                found=f"{len(twice)} in {one!r} and {other!r}, such as {told_from(whole, Path(twice[0]))!r}",
                fix="Give only one of the tables, or remove these pictures from one of them.",
            )
        seen |= dict.fromkeys(paths, part)


def tables_within(files: list[Path]) -> list[Path]:
    """A folder as the tables in it; files as they are. DataError where there are none."""
    if not files[0].is_dir():
        return files
    found = _in_folder(files[0])
    if not found:
        raise DataError(
            f"tables ({', '.join(IN_FOLDERS)}) of pictures", found=f"none in {str(files[0])!r}", fix="Check the path."
        )
    return found


def _in_folder(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in IN_FOLDERS and not file.name.startswith(".") and _is_manifest(file)
    ]


def _is_manifest(place: Path) -> bool:
    return (
        place.is_file()
        and is_table(place, known=is_known)
        and not (place.suffix.lower() == ".parquet" and holds_pictures(place))
    )


def recognises(place: Path) -> bool:
    """A table, or a folder with tables in it."""
    return bool(_in_folder(place)) if place.is_dir() else _is_manifest(place)


LAYOUT = Layout("manifest", recognises=recognises, lists=list_manifest)
