"""Parquet files with the pictures in them, in the Hugging Face layout: a column {bytes, path} or of plain bytes, a
column of labels, the names of the classes in the schema's metadata. One file or many; a split where its name says one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...config.data import ReadingConfig
from ...config.documents import parse_json
from ...errors import DataError, PictureError, Problem, ProblemKind
from ...images.decode import Picture
from ...limits import MAX_PICTURE_BYTES
from ..columns import choose_columns, splits_of
from ..layout import Layout, common_folder, files_within, holds_files, split_of_file, told_from
from ..listing import Listing, of_file, some
from ..parquet_files import check_group, open_parquet, read_columns
from ..table import as_words
from ..tables import check_text

SUFFIX = ".parquet"
KEPT_GROUPS = 4  # row groups in memory, for threads that ask for neighbours


def picture_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold encoded pictures."""
    return [field.name for field in schema if _bytes_of(field.type)]


def _bytes_of(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def holds_pictures(file: Path) -> bool:
    """Whether a parquet file has a column of encoded pictures."""
    try:
        return bool(picture_columns(pq.read_schema(file)))
    except (pa.ArrowException, OSError, ValueError):
        return False


def list_parquet(files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
    """The pictures of one or several files of the same layout; DataError for other columns, or files that differ."""
    files = files_within(files, SUFFIX)
    root = common_folder(files)
    parts = [_list_file(file, reading, root=root, split=split_of_file(file, among=files)) for file in files]
    declared, columns = parts[0].declared, parts[0].notes
    for file, part in zip(files, parts, strict=True):
        if part.declared != declared or part.notes != columns:
            raise DataError(
                "files with the same columns and classes",
                found=f"{told_from(root, files[0])!r} and {told_from(root, file)!r} with different ones",
                fix="Give the files separately.",
            )  # fmt: skip

    def joined(name: str) -> pa.ChunkedArray:
        arrays = [getattr(part, name) if name in ("paths", "labels", "splits") else part.more[name] for part in parts]
        return pa.chunked_array([chunk for array in arrays for chunk in _chunks(array)])

    more = {name: joined(name) for name in parts[0].more}
    return Listing(
        root, some([told_from(root, file) for file in files]), joined("paths"), joined("labels"), joined("splits"),
        more=more, declared=declared, notes=columns,
    )  # fmt: skip


def _chunks(array: object) -> Iterator[pa.Array]:
    if isinstance(array, pa.ChunkedArray):
        yield from array.chunks
    else:
        yield array if isinstance(array, pa.Array) else pa.array(array)


def _list_file(file: Path, reading: ReadingConfig, *, root: Path, split: str) -> Listing:
    try:
        schema = pq.read_schema(file)
        pictures = picture_columns(schema)
        column = reading.path_column or (pictures[0] if pictures else "")
        if column not in pictures:
            raise DataError(
                f"a column of pictures in {file.name!r}",
                found=some(schema.names),
                fix="Name the column with --path-column.",
            )
        others = [name for name in schema.names if name not in pictures]
        chosen = choose_columns(others, reading, file=file, pictures=column)
        wanted = [name for name in (chosen.label, chosen.split, chosen.group, *chosen.marks) if name]
        table = read_columns(file, wanted)
        check_text(table)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError("a parquet file", found=f"{file.name!r}: {error}", fix="Download it again.") from None
    labels = table.column(chosen.label)
    declared = class_names(schema, chosen.label)
    if declared:
        labels = _named(labels, declared, file=file)

    def words(name: str) -> list[str]:
        cells: list[str] = as_words(table.column(name)).fill_null("").to_pylist()
        return cells

    splits = splits_of(chosen, words, file=file)
    if splits is None:
        splits = pa.repeat(split, len(table))
    inside = pc.binary_join_element_wise(column, pa.array(np.arange(len(table))).cast(pa.string()), "/")
    more = {"inside": inside} | of_file(file, len(table))
    if chosen.group:
        more["group"] = as_words(table.column(chosen.group)).fill_null("")
    paths = pc.binary_join_element_wise(told_from(root, file), inside, "#")
    return Listing(
        root, file.name, paths, as_words(labels).fill_null(""), splits, more=more, declared=declared,
        notes=(chosen.note(),),
    )  # fmt: skip


def class_names(schema: pa.Schema, label: str) -> tuple[str, ...]:
    """What the Hugging Face metadata calls the classes; () where it says nothing."""
    try:
        document = parse_json((schema.metadata or {}).get(b"huggingface", b"{}").decode())
        names = document["info"]["features"][label]["names"]
        return tuple(str(name) for name in names)
    except (KeyError, TypeError, ValueError):
        return ()


def _named(labels: pa.ChunkedArray, names: tuple[str, ...], *, file: Path) -> pa.Array:
    try:
        numbers = labels.cast(pa.int64()).fill_null(-1).to_numpy()  # -1 is what Hugging Face writes for "unknown"
    except pa.ArrowException:
        raise DataError(
            f"labels that are numbers in {file.name!r}",
            found=str(labels.type),
            fix="Write the column as numbers, or remove the class names from the metadata.",
        ) from None
    if len(numbers) and (numbers.max() >= len(names) or numbers.min() < -1):
        raise DataError(
            f"labels from 0 to {len(names) - 1} in {file.name!r}", found=str(numbers.max()), fix="Download it again."
        )
    return pa.array(np.array([*names, ""], dtype=object)[numbers], type=pa.string())


class ParquetFile:
    """A file that gives its pictures by COLUMN/ROW, reading a row group at a time."""

    def __init__(self, file: Path) -> None:
        self.file = open_parquet(file)
        self.packed_bytes = file.stat().st_size
        groups = self.file.metadata.num_row_groups
        self.starts = np.cumsum([0] + [self.file.metadata.row_group(group).num_rows for group in range(groups)])
        self.kept: dict[tuple[str, int], pa.ChunkedArray] = {}  # the newest last
        self.lock = threading.Lock()

    def fetch(self, inside: str) -> Picture:
        """The encoded bytes; PictureError where there are none."""
        column, _, number = inside.rpartition("/")
        row = int(number)
        group = int(np.searchsorted(self.starts, row, side="right")) - 1
        with self.lock:
            if (column, group) not in self.kept:
                metadata = self.file.metadata
                try:
                    check_group(metadata.row_group(group), packed_bytes=self.packed_bytes)
                except ValueError as error:
                    raise PictureError(inside, ProblemKind.BOMB.told(error)) from None
                self.kept[column, group] = self.file.read_row_group(group, columns=[column]).column(0)
                while len(self.kept) > KEPT_GROUPS:
                    self.kept.pop(next(iter(self.kept)))
            cell = self.kept[column, group][row - int(self.starts[group])]
        if pa.types.is_struct(cell.type):
            cell = cell["bytes"] if cell.is_valid else pa.scalar(None)
        if pa.types.is_dictionary(cell.type):
            cell = cell.value
        if not cell.is_valid:
            raise PictureError(inside, Problem(ProblemKind.EMPTY, "its row has no bytes"))
        if len(cell.as_buffer()) > MAX_PICTURE_BYTES:
            raise PictureError(inside, ProblemKind.BOMB.told(f"{len(cell.as_buffer()):,} bytes"))
        data: bytes = cell.as_py()
        return data

    def close(self) -> None:
        """Let the file go."""
        self.file.close()


def recognises(path: Path) -> bool:
    """A parquet file with pictures in it, or a folder with parquet files."""
    return holds_files(path, SUFFIX) or (path.suffix.lower() == SUFFIX and path.is_file() and holds_pictures(path))


LAYOUT = Layout(
    "parquet", recognises, list_parquet, holds=lambda file: file.suffix.lower() == SUFFIX, opens=ParquetFile
)
