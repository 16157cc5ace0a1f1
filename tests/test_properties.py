"""What holds for any picture, any names, any labels: examples are drawn by hypothesis, the same in every run."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.data.columns import is_known
from pictaxa.data.converting import convert_data
from pictaxa.data.fetching import Fetcher
from pictaxa.data.file_names import shown_name
from pictaxa.data.index import Index, index_from_columns
from pictaxa.data.labels import clean_label
from pictaxa.data.listing import natural_order
from pictaxa.data.reading import PLAIN, read_data
from pictaxa.data.split import split_index
from pictaxa.data.table_paths import find_places
from pictaxa.data.tables import read_table
from pictaxa.data.walk import is_hidden
from pictaxa.errors import DataError
from pictaxa.images.decode import GREY, RGB, decode, square_of

repeatable = settings(
    derandomize=True, deadline=None, database=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
few = settings(repeatable, max_examples=12)

SIDES = st.integers(1, 40)
LOSSLESS = [
    ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}), ("WEBP", {"lossless": True, "exact": True}),
]  # fmt: skip
# Everything but surrogates and control characters, of which line ends and tabs are what a table must keep.
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), min_size=1, max_size=12
).filter(str.strip)  # fmt: skip


def drawn(height: int, width: int, channels: int, seed: int) -> np.ndarray:
    shape = (height, width) if channels == GREY else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@repeatable
@given(SIDES, SIDES, st.sampled_from([GREY, RGB]), st.sampled_from(LOSSLESS), st.integers(0, 99))
def test_what_loses_nothing_gives_any_pixels_back(
    height: int, width: int, channels: int, form: tuple[str, dict[str, object]], seed: int
):
    """Any array, in any format that keeps pixels, decodes to itself; so does the array without a format."""
    pixels, file = drawn(height, width, channels, seed), io.BytesIO()
    Image.fromarray(pixels).save(file, form[0], **form[1])
    shown = np.asarray(decode(file.getvalue(), name="x").convert("L" if channels == GREY else "RGB"))
    assert np.array_equal(shown, pixels)
    assert np.array_equal(np.asarray(decode(pixels, name="x")), pixels)


@repeatable
@given(SIDES, st.sampled_from([GREY, RGB]), st.integers(0, 99))
def test_a_square_keeps_the_pixels_of_its_own_size(side: int, channels: int, seed: int):
    """Bit for bit, whatever the side."""
    pixels = drawn(side, side, channels, seed)
    square = square_of(pixels, name="x", side=side, channels=channels)
    assert np.array_equal(square.pixels.reshape(pixels.shape), pixels)


ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 30), st.sampled_from(["", "", "", "g", "h", "i"])),
    min_size=6, max_size=40,
)  # fmt: skip


def an_index(rows: list[tuple[int, int, str]]) -> Index:
    """Rows with (label, content, group)."""
    columns: dict[str, object] = {
        "path": [f"{number}.png" for number in range(len(rows))],
        "label": [label for label, _, _ in rows],
        "hash": [f"content {content}" for _, content, _ in rows],
        "group": [group for _, _, group in rows],
        "bytes": [1] * len(rows),
        "mtime_ns": [1] * len(rows),
    }
    return index_from_columns(columns, root=Path(), classes=("a", "b", "c"))


def splits_of(rows: list[tuple[int, int, str]], seed: int) -> list[str]:
    return split_index(an_index(rows), seed).column("split").tolist()


@repeatable
@given(ROWS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_no_split_parts_what_belongs_together(rows: list[tuple[int, int, str]], seed: int, random: object):
    """A content or a group is on one side, in whatever order the rows come; or the data can't be split in any order."""
    order = list(range(len(rows)))
    random.shuffle(order)
    mixed = [rows[place] for place in order]
    try:
        splits = splits_of(rows, seed)
    except DataError:
        with pytest.raises(DataError):
            splits_of(mixed, seed)
        return
    assert [splits[place] for place in order] == splits_of(mixed, seed)
    sides = defaultdict(set)
    for (_, content, group), split in zip(rows, splits, strict=True):
        sides["content", content].add(split)
        if group:
            sides["group", group].add(split)
    assert all(len(side) == 1 for side in sides.values()) and {*splits} == {"train", "val"}


@repeatable
@given(st.lists(st.text(max_size=8) | st.from_regex(r"[a-c]?[0-9٣]{1,30}[a-z]?", fullmatch=True), max_size=12))
def test_natural_order_is_an_order(names: list[str]):
    """Any names can be compared, sort the same from whatever order, and numbers go by their value."""
    ordered, backwards = sorted(names, key=natural_order), names[::-1]
    assert sorted(backwards, key=natural_order) == ordered
    numbers = [name for name in ordered if name.isdecimal()]
    assert [int(name) for name in numbers] == sorted(int(name) for name in numbers)


# What each encoding has of letters; names of files and classes are drawn from it.
WRITTEN = {
    "utf-8": "aé猫ñ 玫-_,;|\t\n\"'", "utf-8-sig": "aé猫ñ ,;|\t\n\"'", "utf-16": "aé猫ñ ,;|\t\n\"'", "utf-32": "aé猫ñ",
    "cp1252": "abäöüßé ,;|'", "gb18030": "猫狗鸟玫瑰 ,;", "cp1251": "кошкасб ,;|",
}  # fmt: skip


