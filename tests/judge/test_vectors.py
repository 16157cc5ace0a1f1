from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pictaxa.data.index import index_from_columns
from pictaxa.judge.vectors import some_rows


def test_rare_classes_are_drawn_too():
    """Of very many pictures each class keeps enough that differ for every fold, whatever the seed."""
    labels = np.array([0] * 600 + [1] * 300 + [2] * 6 + [3] * 2, dtype=np.int32)
    hashes = [str(number) for number in range(len(labels))]
    hashes[900:903] = ["copy"] * 3  # of the rare class
    blank = {"path": hashes, "bytes": labels, "mtime_ns": labels}
    columns = {**blank, "label": labels, "hash": hashes}
    index = index_from_columns(columns, root=Path(), classes=("a", "b", "rare", "rarest"))
    for seed in range(20):
        rows = some_rows(index, most=100, seed=seed)
        counts = np.bincount(labels[rows])
        assert len(rows) <= 100 and len(set(rows)) == len(rows)
        assert counts[2] >= 4 and counts[3] == 2 and counts[0] == pytest.approx(2 * counts[1], abs=6)
        assert len({hashes[row] for row in rows if labels[row] == 2}) >= 4
        assert np.array_equal(rows, some_rows(index, most=100, seed=seed))
