"""Damaged files of each layout: one named error, or the rows that are whole. What the fuzzer found stays mended."""

from __future__ import annotations

import gc
import gzip
import io
import json
import pickle
import runpy
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictaxa.config.data import ReadingConfig
from pictaxa.data.fetching import MAX_OPEN, Fetcher
from pictaxa.data.listing import natural_order
from pictaxa.data.reading import read_data
from pictaxa.errors import DataError
from pictaxa.images.decode import decode

LAYOUTS = runpy.run_path(str(Path(__file__).parent / "test_layouts.py"))
WRITERS = {name: write for name, (_, write) in LAYOUTS["WRITERS"].items()}


def swap(file: Path, before: bytes, after: bytes) -> None:
    data = file.read_bytes()
    assert before in data
    file.write_bytes(data.replace(before, after, 1))


def text_of_no_encoding(root: Path) -> Path:
    place = WRITERS["csv"](root)
    swap(place, b"cat/000", b"cat\xff\xff")
    return place


def json_of_no_encoding(root: Path) -> Path:
    place = WRITERS["json lines"](root)
    swap(place, b'"label"', b'"l\xff\xfel"')
    return place


def nested_labels(root: Path) -> Path:
    rows = [{**row, "label": [{"a": 1}]} for row in LAYOUTS["rows_of_files"](root)]
    (root / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root / "a.jsonl"


def labels_beyond_64_bits(root: Path) -> Path:
    rows = [{**row, "label": 1e300} for row in LAYOUTS["rows_of_files"](root)]
    pq.write_table(pa.Table.from_pylist(rows), root / "a.parquet")
    return root / "a.parquet"


def parquet_of_no_encoding(root: Path) -> Path:
    rows = LAYOUTS["rows_of_files"](root)
    bad = pa.array([b"\xff\xfe"] * len(rows), type=pa.binary()).view(pa.string())
    table = pa.table({"path": [row["image"] for row in rows], "label": bad})
    pq.write_table(table, root / "a.parquet")
    return root / "a.parquet"


def nested_names_of_classes(root: Path) -> Path:
    LAYOUTS["write_folders"](root / "photos")
    (root / "a.json").write_text("[" * 100_000)
    return root / "photos"


def names_of_no_encoding(root: Path) -> Path:
    place = WRITERS["cifar binary"](root)
    (root / "fine_label_names.txt").write_bytes(b"cat\ndog\n\xff\xfe\n")
    return place


def no_names(root: Path) -> Path:
    place = WRITERS["cifar pickles"](root)
    (root / "batches.meta").write_bytes(pickle.dumps({"label_names": [["a"], ["b"], ["c"]]}, protocol=2))
    return place


def names_that_hash_for_ever(root: Path) -> Path:
    """A tuple of two tuples of two tuples, 60 times, as a key."""
    place = WRITERS["cifar pickles"](root)
    nested = b"K\x01K\x01\x86q\x00" + b"".join(b"h%c\x86q%c" % (n, n + 1) for n in range(60))
    (root / "batches.meta").write_bytes(b"\x80\x02}" + nested + b"K\x01s.")
    return place


def labels_of_thousands_of_digits(root: Path) -> Path:
    place = WRITERS["cifar pickles"](root)
    (root / "data_batch_1").write_bytes(pickle.dumps({"labels": [10**6000, 0]}, protocol=2))
    return place


def a_packed_idx_bomb(root: Path) -> Path:
    """A packed file of 300 kB whose header says 300 MB, all zeros."""
    place = LAYOUTS["write_idx"](root)
    with gzip.open(root / "train-images-idx3-ubyte.gz", "wb", compresslevel=1) as file:
        file.write(struct.pack(">4B3i", 0, 0, 8, 3, 300_000, 32, 32))
    return place


def a_code_that_is_no_character(root: Path) -> Path:
    LAYOUTS["write_idx"](root, prefix="emnist-")
    (root / "emnist-mapping.txt").write_text("0 48\n1 99999999999\n2 97\n")
    return root


def more_than_the_header_says(root: Path) -> Path:
    place = LAYOUTS["write_idx"](root, suffix="")
    labels = root / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes() + b"\0")
    return place


def a_header_of_no_python(root: Path) -> Path:
    np.savez(root / "a.npz", x=LAYOUTS["stack"]("train"), y=LAYOUTS["labels"]("train"))
    swap(root / "a.npz", b"{'descr'", b"{('desc'")
    return root / "a.npz"


