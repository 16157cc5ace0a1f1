"""Which column of a table is what: by what people call them, by a one in each row, or as they are told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..config.data import ReadingConfig
from ..errors import DataError
from ..images.decode import is_picture
from .listing import some
from .split_names import split_of_name

# What people call them, the usual first; compared without case, spaces, _, - and dots.
PATH_NAMES = (
    "path", "paths", "file", "files", "filename", "filenames", "file_name", "filepath", "filepaths", "file_path",
    "relative_path", "image", "images", "image_path", "image_paths", "image_file", "image_filename", "image_name",
    "img", "img_path", "img_name", "img_file", "picture", "photo", "frame", "fname", "name", "uri", "url", "image_url",
    "路径", "文件", "文件名", "文件路径", "图片", "图像", "照片", "图片路径", "路徑", "檔案", "檔名", "圖片",
    "画像", "ファイル", "ファイル名", "이미지", "파일", "파일명", "datei", "dateiname", "bild", "fichier", "archivo",
    "imagen", "файл",
    "image_id", "img_id", "picture_id", "photo_id", "id_code", "id", "uuid", "编号",
)  # fmt: skip
LABEL_NAMES = (
    "class_name", "label_name", "category_name", "label", "labels", "class", "classes", "category", "categories",
    "target", "targets", "species", "breed", "choice", "diagnosis", "dx", "type", "kind", "y", "ground_truth",
    "gt", "label_id", "class_id", "category_id", "target_label", "image_label", "annotation",
    "annotations", "标签", "类别", "分类", "种类",
    "標籤", "類別", "分類", "種類", "ラベル", "クラス", "라벨", "레이블", "클래스", "klasse", "kategorie", "classe",
    "étiquette", "catégorie", "etiqueta", "clase", "categoría", "класс", "метка",
)  # fmt: skip
SPLIT_COLUMN_NAMES = (
    "split", "subset", "set", "data_set", "dataset", "partition", "usage", "phase", "划分", "数据集", "子集",
)  # fmt: skip
GROUP_NAMES = ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "lesion_id", "分组")
# Columns of yes and no, with `is_` before them or without: what yes means, and what no does. What is in no training is
# the test: nothing is chosen by it.
SPLIT_MARKS = {
    **dict.fromkeys(("valid", "val", "validation", "dev"), ("val", "train")),
    **dict.fromkeys(("test", "testing", "test_image"), ("test", "train")),
    **dict.fromkeys(("train", "training", "training_image"), ("train", "test")),
}
# Where no column has a usual name: the only one whose name ends so.
LABEL_ENDINGS = ("label", "labels", "class", "category", "species", "breed", "type", "diagnosis", "target")
YES, NO = ("1", "1.0", "true", "t", "yes", "y", "是"), ("0", "0.0", "false", "f", "no", "n", "否", "")
SEEN_ROWS = 20  # of a column, to know whether it holds names of pictures
UNKNOWN = "-1"  # what some tables write for no, where others have 0


def folded(name: str) -> str:
    """A column's name as it is compared: `File Name`, `file_name` and `filename` are one."""
    return re.sub(r"[\s_.\-\u200b\ufeff]", "", unicodedata.normalize("NFKC", name).casefold())


KNOWN = frozenset(map(folded, (*PATH_NAMES, *LABEL_NAMES)))


def is_known(name: str) -> bool:
    """Whether a column of paths or of labels is usually called so."""
    return folded(name) in KNOWN


@dataclass(frozen=True)
class Columns:
    """Which column is what; "" for one that is not there."""

    path: str
    label: str
    split: str
    group: str
    marks: tuple[str, ...] = ()  # of yes and no, such as is_valid, which say the split together
    one_hot: tuple[str, ...] = ()  # a column for each class, in place of one of labels

    def note(self) -> str:
        """What was taken for what."""
        told = {"picture": self.path, "label": self.label, "split": self.split, "group": self.group}
        words = [f"{name!r} is the {word}" for word, name in told.items() if name]
        for name in self.marks:
            yes, no = SPLIT_MARKS[_mark(name)]
            words.append(f"{name!r} is the split (yes: {yes}, no: {no})")
        if self.one_hot:
            words.append(f"{some(self.one_hot)} are one-hot labels")
        return "columns: " + ", ".join(words)


