"""From the cells of a table to files: paths as people have them, of this machine, of another one, or ids alone.

Each way is tried on the cells for which the ones before it found nothing, and what is not plain is said: a beginning
that was left out, a suffix that was added, a file that was found by its name alone.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ..errors import DataError, Problem, ProblemKind
from .file_names import shown_name
from .file_search import MOSTLY, SAMPLE, FileSearch, Found, look, stem_of, template_of
from .listing import some

URL = re.compile(r"(https?|ftp|s3|gs|gcs|azure|hdfs)://", re.I)
IS_URL = Problem(ProblemKind.REMOTE, "a URL: download it first")
UPLOAD = re.compile(r"^/data/upload/(\d+/)?")  # what Label Studio writes before a file's name
SERVED = "/data/local-files/?d="  # and before a path


@dataclass(frozen=True)
class Places:
    """Of each row: the file's path from the root, where inside it, its bytes, its time, and why it is set aside."""

    paths: list[str]
    inside: list[str]
    bytes: list[int]
    mtime_ns: list[int]
    problems: list[Problem | None]
    notes: tuple[str, ...]


def find_places(
    cells: list[str],
    *,
    folder: Path,
    root: Path,
    template: str = "",
    others: Callable[[str], list[str]] | None = None,
    label: str = "",
) -> Places:
    """The files of a table's cells; DataError when most are not there.

    Args:
        cells: a path, a name or an id for each row.
        folder: where paths begin, and below which files are looked for.
        root: which the paths that are given back begin at: `folder`, or a folder above it.
        template: what a path is made of, with {} for the cell, {:05} for a number's digits, and {COLUMN} for another
            column's word.
        others: gives another column's words, for the template.
        label: the column of labels, of which a template may be advised.

    Example:
        find_places(["cat/0.jpg", "dog/0"], folder=Path("pets"), root=Path("pets")).paths
    """
    web = [cell for cell in cells if URL.match(cell)]
    if len(web) > MOSTLY * len(cells):
        raise DataError(
            "files on this machine", found=f"{len(web)} URLs, such as {web[0]!r}",
            fix="Download the pictures first, and put their paths into the table.",
        )  # fmt: skip
    asked = _filled(template, cells, others) if template else cells
    found = [look(folder, cell) for cell in asked]
    search = FileSearch(folder)
    notes = _find_the_rest(asked, found, search, by_name=not template)
    gone = [cell for cell, one in zip(asked, found, strict=True) if one.problem]
    if len(gone) > MOSTLY * len(cells) or not cells:
        raise DataError(
            f"a manifest whose files exist, with paths relative to {str(folder)!r}",
            found=f"{len(gone)} of {len(cells)} missing, such as {some(gone, at_most=2)!r}",
            fix=_advice(cells, found, search, others=others, label=label),
        )
    prefix = "" if folder == root else f"{Path(os.path.relpath(folder, root)).as_posix()}/"
    return Places(
        paths=[shown_name(_from_root(one.path, prefix)) for one in found],
        inside=[one.inside for one in found],
        bytes=[one.bytes for one in found],
        mtime_ns=[one.mtime_ns for one in found],
        problems=[_problem(one) for one in found],
        notes=tuple(notes),
    )


def _from_root(path: str, prefix: str) -> str:
    """A path from the folder as one from the root; whole ones stay, and ./ before one says nothing."""
    plainly = path[:1] not in ("", ".", os.sep) and path[1:2] != ":"  # asking Path takes longer than all the rest
    if not plainly and (not path or Path(path).is_absolute()):
        return path
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return prefix + path


def _problem(one: Found) -> Problem | None:
    return IS_URL if one.problem and URL.match(one.path) else one.problem


def _filled(template: str, cells: list[str], others: Callable[[str], list[str]] | None) -> list[str]:
    """Each cell in the template; "" stays "", which is no path. {:05} gives a number five digits."""
    parts = re.split(r"\{([^{}]*)\}", template)  # text, field, text, field, text
    names = [UPLOAD.sub("", cell) for cell in cells]
    columns = []
    for name, _, digits in (part.partition(":") for part in parts[1::2]):
        words = names if not name or others is None else others(name)
        width = int(digits) if digits.isdecimal() else 0
        columns.append([word.zfill(width) for word in words])
    return [
        "".join(word for pair in zip(parts[::2], (*row, ""), strict=True) for word in pair) if cell else ""
        for cell, row in zip(cells, zip(*columns, strict=True), strict=True)
    ]