def an_array_without_its_data(root: Path) -> Path:
    with h5py.File(root / "a.h5", "w") as file:
        file.create_dataset("x_train", shape=(2**40, 32, 32, 3), dtype=np.uint8, chunks=(1, 32, 32, 3))
        file["y_train"] = np.arange(24)
    return root / "a.h5"


def a_group_that_is_gone(root: Path) -> Path:
    place = WRITERS["hdf5"](root)
    swap(place, b"SNOD", b"SNOB")
    return place


@pytest.mark.parametrize(
    "write",
    [
        text_of_no_encoding, json_of_no_encoding, nested_labels, labels_beyond_64_bits, parquet_of_no_encoding,
        nested_names_of_classes, names_of_no_encoding, no_names, a_code_that_is_no_character, more_than_the_header_says,
        names_that_hash_for_ever, labels_of_thousands_of_digits, a_packed_idx_bomb,
        a_header_of_no_python, an_array_without_its_data, a_group_that_is_gone,
    ],
)  # fmt: skip
def test_damage_is_one_error(write: Callable[[Path], Path], tmp_path: Path):
    """Whatever type the libraries raise, a user is told in one line what is wrong with which file."""
    place = write(tmp_path)
    names = tmp_path / "a.json"
    with pytest.raises(DataError) as caught:
        read_data(place, ReadingConfig(class_names=names if names.exists() else None))
    assert "\n" not in str(caught.value)


def test_a_path_with_a_zero_in_it_is_set_aside(tmp_path: Path):
    """No system has such a file: the row is set aside, the others stay."""
    place = WRITERS["json lines"](tmp_path)
    swap(place, b"cat/000.png", b"cat/\\u0000.png")
    index = read_data(place)
    assert [str(problem) for _, problem in index.set_aside()] == ["unreadable: no path, as it has a null character"]
    assert index.usable.sum() == 29


def test_a_name_of_thousands_of_digits_has_its_order():
    """More digits than Python makes a number of still sort, after numbers."""
    names = ["9" * 5000, "10", "a", "2"]
    assert sorted(names, key=natural_order) == ["2", "10", "9" * 5000, "a"]


def test_more_shards_than_are_kept_open(tmp_path: Path):
    """A shard that the fetcher lets go is closed, and nobody is warned of it."""
    for number in range(MAX_OPEN + 2):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as archive:
            for name, data in (
                ("a.png", LAYOUTS["png"](LAYOUTS["pixels"]("x", number))),
                ("a.cls", b"ab"[number % 2 :][:1]),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    index = read_data(tmp_path)
    with Fetcher(index) as fetcher:
        for row in (*range(len(index)), 0):
            assert decode(fetcher.fetch(row), name="x").size == (32, 32)
    gc.collect()


def test_a_zipped_file_is_checked_to_its_end(tmp_path: Path):
    """A wrong checksum of pictures is told when they are fetched, of labels when they are listed."""
    LAYOUTS["write_idx"](tmp_path)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    data = gzip.decompress(file.read_bytes())
    wrong = bytearray(gzip.compress(data, 0))  # stored as it is: a flipped bit unpacks
    wrong[wrong.index(data[500:600])] ^= 1
    file.write_bytes(wrong)
    with pytest.raises(DataError, match="CRC"):
        read_data(tmp_path)


def test_an_array_is_checked_to_its_end(tmp_path: Path):
    """Any flipped bit of a packed array is noticed: its checksum stands behind the last number."""
    np.savez_compressed(tmp_path / "a.npz", x=LAYOUTS["stack"]("test"), y=LAYOUTS["labels"]("test"))
    whole = (tmp_path / "a.npz").read_bytes()
    for place in range(60, 16_000, 501):
        (tmp_path / "a.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(DataError, match=r"a\.npz"):
            read_data(tmp_path / "a.npz")


def test_a_plain_file_that_holds_more_than_it_says(tmp_path: Path):
    """A header of fewer pictures than there are is not taken at its word."""
    LAYOUTS["write_idx"](tmp_path, suffix="")
    for kind, axes in (("images-idx3", 3), ("labels-idx1", 1)):
        file = tmp_path / f"train-{kind}-ubyte"
        data = file.read_bytes()
        file.write_bytes(
            data[:4] + struct.pack(">i", 12) + data[8:] if axes == 3 else data[:4] + struct.pack(">i", 12) + data[8:20]
        )
    with pytest.raises(DataError, match="more bytes"):
        read_data(tmp_path)
