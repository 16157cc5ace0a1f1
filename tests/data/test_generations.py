"""generations.py: what becomes of a cache's files while somebody reads them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictaxa.data.generations import new_generation_of, open_generation, remove_others
from pictaxa.data.index import Index
from pictaxa.data.squares import CacheSpec, PixelCache
from pictaxa.images.decode import load_square

Make = Callable[..., Path]
Build = Callable[[Path, Path], tuple[PixelCache, Index, int]]
SPEC = CacheSpec(side=16, channels=3)


def squares_of(index: Index) -> np.ndarray:
    """What decoding each file now gives."""
    return np.stack([load_square(index.location(row)[0], side=16, channels=3).pixels for row in range(len(index))])


def check(cache: PixelCache, index: Index) -> None:
    """Every row holds that."""
    assert np.array_equal(cache.read(np.arange(len(index))), squares_of(index))


def files_of(root: Path) -> tuple[Path, Path]:
    """The journal and the pixel file of the only cache; no other generation is left."""
    (folder,) = [path for path in root.iterdir() if path.is_dir()]
    (pixels,) = folder.glob("pixels*")
    return folder / "journal", pixels


def test_a_generation_is_what_is_kept_of_the_one_before(tmp_path: Path, make_photos: Make, build: Build):
    """Of nine squares those of two records, in their order; the old file stays until it is removed."""
    data, root = make_photos(tmp_path / "photos", {"a": 5, "b": 4}), tmp_path / "cache"
    build(data, root)
    old_file = files_of(root)[1]
    old = open_generation(old_file.parent, square_bytes=SPEC.square_bytes)
    assert (old.pixels_path, old.slots, len(old.records)) == (old_file, 9, 9)
    wanted = old.records.take([7, 2])
    new = new_generation_of(old_file.parent, type(old)(old_file, wanted, old.slots), square_bytes=SPEC.square_bytes)
    assert new.records["path"].equals(wanted["path"]) and new.records["slot"].to_pylist() == [1, 0]
    before = np.fromfile(old_file, dtype=np.uint8).reshape(9, -1)
    after = np.fromfile(new.pixels_path, dtype=np.uint8).reshape(2, -1)
    assert np.array_equal(after, before[[2, 7]])
    remove_others(old_file.parent, new)
    opened = open_generation(old_file.parent, square_bytes=SPEC.square_bytes)
    assert files_of(root)[1] == new.pixels_path == opened.pixels_path and opened.records.equals(new.records)


def remove_journal(root: Path) -> None:
    files_of(root)[0].unlink()


def cut_journal(root: Path) -> None:
    journal = files_of(root)[0]
    os.truncate(journal, 40)


def remove_everything(root: Path) -> None:
    shutil.rmtree(root)


@pytest.mark.parametrize("harm", [None, remove_journal, cut_journal, remove_everything])
@pytest.mark.parametrize("changed", [20, 90])
def test_who_reads_keeps_the_squares_that_were_there(
    tmp_path: Path,
    make_photos: Make,
    draw: Callable[..., Any],
    harm: Callable[[Path], None] | None,
    changed: int,
    build: Build,
):
    """Pictures are exported anew and another command builds the cache: the first reads on what it was built with,
    squares that it has read before and others, whatever becomes of the cache's files; the second reads the new ones.
    """
    data, root = make_photos(tmp_path / "photos", {"a": 45, "b": 45}), tmp_path / "cache"
    reader, index, _ = build(data, root)
    rows = np.flatnonzero(index.usable)
    reader.read(rows[:50])
    before = squares_of(index)
    for row in rows[:changed]:
        draw(2, int(row), width=40, height=40).save(index.location(row)[0])
    if harm is not None:
        harm(root)
    check(*build(data, root)[:2])
    assert np.array_equal(reader.read(rows), before)
    for row in rows[:changed]:
        draw(3, int(row), width=40, height=40).save(index.location(row)[0])
    check(*build(data, root)[:2])
    assert np.array_equal(reader.read(rows), before)


def test_a_damaged_square_without_a_file_of_its_name_is_mended_for_its_reader(
    tmp_path: Path, make_photos: Make, build: Build
):
    """The cache was removed, and another has its place: the reader mends each time, and writes into no other file."""
    data, root = make_photos(tmp_path / "photos", {"a": 5, "b": 4}), tmp_path / "cache"
    build(data, root)
    with files_of(root)[1].open("r+b") as pixels:
        pixels.seek(3 * SPEC.square_bytes + 7)
        pixels.write(b"\x00\xff")
    reader, index, _ = build(data, root)
    shutil.rmtree(root)
    build(data, root)
    for _ in range(2):
        check(reader, index)
    check(*build(data, root)[:2])


def test_generations_that_cannot_be_removed_go_later(
    tmp_path: Path, make_photos: Make, monkeypatch: pytest.MonkeyPatch, build: Build
):
    """As on Windows, where nobody removes a file that another has open: the build goes on, the next one removes it."""
    data, root = make_photos(tmp_path / "photos", {"a": 60, "b": 20}), tmp_path / "cache"
    build(data, root)
    old = files_of(root)[1]
    for path in sorted((data / "a").iterdir())[:50]:
        path.unlink()
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == old:
            raise PermissionError(errno.EACCES, "in use")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        check(*build(data, root)[:2])
    assert old.exists() and len(list(old.parent.glob("pixels*"))) == 2
    cache, index, decoded = build(data, root)
    assert decoded == 0 and files_of(root)[1] != old
    check(cache, index)


def as_the_version_before(root: Path) -> Path:
    """Make the only cache one of the earlier version, whose journal names no generation; its pixel file."""
    journal, pixels = files_of(root)
    text = journal.read_bytes()
    journal.write_bytes(b"pictaxa\x03" + text[16:])
    return pixels.rename(pixels.with_name("pixels.u8"))


def test_a_cache_of_the_version_before_is_read(
    tmp_path: Path, make_photos: Make, draw: Callable[..., Any], build: Build
):
    """Nothing is decoded again, and its file has a name that the earlier version doesn't write to."""
    data, root = make_photos(tmp_path / "photos", {"a": 5, "b": 4}), tmp_path / "cache"
    build(data, root)
    old = as_the_version_before(root)
    draw(2, 77, width=30, height=60).save(data / "a" / "1.png")
    cache, index, decoded = build(data, root)
    assert decoded == 1 and not old.exists()
    check(cache, index)
    os.truncate(as_the_version_before(root), 7 * SPEC.square_bytes)
    cache, index, decoded = build(data, root)
    assert decoded == 3
    check(cache, index)
    as_the_version_before(root).unlink()
    cache, index, decoded = build(data, root)
    assert decoded == 9
    check(cache, index)
