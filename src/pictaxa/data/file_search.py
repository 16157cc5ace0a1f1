"""Files for paths that are not there as they stand: of another case, without a suffix, or elsewhere in the folder.

Nothing outside the folder is listed.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from ..errors import Problem, ProblemKind
from ..images.decode import FORMAT_OF_SUFFIX, is_picture
from .listing import file_status
from .walk import PassedOver, walk_pictures

SAMPLE = 50  # paths by which a common beginning is tried, or advice is found
MOSTLY = 0.5  # of the files must be there
UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.S)  # Label Studio writes eight digits before a file's name
NO_PATH = Problem(ProblemKind.NO_PATH, "it has no path")


class Found(NamedTuple):
    """What is at a path: where inside the file the picture is, the file's bytes and time, why it can't be read."""

    path: str
    inside: str
    bytes: int
    mtime_ns: int
    problem: Problem | None


def look(folder: Path, cell: str) -> Found:
    """What is at a path from a folder; FILE#INSIDE is a picture inside a file."""
    if not cell:
        return Found(cell, "", 0, 0, NO_PATH)
    inside, (size_bytes, mtime_ns, problem) = "", file_status(folder / cell)
    if problem and "#" in cell:  # a picture inside a file, as `pictaxa inspect --fix` writes it
        holder, _, inside = cell.partition("#")
        size_bytes, mtime_ns, problem = file_status(folder / holder)
    return Found(cell, inside, size_bytes, mtime_ns, problem)


class FileSearch:
    """Looks for files in a folder, and keeps what it has listed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: dict[str, dict[str, list[str]]] = {}  # folder -> name or stem, folded -> names
        self.below: dict[str, list[str]] | None = None  # name or stem, folded -> paths
        self.ambiguous: list[tuple[str, list[str]]] = []

    def is_there(self, cell: str) -> bool:
        """Whether a path is a file as it stands, or one of a picture inside a file."""
        return not look(self.folder, cell).problem

    def alike(self, cell: str) -> str | None:
        """The one file in the cell's folder that differs in the case of its name, or in its suffix."""
        place, _, name = cell.rpartition("/")
        if place and (Path(place).is_absolute() or ".." in place.split("/")) and not self._is_inside(place):
            return None
        if place not in self.listed:
            try:
                names = os.listdir(self.folder / place)
            except (OSError, ValueError):
                names = []
            self.listed[place] = _by_name((name, name) for name in names if is_picture(name))
        names = _called(name, self.listed[place])
        if len(names) != 1:
            return None
        return f"{place}/{names[0]}" if place else names[0]

    def _is_inside(self, place: str) -> bool:
        return (self.folder / place).resolve().is_relative_to(self.folder.resolve())

    def exactly_or_alike(self, cell: str) -> str | None:
        """A path as it is, or nearly."""
        return cell if self.is_there(cell) else self.alike(cell)

    def needless_beginning(self, cells: list[str]) -> str:
        """What all paths begin with and most are there without, such as /home/anna/; the shortest of them, or ""."""
        folders = [cell.split("/")[:-1] for cell in cells]
        pairs = zip(min(folders), max(folders), strict=False)  # what these two share, all between them share
        common = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
        sample = cells[:: max(1, len(cells) // SAMPLE)]
        for count in range(1, len(common) + 1):
            beginning = "/".join(common[:count]) + "/"
            there = sum(self.exactly_or_alike(cell[len(beginning) :]) is not None for cell in sample)
            if there > MOSTLY * len(sample):
                return beginning
        return ""

    def anywhere(self, cell: str) -> str | None:
        """The one file below the folder that has a cell's name, or its id, and most of the folders before it."""
        if self.below is None:
            self.below = _by_name(_pictures_below(self.folder))
        *folders, name = folded(cell).split("/")
        candidates = _called(name, self.below)
        if len(candidates) > 1:
            shared = [_shared_end(folded(path).split("/")[:-1], folders) for path in candidates]
            best = [path for path, count in zip(candidates, shared, strict=True) if count == max(shared)]
            if len(best) > 1:
                self.ambiguous.append((cell, best))
            candidates = best
        return candidates[0] if len(candidates) == 1 else None


def _called(name: str, listed: dict[str, list[str]]) -> list[str]:
    """The files of a name whatever its case, or of an id; a.jpeg is a.jpg, but a.png is another (a mask, say)."""
    format_of, uploaded = FORMAT_OF_SUFFIX.get(Path(name).suffix.lower(), ""), UPLOADED.fullmatch(name)
    found = listed.get(folded(name)) or [
        path
        for path in listed.get(folded(stem_of(name)), [])
        if not format_of or FORMAT_OF_SUFFIX.get(Path(path).suffix.lower()) == format_of
    ]
    return found or (_called(uploaded[1], listed) if uploaded else [])


def _by_name(pictures: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """(name, path) pairs -> the paths by name, and by name without suffix, both folded."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, path in pictures:
        for key in {folded(name), folded(stem_of(name))}:
            found[key].append(path)
    return found


def _pictures_below(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, path from the folder) of every picture below it; hidden and system folders are passed over."""
    for entry in walk_pictures(folder, PassedOver()):
        yield entry.name, os.path.relpath(entry.path, folder).replace(os.sep, "/")


def _shared_end(one: list[str], other: list[str]) -> int:
    """How many folders two paths share, counted from the file."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


def template_of(taken: list[tuple[str, str]]) -> str:
    """The template by which all of these cells are their paths; "" where there is none."""
    if len({path for _, path in taken}) < 2:
        return ""
    cell, path = taken[0]
    before, inside, after = path.rpartition(cell)
    fits = inside and all(other == f"{before}{word}{after}" for word, other in taken)
    return f"{before}{{}}{after}" if fits else ""


def folded(name: str) -> str:
    """A name as file names are compared: whatever its case, composed or not."""
    return unicodedata.normalize("NFC", name).casefold()


def stem_of(name: str) -> str:
    """A path without a picture's suffix; ids may have dots."""
    return name.rpartition(".")[0] if is_picture(name) else name
