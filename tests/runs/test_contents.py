from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictaxa.errors import RunError
from pictaxa.runs.classes import check_same_classes, read_classes
from pictaxa.runs.contents import number, read_arrays, read_rows, read_table
from pictaxa.runs.log import LOG_COLUMNS, read_log

COLUMNS = {"row": pa.int64(), "name": pa.string()}
TABLES: dict[str, tuple[Callable[[], pa.Table], str]] = {
    "a column is missing": (lambda: pa.table({"row": [1]}), "a column 'name'"),
    "text for numbers": (lambda: pa.table({"row": ["x"], "name": ["a"]}), "whole parquet"),
    "numbers that are cut off": (lambda: pa.table({"row": [1.5], "name": ["a"]}), "whole parquet"),
    "nothing in a row": (lambda: pa.table({"row": [1, None], "name": ["a", "b"]}), "a value in each row"),
}


def test_a_table_has_its_types(tmp_path: Path):
    """Smaller integers are taken as larger ones, more columns are passed over, and one that may be absent is."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"row": pa.array([1], pa.int8()), "name": ["a"], "more": [2]}), path)
    table = read_table(path, COLUMNS | {"late": pa.int32()}, optional=("late",))
    assert table.to_pydict() == {"row": [1], "name": ["a"]} and table.schema.field("row").type == pa.int64()


@pytest.mark.parametrize("case", TABLES)
def test_a_table_of_other_things_is_told(tmp_path: Path, case: str):
    """Each in a line with the column."""
    make, told = TABLES[case]
    pq.write_table(make(), tmp_path / "a.parquet")
    with pytest.raises(RunError, match=told):
        read_table(tmp_path / "a.parquet", COLUMNS)


def test_a_torn_table_is_told(tmp_path: Path):
    """Cut anywhere, and with bits that a disk has turned within a column."""
    path = tmp_path / "a.parquet"
    table = pa.table({"row": np.arange(500), "name": [f"name {i}" for i in range(500)]})
    pq.write_table(table, path, write_page_checksum=True)
    whole = path.read_bytes()
    for end in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(RunError, match="whole parquet"):
            read_table(path, COLUMNS)
    for place in (200, 1000, 2000):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with pytest.raises(RunError, match="parquet"):
            read_table(path, COLUMNS)


def test_arrays_have_their_types(tmp_path: Path):
    """Torn, missing, of another type, of objects, not finite or declared without end: a line each."""
    path, kinds = tmp_path / "a.npz", {"a": np.float32}
    np.savez(path, a=np.ones(3, np.float32))
    assert read_arrays(path, kinds)["a"].tolist() == [1, 1, 1]
    whole = path.read_bytes()
    for end in (0, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(RunError, match="whole NPZ"):
            read_arrays(path, kinds)
    bad = {"float64": np.ones(3), "NaN": np.full(3, np.nan, np.float32), "whole NPZ": np.array([{}], object)}
    for told, array in bad.items():
        np.savez(path, a=array)
        with pytest.raises(RunError, match=told):
            read_arrays(path, kinds)
    np.savez(path, b=np.ones(3))
    with pytest.raises(RunError, match="not all of them"):
        read_arrays(path, kinds)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(2**28 + 1))
    assert os.path.getsize(path) < 2**19  # noqa: PTH202
    with pytest.raises(RunError, match="at most"):
        read_arrays(path, kinds)


def log(**changes: str) -> str:
    """A log of one epoch with some of its cells changed."""
    row = {**dict.fromkeys(LOG_COLUMNS, "0.5"), "epoch": "1", "step": "4", "size": "28"} | changes
    return ",".join(LOG_COLUMNS) + "\n" + ",".join(row[column] for column in LOG_COLUMNS) + "\n"


def test_a_log_is_that_of_a_training(tmp_path: Path):
    """Blanks where nothing was validated; any other cell without its number, and rows out of order, are told."""
    path = tmp_path / "log.csv"
    for text in (
        log(),
        log(val_loss="", val_accuracy=""),
        ",".join(LOG_COLUMNS) + "\n",
        log().replace(",lr,", ",rate,"),
    ):
        path.write_text(text)
        assert len(read_log(path)) == text.count("\n") - 1
    bad = [
        "", log(lr="x"), log(lr=""), log(train_loss="nan"), log(val_loss=""), log(seconds="-1"),
        log(val_accuracy="1.1"),
        log(epoch="2"), log(epoch="1.0"), log() + log().splitlines()[1], log()[:-20], log() + "\x00", '"' + log(),
        log().replace("waiting_share", "epoch"), log().replace("waiting_share", "waiting"),
    ]  # fmt: skip
    for text in bad:
        path.write_text(text)
        with pytest.raises(RunError, match=r"log\.csv"):
            read_log(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="CSV"):
        read_rows(path)
    assert number("1e3") == 1000 and math.isnan(number("inf"))


def test_classes_are_counted_and_different(tmp_path: Path):
    """Two names or more, from 0 on, none twice or empty; another order than elsewhere is told with the first two."""
    path = tmp_path / "classes.json"
    path.write_text('{"0": "a", "1": "b"}')
    assert read_classes(path) == ("a", "b")
    for text in ("{}", '{"0": "a"}', '{"0": "a", "2": "b"}', '{"1": "b", "0": "a"}', '{"0": "a", "1": "a"}',
                 '{"0": "a", "1": ""}', '{"0": "a", "1": 2}', '["a", "b"]', '{"0": "a", "0": "b"}'):  # fmt: skip
        path.write_text(text)
        with pytest.raises(RunError, match=r"classes\.json"):
            read_classes(path)
    check_same_classes(("a", "b"), ("a", "b"), path=path, other="metrics.json")
    with pytest.raises(RunError, match="'b' in place of 'a'"):
        check_same_classes(("b", "a"), ("a", "b"), path=path, other="metrics.json")
