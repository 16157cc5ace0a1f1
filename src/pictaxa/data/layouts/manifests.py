"""Manifests: a table with a row per picture, in CSV, TSV, JSON lines or parquet.

    path,label,split,group        the path is relative to the manifest's folder, or absolute
    2024/a.jpg,daisy,train,camera1

Which columns these are is guessed from their names and said; --path-column and the like say it outright.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from ...config.data import ReadingConfig
from ...errors import DataError
from ...images.decode import is_picture
from ..layout import Layout
from ..listing import SPLIT_NAMES, Listing, file_status, some

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
# What people call them, the usual first.
PATH_NAMES = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_file", "img",
    "img_path", "picture", "photo", "路径", "文件", "文件名", "图片",
)  # fmt: skip
LABEL_NAMES = ("label", "class", "class_name", "category", "target", "species", "y", "标签", "类别", "分类")
SPLIT_COLUMN_NAMES = ("split", "subset", "set", "partition", "划分")
GROUP_NAMES = ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "分组")
MOSTLY = 0.5  # of the files must be there


@dataclass(frozen=True)
class Columns:
    """Which column is what; "" for one that is not there."""

    path: str
    label: str
    split: str
    group: str

    def note(self) -> str:
        """What was taken for what."""
        told = {"picture": self.path, "label": self.label, "split": self.split, "group": self.group}
        return "columns: " + ", ".join(f"{name!r} is the {word}" for word, name in told.items() if name)


def list_manifest(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of a manifest; DataError on a table that can't be read, absent columns, unknown splits, and when
    most of its files are not there.
    """
    file = files[0]
    table = read_table(file)
    columns = choose_columns(table.column_names, reading, file=file)
    paths = [path or "" for path in as_words(table.column(columns.path)).to_pylist()]
    rows = {"path": [], "inside": [], "bytes": [], "mtime_ns": [], "problem": []}  # type: dict[str, list[object]]
    for path in paths:
        size_bytes, mtime_ns, problem = file_status(file.parent / path) if path else (0, 0, "it has no path")
        inside = ""
        if problem and "#" in path:  # a picture inside a file, as `pictaxa inspect --fix` writes it
            holder, _, inside = path.partition("#")
            size_bytes, mtime_ns, problem = file_status(file.parent / holder)
        for name, value in zip(rows, (path, inside, size_bytes, mtime_ns, problem), strict=True):
            rows[name].append(value)
    gone = [path for path, problem in zip(paths, rows["problem"], strict=True) if problem]
    if len(gone) > MOSTLY * len(paths) or not paths:
        raise DataError(
            f"a manifest whose files exist, with paths relative to {str(file.parent)!r}",
            found=f"{len(gone)} of {len(paths)} missing, such as {some(gone, at_most=2)!r}",
            fix="Move the manifest to the folder that its paths start from, or write absolute paths.",
        )
    more = {name: rows[name] for name in ("inside", "bytes", "mtime_ns", "problem")}
    if columns.group:
        more["group"] = as_words(table.column(columns.group)).fill_null("").to_pylist()
    return Listing(
        file.parent, file.name, rows["path"], as_words(table.column(columns.label)).fill_null(""),
        splits_of(table, columns, file=file), more=more, notes=(columns.note(),),
    )  # fmt: skip


def read_table(file: Path) -> pa.Table:
    """A manifest's columns, all as text where it is text; DataError with the reason."""
    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            table = pq.read_table(file)
        elif suffix in (".jsonl", ".ndjson"):
            table = pyarrow.json.read_json(file)
        else:
            table = _read_csv(file, delimiter="\t" if suffix == ".tsv" else ",")
        check_text(table)
        return table
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"a table of pictures in {file.name!r}",
            found=str(error)[:200],
            fix="Correct the file, or save it again as CSV in UTF-8.",
        ) from None


def check_text(table: pa.Table) -> None:
    """ValueError where names of columns or words are no UTF-8: Arrow takes them as they come."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column.validate(full=True)
        elif pa.types.is_dictionary(column.type):
            column.cast(column.type.value_type).validate(full=True)
        name.encode()


def _read_csv(file: Path, *, delimiter: str) -> pa.Table:
    data = file.read_bytes()
    first = data.split(b"\n", 1)[0].decode("utf-8-sig", "replace").strip().split(delimiter)
    headless = not any(word.strip().strip('"').casefold() in (*PATH_NAMES, *LABEL_NAMES) for word in first) and any(
        is_picture(word.strip().strip('"')) for word in first
    )
    names = [word.strip().strip('"') for word in first]
    try:
        data.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = "gb18030"  # what Excel writes in Chinese
    headers = [f"column {number}" for number in range(1, len(first) + 1)]
    return pyarrow.csv.read_csv(
        pa.py_buffer(data),
        read_options=pyarrow.csv.ReadOptions(encoding=encoding, column_names=headers if headless else None),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(headers if headless else names, pa.string()), strings_can_be_null=False
        ),
    )


def choose_columns(names: list[str], reading: ReadingConfig, *, file: Path, pictures: str = "") -> Columns:
    """What was asked for, or what names say; DataError when there is no such column, or none for path or label.

    `pictures` is the column that holds the pictures themselves, where there is one.
    """
    by_folded = {name.strip().casefold(): name for name in reversed(names)}

    def find(asked: str, usual: tuple[str, ...], flag: str, *, needed: bool) -> str:
        if asked:
            if asked not in names:
                raise DataError(f"a column {asked!r}", found=some(names, at_most=12), fix=f"Change {flag}.")
            return asked
        found = next((by_folded[word] for word in usual if word in by_folded), "")
        if needed and not found:
            raise DataError(
                f"a column of {file.name!r} named like {some(usual)}",
                found=some(names, at_most=12),
                fix=f"Use {flag} to name the column.",
            )
        return found

    if names[:1] == ["column 1"] and not reading.path_column:  # without a header
        return Columns(names[0], names[1] if len(names) > 1 else "", "", "")
    return Columns(
        path=pictures or find(reading.path_column, PATH_NAMES, "--path-column", needed=True),
        label=find(reading.label_column, LABEL_NAMES, "--label-column", needed=True),
        split=find(reading.split_column, SPLIT_COLUMN_NAMES, "--split-column", needed=False),
        group=find(reading.group_column, GROUP_NAMES, "--group-column", needed=False),
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


def splits_of(table: pa.Table, columns: Columns, *, file: Path) -> np.ndarray | None:
    """train, val, test or "" of each row; DataError for other words."""
    if not columns.split:
        return None
    words = as_words(table.column(columns.split)).fill_null("").dictionary_encode().combine_chunks()
    values = words.dictionary.to_pylist()
    unknown = [value for value in values if value.strip().casefold() not in {*SPLIT_NAMES, ""}]
    if unknown:
        raise DataError(
            f"train, val or test in the column {columns.split!r} of {file.name!r}", found=some(unknown),
            fix="Correct the column, or name another with --split-column.",
        )  # fmt: skip
    known = np.array([SPLIT_NAMES.get(value.strip().casefold(), "") for value in values], dtype=object)
    splits: np.ndarray = known[words.indices.to_numpy()]
    return splits


LAYOUT = Layout(
    "manifest", recognises=lambda place: place.is_file() and place.suffix.lower() in SUFFIXES, lists=list_manifest
)
