"""Reads a data set of any layout into an Index: recognises the layout, or says why there is none."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..config.data import ReadingConfig
from ..errors import DataError, PictureError, close_matches
from ..images.decode import is_picture, measure
from .cache_folder import default_cache_root
from .encoding import guess_encoding
from .fetching import Fetcher
from .file_names import find_on_disk, shown_name
from .index import Index
from .labels import clean_label
from .layout import Layout, check_kind, check_places
from .layouts import folders
from .layouts.registry import FILE_KINDS, find_layout, recognise
from .listing import Column, Listing, index_of, some
from .named import NAMED, fetch_named, is_named
from .naming import called, find_names_file, read_names
from .split_names import is_split_alone, split_of_name
from .walk import PassedOver, list_entries

PLAIN = ReadingConfig()
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")
PACKED = (".zip", ".7z", ".rar", ".gz", ".tgz", ".bz2", ".xz")
WORDS = re.compile(r"[*?\[{]")


def read_data(
    path: str | Path,
    reading: ReadingConfig = PLAIN,
    *,
    classes: tuple[str, ...] | None = None,
    cache: Path | None = None,
) -> Index:
    """List a data set; no picture is decoded. `classes` are a trained run's, when it is to be judged by these pictures.

    A name of named.py is fetched into `cache`, a folder of caches (by default the user's).

    DataError: no such place, a pipe or a device, no layout that it has, no pictures, fewer than two classes, classes
    that differ only in case, a class in another split that training lacks.
    """
    if is_named(str(path)) and not Path(path).exists():
        named = NAMED.get(str(path))
        path = fetch_named(str(path), cache or default_cache_root())
        if named and named.classes and reading.class_names is None:
            reading = replace(reading, class_names=path / "names.txt")
    files = find_files(path)
    for file in files:
        check_kind(file)
    wrapped = files[0]
    if len(files) == 1 and reading.layout in ("auto", "folders"):
        files[0] = unwrap(files[0], classes=classes or ())
    layout = guess_one(files) if reading.layout == "auto" else find_layout(reading.layout)
    check_places(files, layout)
    if not files[0].exists():
        raise DataError(f"the layout {layout.name}", found=f"nothing at {str(files[0])!r}", fix="Check the path.")
    listing = layout.lists(files, reading, for_training=classes is None)
    listing = choose(rename(listing, reading), reading.only)
    if reading.layout == "auto" and layout.name != "folders":
        listing = replace(listing, notes=(f"read as {layout.name} (--layout {layout.name})", *listing.notes))
    if files[0] != wrapped:
        listing = replace(listing, notes=(f"the data set is {shown_name(str(files[0]))}", *listing.notes))
    return index_of(listing, classes)


def unwrap(folder: Path, *, classes: tuple[str, ...]) -> Path:
    """The folder that holds the data set, where folders around it, such as a zip's own, hold nothing else."""
    entries = list_entries(folder, PassedOver()) if folder.is_dir() else []
    inner = [entry for entry in entries if entry.is_dir()]
    if len(inner) != 1 or clean_label(shown_name(inner[0].name)) in classes or recognise(folder) is not folders.LAYOUT:
        return folder
    within = Path(inner[0].path)
    deeper = [entry.name for entry in list_entries(within, PassedOver()) if entry.is_dir()]
    loose = any(is_picture(entry.name) for entry in entries)
    own_split = is_split_alone(inner[0].name) or (split_of_name(inner[0].name) and not any(map(split_of_name, deeper)))
    if loose or own_split or (not deeper and recognise(within) is folders.LAYOUT):
        return folder
    return unwrap(within, classes=classes)


def rename(listing: Listing, reading: ReadingConfig) -> Listing:
    """With the names that a file of synsets or of classes has for folders and numbers."""
    file = reading.class_names or (None if listing.declared else find_names_file(listing.root))
    if file is None:
        return listing
    names, labels = read_names(file), pa.array(listing.labels, type=pa.string()).fill_null("").to_pylist()
    known = {label for label in labels if label in names}
    if not known:
        if reading.class_names is None:
            return listing
        raise DataError(
            f"names of classes such as {some(sorted(set(labels)))!r} in {str(file)!r}", found=some(list(names)),
            fix="Give another file with --class-names.",
        )  # fmt: skip
    encoding = guess_encoding(file.read_bytes())
    how = "" if encoding.startswith("utf-8") else f" (read as {encoding})"
    notes = (f"{len(known)} class names come from {file.name}{how}", *listing.notes)
    told = called([*listing.declared, *labels], names)
    declared = tuple(told[name] for name in listing.declared)
    return replace(listing, labels=[told[label] for label in labels], declared=declared, notes=notes)


def choose(listing: Listing, only: tuple[str, ...]) -> Listing:
    """Only the pictures of some classes; all where none are named."""
    if not only:
        return listing
    labels = pa.array(listing.labels, type=pa.string())
    known = [name for name in pc.unique(labels).to_pylist() if name]
    unknown = [name for name in only if name not in known]
    if unknown:
        raise DataError(
            f"classes of {listing.what} (--only)", found=some(unknown), fix=close_matches(unknown[0], known)
        )
    rows = pc.is_in(labels, value_set=pa.array(only)).to_numpy(zero_copy_only=False).nonzero()[0]
    return replace(
        listing,
        paths=_taken(listing.paths, rows),
        labels=_taken(labels, rows),
        splits=None if listing.splits is None else _taken(listing.splits, rows),
        problems=[listing.problems[row] for row in rows.tolist()] if listing.problems else (),
        more={name: _taken(column, rows) for name, column in listing.more.items()},
        declared=tuple(name for name in listing.declared if name in only),
        notes=(*listing.notes, f"left out {len(known) - len(only)} of {len(known)} classes (--only)"),
    )


def _taken(column: Column, rows: np.ndarray) -> pa.Array:
    return pa.array(column).take(pa.array(rows))


def resolve_path(path: Path) -> Path:
    """A path from wherever the command is given, whole, and as text; a data set's name as it is."""
    return path if is_named(str(path)) and not path.exists() else Path(shown_name(str(path.expanduser().resolve())))


def find_files(place: str | Path) -> list[Path]:
    """A folder or file as it is; patterns with *, {0..9} and {a,b} as the files that they name, in order."""
    path = find_on_disk(Path(place).expanduser())
    text = str(path)
    if path.exists() or not WORDS.search(text):
        return [path]
    found = [Path(match) for word in expand_braces(text) for match in (sorted(glob.glob(word)) or [word])]  # noqa: PTH207  # Path.glob takes no pattern that begins at the root
    missing = [str(path) for path in found if not path.exists()]
    if missing:
        raise DataError(f"files like {text!r}", found=f"nothing at {some(missing)}", fix="Check the pattern.")
    return list(dict.fromkeys(found))


def expand_braces(text: str) -> Iterator[str]:
    """`a-{00..02}.tar` to a-00.tar, a-01.tar, a-02.tar; `{x,y}.tar` to x.tar, y.tar."""
    match = BRACES.search(text)
    if match is None:
        yield text
        return
    first, last, words = match.groups()
    inner = words.split(",") if words else [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
    for word in inner:
        yield from expand_braces(text[: match.start()] + word + text[match.end() :])


def guess_one(files: list[Path]) -> Layout:
    """The layout that all of these places have; DataError where they have several."""
    layouts = [guess_layout(file) for file in files]
    other = next((place for place, layout in enumerate(layouts) if layout is not layouts[0]), None)
    if other is not None:
        raise DataError(
            "files of one layout",
            found=f"{str(files[0])!r} as {layouts[0].name}, {str(files[other])!r} as {layouts[other].name}",
            fix="Narrow the pattern, or say --layout.",
        )
    return layouts[0]


def guess_layout(path: Path) -> Layout:
    """The layout that a file or folder has; DataError where there is nothing, or a file of another kind."""
    if not path.exists():
        near = difflib.get_close_matches(path.name, NAMED, n=1)
        raise DataError(
            "a folder with a sub-folder of pictures for each class, or another layout of docs/data.md",
            found=f"nothing at {str(path)!r}",
            fix=f"Did you mean the data set {near[0]}?" if near else "Check the path.",
        )
    layout = recognise(path)
    if layout is None:
        packed = path.name.lower().endswith(PACKED)
        raise DataError(
            f"a folder of pictures, or a file of {', '.join(FILE_KINDS)}", found=f"a file at {str(path)!r}",
            fix="Unpack it and give the folder." if packed else "Give the folder that holds the class folders.",
        )  # fmt: skip
    return layout


def survey(index: Index, *, at_most: int = 64) -> tuple[int, bool]:
    """The median longer side in pixels and whether all are grey, from the headers of an even sample of pictures."""
    step = max(1, len(index) // at_most)
    sides, greys, problem = [], [], ""
    with Fetcher(index) as fetcher:
        for row in range(0, len(index), step):
            try:
                width, height, grey = measure(fetcher.fetch(row), name=fetcher.name(row))
            except PictureError as error:
                problem = problem or error.reason
                continue
            sides.append(max(width, height))
            greys.append(grey)
    if not sides:
        raise DataError(
            "pictures that can be decoded",
            found=f"none among {len(index)} files under {str(index.root)!r} ({problem or 'no file'})",
            fix="Check that the files are pictures and that you have permission to read them.",
        )
    return sorted(sides)[len(sides) // 2], all(greys)
