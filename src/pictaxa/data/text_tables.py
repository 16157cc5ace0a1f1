"""Text with separators to columns: commas, semicolons, tabs or bars, as spreadsheets write it here and there.

What can't be read for sure is refused with the line it stands in.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..images.decode import is_picture
from .split_names import is_split_alone
from .table import Table

TSV_SUFFIXES, LINES_SUFFIXES = (".tsv", ".tab"), (".txt", ".lst")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
SEEN_CHARACTERS, SEEN_ROWS = 2**16, 20  # of a table, to find its separator


def read_text(text: str, *, file: Path, notes: tuple[str, ...], known: Callable[[str], bool]) -> Table:
    """Text with separators between its cells; without any, lines of `path label`. ValueError for what doesn't fit."""
    first, body, separator = _without_preamble(text.rstrip("\x1a"), known=known)  # DOS ends a text with it
    separator = separator or find_separator(body, file.suffix, known=known)
    if file.suffix.lower() in LINES_SUFFIXES and not _has_cells(body, separator, known=known):
        return _read_lines(body, file=file, first=first, notes=notes)
    reader = csv.reader(
        io.StringIO(body, newline=""), delimiter=separator, strict=True,
        skipinitialspace=separator == " " or f'{separator} "' in body,
    )  # fmt: skip
    rows: list[list[str]] = []
    lines: list[int] = []
    for row in reader:
        if any(cell.strip() for cell in row) and not (len(row) == 1 and row[0].startswith("#") and rows):
            rows.append(row)
            lines.append(first + reader.line_num)
    if not rows:
        raise ValueError("an empty file")
    names = [name.strip().lstrip("#\ufeff").strip() for name in rows[0]]
    if separator != "," and file.suffix.lower() not in TSV_SUFFIXES:
        notes = (*notes, f"{file.name} has cells separated by a {SEPARATORS[separator]}")
    if not any(known(name) for name in names) and any(is_picture(name) for name in names):
        columns = _columns([f"column {n}" for n in range(1, len(names) + 1)], rows, lines=lines)
        return Table(file, columns, roles=_roles(columns), notes=notes)
    return Table(file, _columns(names, rows[1:], lines=lines[1:]), notes=notes)


def _without_preamble(text: str, *, known: Callable[[str], bool]) -> tuple[int, str, str]:
    """Lines before the table, the table, and the separator that a first line such as `sep=;` names.

    Lines that begin with # are before it, but for one with the names of the columns.
    """
    skipped, separator = 0, ""
    while True:
        line, end, rest = text.partition("\n")
        word = line.strip().casefold().strip('"')
        if not skipped and word.startswith("sep=") and len(word) <= 5:
            separator = word[4:] or "\t"
        elif not end or (word and not (line.startswith("#") and not _names_columns(line, known=known))):
            return skipped, text, separator
        skipped, text = skipped + 1, rest


def _names_columns(line: str, *, known: Callable[[str], bool]) -> bool:
    """Whether a line that begins with # has the names of columns in it: `# path,label`."""
    cells = re.split(r"[,;\t|]", line.lstrip("# "))
    return len(cells) > 1 and any(known(cell.strip()) for cell in cells)


def find_separator(text: str, suffix: str = "", *, known: Callable[[str], bool]) -> str:
    """What stands between the cells: what gives known names, or else the most columns, the same number in each row.

    Spaces do only where nothing else does, below two names that are known.
    """
    order = ("\t", ",", ";", "|") if suffix.lower() in TSV_SUFFIXES else (",", ";", "\t", "|")

    def fits(separator: str) -> tuple[int, bool, int]:
        rows = _first_rows(text, separator)
        names = [cell.strip() for cell in rows[0]] if rows else []
        told = sum(known(name.lstrip("#").strip()) or is_picture(name) for name in names)
        return told, len(names) > 1 and all(len(row) == len(names) for row in rows), len(names)

    best = max(order, key=fits)  # the first of those that fit alike
    by_spaces = fits(" ")
    return " " if by_spaces[0] > 1 and by_spaces[1] and fits(best)[2] < 2 else best


def _first_rows(text: str, separator: str) -> list[list[str]]:
    seen, rows = text[:SEEN_CHARACTERS], []
    try:
        for row in csv.reader(io.StringIO(seen, newline=""), delimiter=separator, skipinitialspace=separator == " "):
            rows.append(row)
            if len(rows) > SEEN_ROWS:
                break
    except csv.Error:  # said by whoever reads the whole
        pass
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    return rows[:-1] if len(rows) > 1 and len(seen) < len(text) else rows


def _has_cells(text: str, separator: str, *, known: Callable[[str], bool]) -> bool:
    """Whether the first line is one of cells: names that are known, or a picture beside something else."""
    names = [cell.strip() for cell in next(iter(_first_rows(text, separator)), [])]
    return len(names) > 1 and any(known(name.lstrip("#").strip()) or is_picture(name) for name in names)


def _columns(names: list[str], rows: list[list[str]], *, lines: list[int]) -> dict[str, list[str]]:
    """Columns by name; ValueError for a row that has more cells, or fewer. Empty cells behind the last are let go."""
    if not rows:
        raise ValueError("a header without any rows")
    while names and not names[-1] and not any(cell.strip() for row in rows for cell in row[len(names) - 1 :]):
        names = names[:-1]
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            if len(row) < len(names) or any(cell.strip() for cell in row[len(names) :]):
                raise ValueError(
                    f"{len(row)} cells in line {line}, but {len(names)} in the first line; "
                    "put cells that contain the separator in quotes"
                )
            del row[len(names) :]
    columns: dict[str, list[str]] = {}
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        columns.setdefault(name, list(cells))
    return columns


def _roles(columns: Mapping[str, list[str]]) -> dict[str, str]:
    """Of a table without names: the path has a picture's suffix, the label follows it, or stands before it.

    A column that holds nothing but train, val and test is the split.
    """
    splits = [name for name, cells in columns.items() if all(map(is_split_alone, set(cells)))]
    names = [name for name in columns if name not in splits[:1]]
    path = next(place for place, name in enumerate(names) if is_picture(columns[name][0].strip()))
    roles = {"path": names[path]} | ({"split": splits[0]} if splits else {})
    if len(names) > path + 1:
        roles["label"] = names[path + 1]
    elif path in (1, 2):  # label and path; number, label and path, as MXNet has them
        roles["label"] = names[path - 1]
    return roles


def _read_lines(text: str, *, file: Path, first: int, notes: tuple[str, ...]) -> Table:
    """Lines of `path label`, or `label path`; a path may have spaces in it."""
    paths, labels = [], []
    for number, line in enumerate(text.splitlines(), start=first + 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        path, _, label = words.rpartition(" ") if " " in words else words.rpartition("\t")
        if not path:
            raise ValueError(f"only one word in line {number}, {words[:60]!r}, instead of `path label`")
        if is_picture(label) and not is_picture(path):
            label, _, path = words.partition(" ")
        paths.append(path.strip())
        labels.append(label.strip())
    if not paths:
        raise ValueError("an empty file")
    return Table(file, {"column 1": paths, "column 2": labels}, {"path": "column 1", "label": "column 2"}, notes=notes)


def starts_as_table(text: str, suffix: str, *, known: Callable[[str], bool]) -> bool:
    """Whether a text begins as a table of pictures: with names of columns, or with a picture and its label."""
    _, body, separator = _without_preamble(text, known=known)
    if _has_cells(body, separator or find_separator(body, suffix, known=known), known=known):
        return True
    words = body.partition("\n")[0].split()
    return len(words) > 1 and any(is_picture(word) for word in words)
