from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.data.batches import epoch_order
from pictaxa.data.cache import build_cache
from pictaxa.data.fetching import MAX_OPEN
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.data.streaming import StreamedSquares
from pictaxa.errors import DataError
from pictaxa.runs.folder import open_run

Make = Callable[..., Path]
SPEC = CacheSpec(side=16, channels=3)


def shards(folder: Path, make_photos: Make) -> Path:
    """40 pictures in 20 tar files."""
    photos = make_photos(folder / "photos", {"a": 20, "b": 20})
    assert main(["data", "convert", str(photos), str(folder / "shards"), "--to", "shards", "--per-file", "2"]) == 0
    return folder / "shards"


def test_streamed_squares_are_the_cached_ones(tmp_path: Path, make_photos: Make):
    """The same index and pixels, and nothing of them on the disk; a second opening decodes nothing."""
    index = read_data(shards(tmp_path, make_photos))
    cached, filled = build_cache(index, SPEC, root=tmp_path / "cache", threads=2)
    decoded: list[int] = []
    for _ in range(2):
        streamed, same = build_cache(
            index, SPEC, root=tmp_path / "stream", threads=2, keep_pixels=False,
            progress=lambda done, total: decoded.append(done),
        )  # fmt: skip
    assert isinstance(streamed, StreamedSquares)
    assert decoded == list(range(1, 41)) and same.table.equals(filled.table)
    assert (streamed.side, streamed.channels) == (16, 3) and np.array_equal(streamed.aspects, cached.aspects)
    rows = np.random.default_rng(0).permutation(40)
    assert np.array_equal(streamed.read(rows), cached.read(rows))
    assert sum(path.stat().st_size for path in (tmp_path / "stream").rglob("*")) < 40 * SPEC.square_bytes


def test_a_changed_file_is_noticed(tmp_path: Path, make_photos: Make, draw: Callable[..., object]):
    """A picture that is another one, or gone, since it was listed ends the reading."""
    index = read_data(make_photos(tmp_path / "photos", {"a": 3, "b": 3}))
    streamed, index = build_cache(index, SPEC, root=tmp_path / "cache", threads=2, keep_pixels=False)
    draw(2, 99).save(tmp_path / "photos" / "a" / "0.png")
    with pytest.raises(DataError, match="as it was"):
        streamed.read(np.flatnonzero(index.usable))
    index.location(0)[0].unlink()
    with pytest.raises(DataError, match="as it was"):
        streamed.read(np.array([0]))


def test_few_files_are_open_at_a_time(tmp_path: Path, make_photos: Make):
    """An epoch takes each row once, a few files at a time, mixed within them, other ones together in the next."""
    index = read_data(shards(tmp_path, make_photos))
    files = index.files()
    assert files is not None and files.tolist() == [row // 2 for row in range(40)]
    rows = np.arange(40)
    orders = [np.concatenate(epoch_order(rows, epoch, seed=0, batch_size=8, files=files)) for epoch in range(2)]
    groups = []
    for order in orders:
        assert sorted(order) == rows.tolist()
        size = 2 * MAX_OPEN
        groups.append([set(files[order[start : start + size]].tolist()) for start in range(0, 40, size)])
        assert all(len(group) <= MAX_OPEN for group in groups[-1])
    assert groups[0] != groups[1] and orders[0][:16].tolist() != sorted(orders[0][:16])
    assert read_data(tmp_path / "photos").files() is None


def test_squares_may_end_in_one_of_their_own_threads(tmp_path: Path, make_photos: Make):
    """Where a decoding thread holds the last reference, letting go raises nothing and closes the files."""
    index = read_data(shards(tmp_path, make_photos))
    squares, index = build_cache(index, SPEC, root=tmp_path / "cache", threads=1, keep_pixels=False)
    assert isinstance(squares, StreamedSquares)
    squares.read(np.arange(4))
    assert squares._fetcher.open
    squares._pool.submit(squares.close).result()
    assert not squares._fetcher.open


def test_a_training_without_a_cache(tmp_path: Path, make_photos: Make):
    """--decode always learns from shards, resumes, and leaves no pixels behind."""
    place, run = shards(tmp_path, make_photos), tmp_path / "run"
    words = ["--model", "lenet5", "--size", "28", "--batch-size", "8", "--policy", "light", "--epochs", "6"]
    words += ["--lr", "0.03", "--decode", "always", "--cache", str(tmp_path / "cache"), "--out", str(run)]
    assert main(["train", str(place), *words]) == 0
    assert open_run(run).metrics["accuracy"] > 0.8
    assert main(["train", "--resume", str(run)]) == 0
    assert not list((tmp_path / "cache").rglob("*.u8"))
