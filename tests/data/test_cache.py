from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictaxa.data import cache as cache_module
from pictaxa.data.cache import build_cache
from pictaxa.data.fetching import Fetcher
from pictaxa.data.index import Index
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec, PixelCache
from pictaxa.errors import CacheError, DataError, Problem, ProblemKind
from pictaxa.images.decode import Square, load_square

Make = Callable[..., Path]
Build = Callable[[Path, Path], tuple[PixelCache, Index, int]]
SPEC = CacheSpec(side=16, channels=3)


def files_of(root: Path) -> tuple[Path, Path]:
    """The journal and the pixel file of the only cache; no other generation is left."""
    (folder,) = [path for path in root.iterdir() if path.is_dir()]
    (pixels,) = folder.glob("pixels*")
    return folder / "journal", pixels


def check(cache: PixelCache, index: Index) -> None:
    """Every usable row holds exactly what decoding the file now gives."""
    rows = np.flatnonzero(index.usable)
    assert len(rows)
    for row, pixels in zip(rows, cache.read(rows), strict=True):
        square = load_square(index.location(row)[0], side=16, channels=3)
        assert np.array_equal(pixels, square.pixels)
        assert cache.aspects[row] == np.float32(square.aspect)
        assert (index.column("width")[row], index.column("height")[row]) == (square.width, square.height)


def test_a_cache_holds_the_squares_and_is_not_built_twice(tmp_path: Path, make_photos: Make, build: Build):
    """Rows read from the cache are what decode.py makes of the files; opening again decodes nothing."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 4})
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 9
    check(cache, index)
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 0
    check(cache, index)


def test_changed_added_and_removed_pictures_are_noticed(
    tmp_path: Path, make_photos: Make, draw: Callable[..., object], build: Build
):
    """Only what is new or changed is decoded again, and rows follow their files."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 4})
    build(data, tmp_path / "cache")
    draw(2, 77, width=30, height=60).save(data / "a" / "1.png")
    draw(1, 99).save(data / "b" / "new.png")
    (data / "a" / "0.png").unlink()
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 2 and len(index) == 9
    check(cache, index)


def test_bad_pictures_are_set_aside_with_their_reasons(tmp_path: Path, make_photos: Make, build: Build):
    """Unreadable, truncated and false pictures are named; the others are cached."""
    data = make_photos(tmp_path / "photos", {"a": 3, "b": 3})
    whole = (data / "a" / "0.png").read_bytes()
    (data / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "a" / "empty.png").write_bytes(b"")
    (data / "b" / "text.jpg").write_text("not a picture")
    cache, index, _ = build(data, tmp_path / "cache")
    problems = dict(index.set_aside())
    assert set(problems) == {"a/cut.png", "a/empty.png", "b/text.jpg"}
    assert problems["a/empty.png"] == Problem(ProblemKind.EMPTY, "empty file")
    assert [problems[name].kind for name in ("a/cut.png", "b/text.jpg")] == ["truncated", "not_a_picture"]
    check(cache, index)
    assert dict(build(data, tmp_path / "cache")[1].set_aside()) == problems


def test_no_readable_picture_at_all_is_an_error(tmp_path: Path, build: Build):
    """A folder in which nothing can be decoded is one clear error."""
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "x.jpg").write_text("no")
    with pytest.raises(DataError, match="can be decoded"):
        build(tmp_path / "photos", tmp_path / "cache")