def choose_columns(
    names: Sequence[str],
    reading: ReadingConfig,
    *,
    file: Path,
    pictures: str = "",
    roles: Mapping[str, str] | None = None,
    words: Callable[[str], list[str]] | None = None,
) -> Columns:
    """What was asked for, or what names say; DataError when there is no such column, or none for path or label.

    Args:
        names: of the table's columns.
        reading: which ones were asked for.
        file: the table, for errors.
        pictures: the column that holds the pictures themselves, where there is one.
        roles: path, label and split of a format that says itself which is which.
        words: gives a column's cells, for labels that are a one in one of several columns.

    Example:
        choose_columns(["id", "breed"], ReadingConfig(), file=Path("labels.csv")).note()
    """
    roles = roles or {}
    by_folded = {folded(name): name for name in reversed(names)}

    def find(role: str, usual: tuple[str, ...]) -> str:
        asked = getattr(reading, f"{role}_column")
        if asked and asked not in names:
            raise DataError(f"a column {asked!r}", found=some(names, at_most=12), fix=f"Change --{role}-column.")
        found = next((by_folded[folded(word)] for word in usual if folded(word) in by_folded), "")
        return asked or roles.get(role, "") or ("" if "column 1" in names else found)

    def needed(role: str, usual: str, *, more: str = "") -> DataError:
        return DataError(
            f"a column of {file.name!r} named like {usual}{more}", found=some(names, at_most=12) or "none",
            fix=f"Use --{role}-column to name the column.",
        )  # fmt: skip

    path = pictures or find("path", PATH_NAMES) or _of_pictures(names, words)
    if not path:
        raise needed("path", "path, file_name or image")
    left = [name for name in names if name != path]
    label = find("label", tuple(word for word in LABEL_NAMES if by_folded.get(folded(word)) != path))
    split, group = find("split", SPLIT_COLUMN_NAMES), find("group", GROUP_NAMES)
    marks: tuple[str, ...]
    if split and _mark(split):
        split, marks = "", (split,)
    else:  # beside a label alone a column `train` says the split: else it is the class of trains
        marks = (
            () if split else tuple(name for name in left if name != label and _is_mark(name, words, bare=bool(label)))
        )
    one_hot: tuple[str, ...] = ()
    if not label and words is not None and "column 1" not in names:
        one_hot = _one_hot([name for name in left if name not in (split, group, *marks)], words, file=file)
    if not label and not one_hot:
        ending = [name for name in left if folded(name).endswith(LABEL_ENDINGS)]
        label = ending[0] if len(ending) == 1 else ""
    if not label and not one_hot:
        raise needed("label", "label, class or category", more=", or one-hot columns")
    return Columns(path, label, split, group, marks, one_hot)


def _mark(name: str) -> str:
    word = folded(name).removeprefix("is")
    return next((mark for mark in SPLIT_MARKS if folded(mark) == word), "")


def _is_mark(name: str, words: Callable[[str], list[str]] | None, *, bare: bool) -> bool:
    """Whether a column's name says a split by yes and no: `is_valid`, or `valid` where it holds nothing else."""
    if not _mark(name) or folded(name).startswith("is"):
        return bool(_mark(name))
    return bare and words is not None and {word.strip().casefold() for word in words(name)} <= {*YES, *NO}