@few
@given(
    st.data(), st.sampled_from(sorted(WRITTEN)), st.sampled_from([",", ";", "\t", "|"]), st.booleans(), st.booleans()
)
def test_any_table_that_python_writes_is_read(
    data: st.DataObject, encoding: str, delimiter: str, quoted: bool, windows: bool
):
    """Paths and labels with quotes, separators, line ends and any script come back as they were, in any encoding."""
    names = st.text(WRITTEN[encoding], min_size=1, max_size=12).filter(str.strip)
    rows = data.draw(st.lists(st.tuples(names, names), min_size=2, max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.csv"
        with file.open("w", encoding=encoding, newline="") as stream:
            writer = csv.writer(
                stream, delimiter=delimiter, lineterminator="\r\n" if windows else "\n",
                quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
            )  # fmt: skip
            writer.writerows([("path", "label"), *rows])
        asked = "" if encoding.startswith("utf") else encoding
        table = read_table(file, asked, known=is_known)
        assert table.words("path") == [path for path, _ in rows]
        assert table.words("label") == [label for _, label in rows]


@few
@given(
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from("ab")), min_size=2, max_size=8, unique_by=lambda row: row),
    st.sampled_from(["{}", "./{}", "/home/anna/pets/{}", "C:\\pets\\{}", "~/{}", " {} ", "pets/x/{}"]),
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
def test_paths_of_any_style_lead_to_the_same_files(
    rows: list[tuple[int, str]], style: str, windows: bool, suffixed: bool, shouted: bool
):
    """Of another machine, with backslashes, without a suffix or with it in capitals: each row has its own file."""
    with tempfile.TemporaryDirectory() as folder:
        root, cells = Path(folder), []
        for number, name in rows:
            (root / name).mkdir(exist_ok=True)
            (root / name / f"{number}.jpg").write_bytes(b"x")
            cell = style.format(f"{name}/{number}" + (".jpg" if suffixed else "").replace("j", "J" if shouted else "j"))
            cells.append(cell.replace("/", "\\") if windows else cell)
        places = find_places(cells, folder=root, root=root)
        assert places.paths == [f"{name}/{number}.jpg" for number, name in rows] and not any(places.problems)


def contents(place: Path) -> set[tuple[str, bytes]]:
    """(class, pixels) of each row."""
    index = read_data(place)
    with Fetcher(index) as fetcher:
        return {
            (index.classes[index.labels[row]], np.asarray(decode(fetcher.fetch(row), name="x")).tobytes())
            for row in range(len(index))
        }


FOLDERS = st.text(st.characters(categories=["L", "N"], include_characters=" -_'(),.玫瑰"), min_size=1, max_size=10)
CLASSES = st.lists(
    FOLDERS.map(str.strip).filter(lambda name: name and not is_hidden(name) and len(name.encode()) < 200),
    min_size=2, max_size=3, unique_by=lambda name: name.casefold(),
)  # fmt: skip


@few
@given(CLASSES, st.lists(st.tuples(SIDES, SIDES), min_size=2, max_size=3), st.integers(1, 3))
def test_from_layout_to_layout_and_back(classes: list[str], sizes: list[tuple[int, int]], per_file: int):
    """Folders to parquet to shards to folders: the same classes and pixels, however many files they are in."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for kind, name in enumerate(classes):
            (root / "0" / name).mkdir(parents=True)
            for number, (height, width) in enumerate(sizes):
                pixels = drawn(height, width, RGB, 10 * kind + number)
                Image.fromarray(pixels).save(root / "0" / name / f"{number}.png")
        before = contents(root / "0")
        for number, to in enumerate(("parquet", "shards", "folders")):
            convert_data(root / str(number), root / str(number + 1), to=to, reading=PLAIN, per_file=per_file)
            assert contents(root / str(number + 1)) == before


# What a name on a disk may be made of: any bytes but the separator and zero.
RAW_NAMES = st.binary(min_size=1, max_size=10).map(lambda name: b"n" + name.replace(b"/", b"_").replace(b"\0", b"_"))


@settings(few, max_examples=6)
@given(st.lists(RAW_NAMES, min_size=4, max_size=4, unique=True))
def test_no_name_ends_in_a_traceback(names: list[bytes]):
    """Whatever the bytes of a root, its classes and its files: inspecting, converting, walking end as they should.

    A row leads to its own file's bytes, or says why it is set aside; what commands print can be printed.
    """
    png = {}
    for kind in (0, 1):
        file = io.BytesIO()
        Image.fromarray(drawn(9, 9, RGB, kind)).save(file, "PNG")
        png[kind] = file.getvalue()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / os.fsdecode(names[0])
        for kind, name in enumerate(names[1:3]):
            (root / os.fsdecode(name)).mkdir(parents=True)
            for suffix in (b".png", b"2.png"):
                (root / os.fsdecode(name) / os.fsdecode(names[3] + suffix)).write_bytes(png[kind])
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = main(["inspect", str(root), "--html", f"{temporary}/page.html", "--cache", f"{temporary}/cache"])
        out.getvalue().encode()
        assert status in (0, 1, 2) and "Traceback" not in out.getvalue()
        try:
            index = read_data(root)
        except DataError as error:
            str(error).encode()
            return
        by_class = {clean_label(shown_name(os.fsdecode(name))): png[kind] for kind, name in enumerate(names[1:3])}
        with Fetcher(index) as fetcher:
            for row in np.flatnonzero(index.usable):
                assert fetcher.fetch(int(row)) == by_class[index.classes[index.labels[row]]]