def test_a_cache_cut_short_is_mended(tmp_path: Path, make_photos: Make, build: Build):
    """A pixel file or a journal (of one record here) that lost its end is completed, never believed."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 4})
    build(data, tmp_path / "cache")
    journal, pixels = files_of(tmp_path / "cache")
    os.truncate(journal, journal.stat().st_size - 10)
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 9
    check(cache, index)
    _, pixels = files_of(tmp_path / "cache")
    os.truncate(pixels, pixels.stat().st_size - 5 * SPEC.square_bytes // 2)
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 3
    check(cache, index)


def test_a_slot_that_was_given_away_is_not_believed(tmp_path: Path, make_photos: Make, build: Build):
    """A pixel file cut short, then a build killed after a new picture took a slot: the old owner is decoded again."""
    data = make_photos(tmp_path / "photos", {"b": 4, "c": 4})
    build(data, tmp_path / "cache")
    os.truncate(files_of(tmp_path / "cache")[1], 7 * SPEC.square_bytes)  # c/3 was in slot 7
    (data / "c" / "3.png").rename(tmp_path / "away.png")
    make_photos(data, {"a": 1}, first=50)
    build(data, tmp_path / "cache")  # a/50 is in slot 7 now
    (tmp_path / "away.png").rename(data / "c" / "3.png")
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 1
    check(cache, index)


def test_stale_slots_are_given_up(tmp_path: Path, make_photos: Make, monkeypatch: pytest.MonkeyPatch, build: Build):
    """When most squares are of files that are gone, the others are copied instead of growing for ever.

    A square that was damaged before is not copied, but decoded again.
    """
    data = make_photos(tmp_path / "photos", {"a": 60, "b": 20})
    build(data, tmp_path / "cache")
    for path in sorted((data / "a").iterdir())[:50]:
        path.unlink()
    flip(files_of(tmp_path / "cache")[1], 70 * SPEC.square_bytes)
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 1 and len(index) == 30
    assert files_of(tmp_path / "cache")[1].stat().st_size == 30 * SPEC.square_bytes
    check(cache, index)


def test_another_data_sets_squares_are_copied_too(tmp_path: Path, make_photos: Make, build: Build):
    """A table of some pictures of a folder shares its cache: what only the folder asks for stays when others go."""
    data = make_photos(tmp_path / "photos", {"a": 90, "b": 30})
    build(data, tmp_path / "cache")
    for number in range(80):
        (data / "a" / f"{number}.png").unlink()
    table = data / "some.csv"
    table.write_text("path,label\n" + "".join(f"{name}/{80 + n}.png,{name}\n" for name in "a" for n in range(10)))
    with table.open("a") as file:
        file.writelines(f"b/{n}.png,b\n" for n in range(5))
    assert build(table, tmp_path / "cache")[2] == 0
    assert files_of(tmp_path / "cache")[1].stat().st_size == 40 * SPEC.square_bytes
    table.unlink()
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 0 and len(index) == 40
    check(cache, index)


BUILD = """
import sys
from pathlib import Path
from pictaxa.data import cache
cache.CHUNK = 8
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
spec = CacheSpec(side=16, channels=3)
def show(done, total):
    print(done, flush=True)
cache.build_cache(read_data(sys.argv[1]), spec, root=Path(sys.argv[2]), threads=2, progress=show)
"""


@pytest.mark.parametrize("place", [0, 7, 10, 60, -5])
def test_a_journal_with_a_flipped_byte_is_not_believed(tmp_path: Path, make_photos: Make, place: int, build: Build):
    """Wherever a byte of it is another (its version too), what it spoke of is decoded again, and stays so."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 4})
    build(data, tmp_path / "cache")
    flip(files_of(tmp_path / "cache")[0], place)
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 9
    check(cache, index)
    assert build(data, tmp_path / "cache")[2] == 0


def flip(path: Path, place: int) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 16
    path.write_bytes(damaged)


def test_a_damaged_square_is_mended(
    tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], build: Build
):
    """A flipped byte among the pixels is noticed when it is read, said, and decoded again, in the file too."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 4})
    build(data, tmp_path / "cache")
    flip(files_of(tmp_path / "cache")[1], 3 * SPEC.square_bytes + 100)
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 0
    check(cache, index)
    assert capsys.readouterr().err.count("repaired") == 1
    check(*build(data, tmp_path / "cache")[:2])
    assert not capsys.readouterr().err


def test_a_damaged_square_of_a_changed_file_is_an_error(
    tmp_path: Path, make_photos: Make, draw: Callable[..., object], build: Build
):
    """Where neither the cache nor the file has the pixels of the listing any more, that is said; nothing is guessed."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 4})
    cache, index, _ = build(data, tmp_path / "cache")
    flip(files_of(tmp_path / "cache")[1], 100)
    draw(2, 77, width=30, height=60).save(data / "a" / "0.png")
    with pytest.raises(CacheError, match="Run the command again"):
        cache.read(np.flatnonzero(index.usable))
    check(*build(data, tmp_path / "cache")[:2])


