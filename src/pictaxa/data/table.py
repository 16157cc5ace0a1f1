"""A table, whatever file it comes from, and its cells as words: labels, paths and splits are text here."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..config.documents import parse_json
from ..errors import DataError, Problem

WHOLE = re.compile(r"-?\d+(\.0*)?")  # a number that a spreadsheet or pandas wrote as 3.0


@dataclass(frozen=True)
class Table:
    """Columns of equal length by their names; `roles` where the format itself says what is the path and the label."""

    file: Path
    columns: Mapping[str, Sequence[object] | pa.ChunkedArray]
    roles: Mapping[str, str] = field(default_factory=dict)  # path, label and split -> the column's name
    problems: Sequence[Problem | None] = ()  # of each row, where the format has pictures that can't be used
    declared: tuple[str, ...] = ()  # classes in an order of their own
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def words(self, name: str) -> list[str]:
        """A column as text, "" where there is nothing; DataError for what is no text."""
        column = self.columns[name]
        if isinstance(column, pa.ChunkedArray) and not pa.types.is_nested(column.type):
            words: list[str] = as_words(column).fill_null("").to_pylist()
            return words
        cells = column.to_pylist() if isinstance(column, pa.ChunkedArray) else column
        return words_of(cells, what=f"{name!r} of {self.file.name!r}")


def numbers_among_words(cells: Sequence[object] | pa.ChunkedArray) -> str:
    """What to say of a column of labels that has both text and numbers, as only JSON can; "" for any other."""
    if isinstance(cells, pa.ChunkedArray):
        return ""
    numbers = [cell for cell in cells if isinstance(cell, (int, float))]
    words = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    if not numbers or not words:
        return ""
    return (
        f"{len(numbers)} labels are numbers, such as {numbers[0]}, next to text, such as {words[0]!r}; "
        "each is treated as a class"
    )


def as_words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Labels as text, whatever they are: 3 and 3.0 are "3"."""
    kind = column.type
    try:
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        if pa.types.is_floating(kind) and pc.all(pc.equal(column, pc.floor(column))).as_py():
            column = column.cast(pa.int64())
        return column.cast(pa.string())
    except pa.ArrowException:  # lists and the like, numbers beyond 64 bits, bytes that are no text
        raise DataError(
            "text or whole numbers in each column", found=f"one of {kind}", fix="Save the column as text."
        ) from None


def words_of(cells: Iterable[object], *, what: str) -> list[str]:
    """Cells of any kind as text, "" for none; DataError for those that hold more than one word.

    Args:
        cells: text, numbers, true or false, None, or a list with one of these.
        what: the column in words, for the error.
    """
    return [cell if isinstance(cell, str) else _word(cell, what=what) for cell in cells]


def _word(cell: object, *, what: str) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None or cell != cell:  # JSON's NaN
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, (int, float)):
        return str(int(cell)) if cell == cell // 1 and abs(cell) < 2**63 else str(cell)
    if isinstance(cell, (list, tuple)) and len(cell) < 2:
        return _word(cell[0], what=what) if cell else ""
    if isinstance(cell, (list, tuple)):
        raise _several(cell, what=what)
    raise DataError(f"text or whole numbers in {what}", found=f"{str(cell)[:60]!r}", fix="Save the column as text.")


def single_labels(labels: list[str], *, what: str) -> list[str]:
    """Labels with those that a tool wrote as lists of one (`["cat"]`, `{"choices": ["cat"]}`), or as 3.0, as they are.

    DataError for lists of several: a picture has one label here.
    """
    if labels and any("." in label for label in labels) and all(not w or WHOLE.fullmatch(w) for w in labels):
        labels = [label.partition(".")[0] for label in labels]
    unpacked: dict[str, str] = {}
    for label in {label for label in labels if label[:1] in ("[", "{")}:
        listed = _listed(label)
        if listed is None:
            continue
        if len(listed) > 1:
            raise _several(listed, what=what)
        unpacked[label] = _word(listed, what=what)
    return [unpacked.get(label, label) for label in labels] if unpacked else labels


def _listed(text: str) -> Sequence[object] | None:
    """The list that a cell is written as, in JSON or in Python; None where it is none."""
    for read in (parse_json, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict) and set(value) == {"choices"}:
            value = value["choices"]
        return value if isinstance(value, list) else None
    return None


def _several(cell: Sequence[object], *, what: str) -> DataError:
    return DataError(
        f"one label for each picture in {what}", found=f"several, such as {str(list(cell))[:60]}",
        fix="Keep one of them, or remove these pictures.",
    )  # fmt: skip


def several_in_a_cell(labels: Iterable[str]) -> str:
    """What to say of labels such as `cat|outdoor` whose parts are labels too; "" where there are none."""
    counts = Counter(label.strip() for label in labels if label.strip())
    by_mark = {label: _parts(label, counts) for label in counts}
    # "big dog" beside "dog" is a name; "cat outdoor" and "dog outdoor" beside "cat" and "dog" are not.
    words = {label: label.split() for label in counts if not by_mark[label] and any(w in counts for w in label.split())}
    uses = Counter(word for parts in words.values() if len(parts) > 1 for word in set(parts))
    for label, parts in words.items():
        if len(parts) > 1 and any(uses[word] > 1 and word not in counts for word in parts):
            by_mark[label] = parts
    found = sorted(label for label, parts in by_mark.items() if parts)
    if not found:
        return ""
    part = next(part for part in by_mark[found[0]] if part in counts)
    return (
        f"{sum(counts[label] for label in found)} cells seem to contain several labels, such as {found[0]!r} "
        f"next to {part!r}; each is treated as a separate class"
    )


def _parts(label: str, others: Counter[str]) -> list[str]:
    """The parts of a label between marks, where one of them is a label by itself."""
    for mark in "|;,/+&":
        parts = [part.strip() for part in label.split(mark)]
        if len(parts) > 1 and any(part in others for part in parts):
            return parts
    return []
