from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from pictaxa.inference.own_pictures import own_squares
from pictaxa.runs.folder import open_run
from pictaxa.runs.records import read_index

Trained = tuple[Path, Path]


def squares_of(run: Path) -> dict[int, np.ndarray]:
    """All squares of the training and validation pictures that are there, by rows."""
    opened = open_run(run)
    index = read_index(opened)
    rows = np.flatnonzero(index.usable)
    found = {}
    for batch in own_squares(opened, index, rows, threads=1):
        np.testing.assert_allclose(batch.aspects, 48 / 36, rtol=1e-6)
        found |= dict(zip(batch.rows.tolist(), batch.squares, strict=True))
    return found


def test_squares_are_those_of_the_training(trained: Trained, own_cache: Path):
    """From the cache, from files where there is none, or a part: the same pixels for each row."""
    data, run = trained
    cached = squares_of(run)
    assert len(cached) == 36
    hidden = own_cache.rename(own_cache.with_name("hidden"))
    decoded = squares_of(run)
    assert decoded.keys() == cached.keys()
    assert all(np.array_equal(decoded[row], cached[row]) for row in cached)
    shutil.rmtree(data)
    assert squares_of(run) == {}  # neither cache nor files
    hidden.rename(own_cache)
    assert squares_of(run).keys() == cached.keys()  # the cache alone


def test_pictures_that_are_gone_or_changed_are_left_out(trained: Trained, own_cache: Path):
    """Without the cache a picture that is not what was trained on is none of the run's own."""
    data, run = trained
    own_cache.rename(own_cache.with_name("hidden"))
    (data / "red" / "0.png").unlink()
    (data / "red" / "1.png").write_bytes((data / "blue" / "1.png").read_bytes())
    index = read_index(open_run(run))
    names = {index.name(row) for row in squares_of(run)}
    assert names == set(index.column("path")) - {"red/0.png", "red/1.png"}
    own_cache.with_name("hidden").rename(own_cache)