def start_build(data: Path, root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(data), str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_at_twenty_moments(tmp_path: Path, make_photos: Make, build: Build):
    """SIGKILL at 20 random moments of one build after the other: the next always goes on, and the end is right."""
    data = make_photos(tmp_path / "photos", {"a": 900, "b": 900})
    moments = np.random.default_rng(0).uniform(0.0, 0.3, 20)
    for moment in moments:
        child = start_build(data, tmp_path / "cache")
        assert child.stdout
        first = child.stdout.readline()  # by then torch and Pillow are loaded, and pictures are decoded
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert not first or int(first) == 1
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded < 1800
    check(cache, index)
    for row in range(0, 1800, 2):  # files change between builds too
        os.utime(index.location(row)[0], ns=(row, row))
    child = start_build(data, tmp_path / "cache")
    assert child.stdout
    child.stdout.readline()
    child.kill()
    child.wait()
    child.stdout.close()
    check(*build(data, tmp_path / "cache")[:2])


FULL = """
import subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", sys.argv[2]], check=True)
from pathlib import Path
from pictaxa.data import cache
from pictaxa.data.cache import build_cache
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.errors import CacheError
cache.CHUNK = 8
cache._Builder._has_room = lambda builder, squares: True
root, spec = Path(sys.argv[2]), CacheSpec(side=64, channels=3)
try:
    build_cache(read_data(sys.argv[1]), spec, root=root, threads=2)
except CacheError as error:
    print(error)
subprocess.run(["mount", "-o", "remount,size=8m", sys.argv[2]], check=True)
made, index = build_cache(read_data(sys.argv[1]), spec, root=root, threads=2, progress=lambda done, total: print(total))
made.read(index.rows(""))
print("whole", len(index.rows("")))
"""


def test_a_disk_that_fills_up_while_building(tmp_path: Path, make_photos: Make):
    """On a file system of 1 MB: one clear error; with more room the build goes on from what was written."""
    (tmp_path / "cache").mkdir()
    data = make_photos(tmp_path / "photos", {"a": 50, "b": 50})
    words = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    child = subprocess.run(
        [*words, sys.executable, "-c", FULL, str(data), str(tmp_path / "cache")], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    told, *_, whole = child.stdout.splitlines()
    assert "MB of disk for decoded pictures" in told and "Free some space" in told
    assert whole == "whole 100" and 0 < int(child.stdout.splitlines()[1]) < 100


@pytest.mark.parametrize("after", [1, 20, 150])
def test_a_killed_build_goes_on(tmp_path: Path, make_photos: Make, after: int, build: Build):
    """SIGKILL while it builds: what was journalled stays, the rest is decoded, the result is right."""
    data = make_photos(tmp_path / "photos", {"a": 100, "b": 100})
    child = start_build(data, tmp_path / "cache")
    assert child.stdout
    for line in child.stdout:
        if int(line) >= after:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    cache, index, decoded = build(data, tmp_path / "cache")
    assert 0 < decoded <= 200 - after + 8 + 1
    check(cache, index)


def test_ctrl_c_keeps_what_is_decoded(tmp_path: Path, make_photos: Make, build: Build):
    """KeyboardInterrupt while it builds: every picture that was decoded stays decoded."""
    data = make_photos(tmp_path / "photos", {"a": 10, "b": 10})

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_cache(read_data(data), SPEC, root=tmp_path / "cache", threads=2, progress=stop)
    cache, index, decoded = build(data, tmp_path / "cache")
    assert decoded == 13
    check(cache, index)


def test_two_builders_at_once_do_not_harm_each_other(tmp_path: Path, make_photos: Make, build: Build):
    """Two processes that want the same cache take repeats, and the result is right."""
    data = make_photos(tmp_path / "photos", {"a": 60, "b": 60})
    children = [start_build(data, tmp_path / "cache") for _ in range(2)]
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sum(line.strip() == "120" for output in outputs for line in output.splitlines()) == 1
    check(*build(data, tmp_path / "cache")[:2])


def test_a_full_disk_is_one_clear_error(
    tmp_path: Path, make_photos: Make, monkeypatch: pytest.MonkeyPatch, build: Build
):
    """Too little room is told before the first picture is decoded, and a disk that fills up while building is too."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 4})
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module.shutil, "disk_usage", lambda path: usage)
        with pytest.raises(CacheError, match="MB free"):
            build(data, tmp_path / "cache")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "_commit", full)
        with pytest.raises(CacheError, match="Free some space"):
            build(data, tmp_path / "cache")
    check(*build(data, tmp_path / "cache")[:2])


def test_a_cache_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path, make_photos: Make, build: Build):
    """A file where the cache should be is told with what to do."""
    data = make_photos(tmp_path / "photos", {"a": 2, "b": 2})
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(CacheError, match="--cache"):
        build(data, tmp_path / "cache")


def test_memory_stays_bounded_while_building(tmp_path: Path, make_photos: Make, monkeypatch: pytest.MonkeyPatch):
    """No more than a few pictures per thread wait in memory, however slow the disk is."""
    data = make_photos(tmp_path / "photos", {"a": 100, "b": 100})
    index = read_data(data)
    builder = cache_module._Builder(tmp_path, SPEC, threads=2, progress=cache_module.no_progress)
    started: list[int] = []
    decode = builder._decode_one

    def counted(index: Index, fetcher: Fetcher, row: int) -> tuple[dict[str, Any], Square | None]:
        started.append(row)
        return decode(index, fetcher, row)

    monkeypatch.setattr(builder, "_decode_one", counted)
    stream = builder._decoded(index, list(range(200)))
    next(stream)
    time.sleep(0.2)
    assert len(started) <= 2 * 16
    stream.close()
