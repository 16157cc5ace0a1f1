from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pictaxa.data.index import Index, index_from_columns
from pictaxa.runs.folder import Run
from pictaxa.runs.names import MODEL, PICTURES, VECTORS
from pictaxa.runs.vectors import Vectors, keep_vectors, read_vectors, unit_vectors


@pytest.fixture
def index() -> Index:
    """Four pictures to train on, two to validate, one for testing."""
    numbers = np.arange(7)
    columns = {
        "path": [f"{number}.png" for number in numbers], "bytes": numbers, "mtime_ns": numbers, "label": numbers % 2,
        "split": ["train"] * 4 + ["val"] * 2 + ["test"],
    }  # fmt: skip
    return index_from_columns(columns, root=Path(), classes=("a", "b"))


@pytest.fixture
def vectors() -> Vectors:
    """Of all but the last picture."""
    units = unit_vectors(np.random.default_rng(0).normal(size=(6, 3))).astype(np.float16)
    return Vectors(
        rows=np.arange(6), val=np.arange(6) >= 4, units=units, axes=np.eye(3, dtype=np.float16),
        closeness=np.array([0.5, 0.7], np.float32), places=np.array([[0, 1], [1, 0]], np.float32),
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A folder with the files that vectors are made of."""
    (tmp_path / MODEL).write_bytes(b"weights")
    (tmp_path / PICTURES).write_bytes(b"{}")
    return Run(tmp_path)


def test_what_is_kept_is_read(run: Run, index: Index, vectors: Vectors, capsys: pytest.CaptureFixture[str]):
    """Every array comes back bit for bit; without a file there is nothing, and not a word."""
    assert read_vectors(run, index=index) is None and keep_vectors(run, vectors)
    kept = read_vectors(run, index=index)
    assert kept is not None and capsys.readouterr().err == ""
    for name, array in vars(vectors).items():
        found = getattr(kept, name)
        assert found.dtype == array.dtype and np.array_equal(found, array), name
    assert np.array_equal(kept.of(index, "val"), kept.val) and np.array_equal(kept.of(index, "train"), ~kept.val)
    assert read_vectors(run) is not None


@pytest.mark.parametrize("name", [MODEL, PICTURES])
def test_vectors_of_other_weights_are_none(run: Run, index: Index, vectors: Vectors, name: str):
    """After the training went on, or with another view, they say nothing of the run as it is."""
    keep_vectors(run, vectors)
    (run.path / name).write_bytes(b"others")
    assert read_vectors(run, index=index) is None


CHANGES: dict[str, Callable[[Vectors], Vectors]] = {
    "rows in another order": lambda v: replace(v, rows=v.rows[::-1]),
    "a row twice": lambda v: replace(v, rows=np.array([0, 0, 2, 3, 4, 5])),
    "a row for testing": lambda v: replace(v, rows=np.array([0, 1, 2, 3, 4, 6])),
    "a row beyond": lambda v: replace(v, rows=v.rows + 5),
    "rows of another type": lambda v: replace(v, rows=v.rows.astype(np.int32)),
    "other splits": lambda v: replace(v, val=v.val[::-1]),
    "fewer vectors": lambda v: replace(v, units=v.units[:5]),
    "longer vectors": lambda v: replace(v, units=v.units * 2),
    "NaN": lambda v: replace(v, units=v.units * np.float16(np.nan)),
    "other axes": lambda v: replace(v, axes=v.axes[:, :2]),
    "no axes": lambda v: replace(v, units=v.units[:, :0], axes=v.axes[:, :0]),
    "fewer figures": lambda v: replace(v, closeness=v.closeness[:1]),
    "a place off the map": lambda v: replace(v, places=v.places * 2),
    "validation pictures alone": lambda v: Vectors(v.rows[4:], v.val[4:], v.units[4:], v.axes, v.closeness, v.places),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nonsense_is_none(
    run: Run, index: Index, vectors: Vectors, change: Callable[[Vectors], Vectors], capsys: pytest.CaptureFixture[str]
):
    """What can't be of this run's pictures is told, and made again."""
    keep_vectors(run, change(vectors))
    assert read_vectors(run, index=index) is None and VECTORS in capsys.readouterr().err


def test_a_torn_file_is_none(run: Run, index: Index, vectors: Vectors):
    """Half a file is as good as none."""
    keep_vectors(run, vectors)
    whole = (run.path / VECTORS).read_bytes()
    (run.path / VECTORS).write_bytes(whole[: len(whole) // 2])
    assert read_vectors(run, index=index) is None


def test_vectors_become_one_long():
    """Whatever their length, huge and tiny ones too; the direction stays, and nothing stays nothing."""
    plain = np.array([[3.0, 4.0], [3e30, 4e30], [3e-30, 4e-30], [0.0, 0.0]], np.float32)
    np.testing.assert_allclose(unit_vectors(plain), [[0.6, 0.8]] * 3 + [[0, 0]], rtol=1e-5)