def _of_pictures(names: Sequence[str], words: Callable[[str], list[str]] | None) -> str:
    """The only column whose cells are names of pictures; "" where there is none, or several."""
    found = []
    for name in names if words is not None and "column 1" not in names else ():
        try:
            cells = [word for word in words(name)[:SEEN_ROWS] if word.strip()] if words else []
        except DataError:  # a column of lists, say
            continue
        if cells and all(is_picture(cell.strip()) for cell in cells):
            found.append(name)
    return found[0] if len(found) == 1 else ""


def _one_hot(names: list[str], words: Callable[[str], list[str]], *, file: Path) -> tuple[str, ...]:
    """The columns of ones and zeros when each row has a one in one of them at most; () where there are none."""
    cells = {}
    for name in names:
        try:
            cells[name] = [word.strip().casefold() for word in words(name)]
        except DataError:  # a column of lists, say, which is none of these
            continue
    zeros = {*NO, UNKNOWN}
    found = [name for name, column in cells.items() if set(column) <= {*YES, *zeros} and set(column) - {""}]
    if len(found) < 2:
        return ()
    ones = np.array([[word in YES for word in cells[name]] for name in found])  # (columns, rows)
    several = np.flatnonzero(ones.sum(axis=0) > 1)
    if len(several):
        row = [name for name, one in zip(found, ones[:, several[0]], strict=True) if one]
        raise DataError(
            f"one label for each picture, a 1 in one of the columns {some(found)} of {file.name!r}",
            found=f"{len(several)} rows with several, such as {some(row)}",
            fix="Name one column with --label-column, or remove these pictures.",
        )
    return tuple(found) if ones.any() else ()


def labels_of(columns: Columns, words: Callable[[str], list[str]]) -> list[str]:
    """The label of each row, "" for none."""
    if not columns.one_hot:
        return words(columns.label)
    labels = [""] * len(words(columns.one_hot[0]))
    for name in columns.one_hot:
        for row, word in enumerate(words(name)):
            if word.strip().casefold() in YES:
                labels[row] = name
    return labels


def splits_of(columns: Columns, words: Callable[[str], list[str]], *, file: Path) -> np.ndarray | None:
    """train, val, test or "" of each row, as (rows,) str; None without such a column, DataError for other words."""
    if columns.marks:
        return _marked(columns.marks, words, file=file)
    if not columns.split:
        return None
    cells = pa.array(words(columns.split)).dictionary_encode()
    values = cells.dictionary.to_pylist()
    known = [split_of_name(value) or "" for value in values]
    unknown = [value for value, split in zip(values, known, strict=True) if value.strip() and not split]
    if unknown:
        raise DataError(
            f"train, val or test in the column {columns.split!r} of {file.name!r}", found=some(unknown),
            fix="Correct the column, or name another with --split-column.",
        )  # fmt: skip
    return _taken(known, cells.indices)


def _marked(marks: tuple[str, ...], words: Callable[[str], list[str]], *, file: Path) -> np.ndarray:
    """The split that columns of yes and no say together: of is_valid or is_test a yes, of is_train a no decides."""
    splits: np.ndarray | None = None
    for name in sorted(marks, key=lambda name: SPLIT_MARKS[_mark(name)][0] != "train"):  # is_train before the others
        cells = [word.strip().casefold() for word in words(name)]
        other = [word for word in cells if word not in (*YES, *NO)]
        if other:
            raise DataError(
                f"yes or no, 1 or 0 in the column {name!r} of {file.name!r}", found=some(sorted({*other})),
                fix="Correct the column, or name another with --split-column.",
            )  # fmt: skip
        yes, no = SPLIT_MARKS[_mark(name)]
        said = np.array([yes if word in YES else no for word in cells], dtype=object)
        splits = said if splits is None else np.where(said == "train", splits, said)
    assert splits is not None, marks
    return splits


def _taken(values: list[str], rows: pa.Array) -> np.ndarray:
    taken: np.ndarray = np.array([*values, ""], dtype=object)[rows.to_numpy(zero_copy_only=False)]
    return taken