def _advice(
    cells: list[str],
    found: list[Found],
    search: FileSearch,
    *,
    others: Callable[[str], list[str]] | None,
    label: str,
) -> str:
    """What to do when most files are not there, by what lies below the folder."""
    gone = [(row, plain(cell)) for row, cell in enumerate(cells) if cell and found[row].problem][:SAMPLE]
    by_name = {cell: path for _, cell in gone if (path := search.anywhere(cell)) is not None}
    if template := template_of(list(by_name.items())):
        return f"Use --path-template {template!r}."
    if search.ambiguous and label and others:
        template = f"{{{label}}}/{{}}"
        asked = _filled(template, cells, others)
        if sum(search.exactly_or_alike(asked[row]) is not None for row, _ in gone) > MOSTLY * len(gone):
            return f"Use --path-template {template!r}, because there is a folder for each label."
    if search.ambiguous:
        cell, paths = search.ambiguous[0]
        either = some([repr(path) for path in paths], at_most=2)
        return f"{cell!r} could be {either}: use --root to give the folder that the paths are relative to."
    return "Move the manifest to the folder that its paths start from, use --root FOLDER, or write absolute paths."


def _find_the_rest(cells: list[str], found: list[Found], search: FileSearch, *, by_name: bool) -> list[str]:
    """Fill in what is found in other ways than by the cell as it is; what is to be said of these."""

    def left() -> list[tuple[int, str]]:
        return [(row, plain(cell)) for row, cell in enumerate(cells) if cell and found[row].problem]

    def take(way: Callable[[str], str | None]) -> list[tuple[str, str]]:
        """Files that a way finds for cells without one. A file that two cells would have is another one's picture."""
        used = {one.path for one in found if not one.problem}
        ways = {cell: way(cell) for cell in dict.fromkeys(cell for _, cell in left())}
        uses = Counter(ways.values())
        for row, cell in left():
            path = ways[cell]
            if path is not None and uses[path] == 1 and path not in used:
                found[row] = look(search.folder, path)
        return [
            (cell, path) for cell, path in ways.items() if path is not None and uses[path] == 1 and path not in used
        ]

    def most_are_gone() -> bool:  # else the table is right, and a few files are gone: none is looked for elsewhere
        return by_name and len(left()) > MOSTLY * len(cells)

    # Only slashes differ, or how a space is written: said of none.
    take(lambda cell: next((path for path in (cell, unquote(cell)) if search.is_there(path)), None))
    notes = _told_alike(take(search.alike))
    if most_are_gone() and (beginning := search.needless_beginning([cell for _, cell in left()])):
        taken = take(lambda cell: search.exactly_or_alike(cell.removeprefix(beginning)))
        notes.append(f"{len(taken)} paths are read without {beginning!r} at the beginning")
    if most_are_gone():
        notes += _told_by_name(take(search.anywhere))
    return notes


def plain(cell: str) -> str:
    """A path with forward slashes, without spaces around it and ./ before it; of a served one what it serves."""
    text = cell.strip().strip("\u200b\ufeff")
    if text.startswith(SERVED):
        text = unquote(text.removeprefix(SERVED))
    elif text.startswith("file://"):
        text = unquote(text.removeprefix("file://"))
    if text.startswith("~/"):
        home = os.path.expanduser(text)  # noqa: PTH111  # a home that is none stays as it is
        text = home if os.path.exists(home) else text  # noqa: PTH110  # Path.exists raises where a name is too long
    text = text.replace("\\", "/")
    while text.startswith("./"):
        text = text[2:]
    return text


def _told_alike(taken: list[tuple[str, str]]) -> list[str]:
    bare = [(cell, path) for cell, path in taken if stem_of(cell) == cell and stem_of(path) != path]
    other = [(cell, path) for cell, path in taken if (cell, path) not in set(bare)]
    notes = []
    if bare:
        suffixes = Counter(path[len(stem_of(path)) :] for _, path in bare)
        notes.append(f"{len(bare)} paths have no suffix; {some(list(suffixes))} is added")
    if other:
        cell, path = other[0]
        notes.append(f"{len(other)} files have slightly different names, such as {path!r} for {cell!r}")
    return notes


def _told_by_name(taken: list[tuple[str, str]]) -> list[str]:
    if not taken:
        return []
    if template := template_of(taken):
        return [f"{len(taken)} files were found by name (--path-template {template!r})"]
    cell, path = taken[0]
    return [f"{len(taken)} files were found by name only, such as {path!r} for {cell!r}"]
