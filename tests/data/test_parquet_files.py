from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictaxa.data import parquet_files
from pictaxa.data.layouts.parquet import ParquetFile
from pictaxa.data.parquet_files import read_columns
from pictaxa.errors import PictureError


def written(file: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file


def test_columns_are_what_was_written(tmp_path: Path):
    """Texts, numbers, nested ones and nothing at all; all of them, or those that are asked for."""
    columns = {
        "a": pa.array(["x", None, "y", "x"]), "n": pa.array([1, 2, None, 4]),
        "s": pa.array([{"a": "x"}, None, {"a": "z"}, {"a": None}]), "l": pa.array([["p", "q"], [], None, ["p"]]),
        "a.b": pa.array([b"1", b"2", None, b"1"]),
    }  # fmt: skip
    file = written(tmp_path / "a.parquet", **columns)
    table = read_columns(file)
    assert {name: table.column(name).to_pylist() for name in table.column_names} == {
        name: array.to_pylist() for name, array in columns.items()
    }
    assert table.schema.field("a").type == pa.string()
    assert read_columns(file, ["n", "a"]).column_names == ["n", "a"]


def test_a_dictionary_that_stands_for_gigabytes(tmp_path: Path):
    """One text of a megabyte, in each of 10,000 rows, or in lists: 10 GB from a kilobyte."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10_000, np.int32)), pa.array(["x" * 10**6]))
    lists = pa.ListArray.from_arrays(pa.array(np.arange(10_001, dtype=np.int32)), texts)
    for name, array in (("flat", texts), ("nested", lists)):
        file = written(tmp_path / f"{name}.parquet", label=array)
        assert file.stat().st_size < 10_000
        with pytest.raises(ValueError, match=r"10,0.* bytes, more than 2,147,483,648"):
            read_columns(file)


def test_what_unpacks_to_too_much_is_refused_by_its_footer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Before anything of that size is made: rows, and bytes of a row group."""
    file = written(tmp_path / "a.parquet", n=pa.array(np.zeros(10**6, np.int64)))
    monkeypatch.setattr(parquet_files, "MAX_CELLS", 10**6 - 1)
    with pytest.raises(ValueError, match="1,000,000 cells, more than 999,999"):
        read_columns(file)
    file = tmp_path / "b.parquet"
    pq.write_table(pa.table({"n": pa.array([bytes(10**6)])}), file, compression="zstd", use_dictionary=False)
    monkeypatch.setattr(parquet_files, "BOMB_BYTES", 10**5)
    with pytest.raises(ValueError, match=r"1,0.* bytes of a row group when unpacked, more than"):
        read_columns(file)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.struct([("bytes", pa.binary()), ("path", "str")])])
def test_pictures_come_back_by_row(tmp_path: Path, kind: pa.DataType):
    """Whether a writer used a dictionary for all, for the first of them (as most do), or for none."""
    draw = np.random.default_rng(0)
    cells = [draw.bytes(20_000) for _ in range(120)]
    cells[7] = None
    cells[100] = cells[3]
    rows = [{"bytes": cell, "path": "x"} for cell in cells] if pa.types.is_struct(kind) else cells
    for number, dictionary in enumerate((True, False)):
        file = tmp_path / f"{number}.parquet"
        table = pa.table({"image": pa.array(rows, kind), "label": ["a", "b"] * 60})
        pq.write_table(table, file, use_dictionary=dictionary, row_group_size=50)
        pictures = ParquetFile(file)
        for row, cell in enumerate(cells):
            if cell is None:
                with pytest.raises(PictureError, match="its row has no bytes"):
                    pictures.fetch(f"image/{row}")
            else:
                assert pictures.fetch(f"image/{row}") == cell
        pictures.close()


def test_a_cell_that_unpacks_to_gigabytes(tmp_path: Path):
    """300 MB of zeros in a few kilobytes are set aside by what the footer says, not read."""
    file = tmp_path / "a.parquet"
    table = pa.table({"image": pa.array([bytes(3 * 10**8)]), "label": ["a"]})
    pq.write_table(table, file, compression="zstd", use_dictionary=False)
    assert file.stat().st_size < 100_000
    before = pa.total_allocated_bytes()
    with pytest.raises(PictureError, match=r"decompression bomb: 300,.* bytes of a row group"):
        ParquetFile(file).fetch("image/0")
    assert pa.total_allocated_bytes() - before < 10**6


def test_values_of_lists_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A few rows may have lists of any length, of which only the columns' own metadata tell."""
    file = written(tmp_path / "a.parquet", l=pa.array([list(range(1000)), [1]]), n=pa.array([1, 2]))
    assert read_columns(file).num_rows == 2
    monkeypatch.setattr(parquet_files, "MAX_CELLS", 1002)
    with pytest.raises(ValueError, match="1,003 cells, more than 1,002"):
        read_columns(file)
    (tmp_path / "b.parquet").write_bytes(b"PAR1no table")
    with pytest.raises(ValueError, match="its footer is damaged"):
        parquet_files._values(tmp_path / "b.parquet", [0])
