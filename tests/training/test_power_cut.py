"""A power cut at any moment of a training: what the disk may hold then can be resumed, or says that nothing was saved.

What the program tells the system is recorded: which file or folder is synced, which name becomes which. From that
follows what a disk may hold if the power fails between two of these: what was synced; of the rest nothing, all or some.
The hard cases are names that arrive before the bytes behind them, and bytes whose names don't.

Where a file system may be mounted the same is done to a real one: copies of its disk while a training writes to it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.data import cache
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.system import files

Make = Callable[..., Path]
Folder = dict[str, bytes]  # what a disk holds: bytes by path

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files have names on Linux alone")


@dataclass
class File:
    """A file's bytes, whatever its name is."""

    now: bytes = b""
    synced: bytes = b""


# A name and what it becomes: a file, a folder (None), or nothing ("").
Entry = tuple[str, File | str | None]


@dataclass
class Disk:
    """A file system below `root`, as its programs see it and as a power cut would leave it."""

    root: Path
    names: dict[str, File | None] = field(default_factory=dict)  # as programs see them; None: a folder
    synced: dict[str, File | None] = field(default_factory=dict)  # as they are on the disk for certain
    waiting: list[Entry] = field(default_factory=list)
    moments: list[tuple[Folder, ...]] = field(default_factory=list)

    def name_of(self, path: str | os.PathLike[str]) -> str:
        """The path below the root, empty for one elsewhere."""
        path = Path(path).absolute()
        return str(path.relative_to(self.root)) if path != self.root and path.is_relative_to(self.root) else ""

    def set_name(self, name: str, becomes: File | str | None) -> None:
        if becomes == "":
            self.names.pop(name, None)
        else:
            self.names[name] = becomes
        self.waiting.append((name, becomes))

    def file_at(self, name: str) -> File:
        """The file of that name with its bytes of now."""
        if not isinstance(self.names.get(name), File):
            self.set_name(name, File())
        file = self.names[name]
        assert isinstance(file, File)
        file.now = (self.root / name).read_bytes()
        return file

    def sync(self, path: str) -> None:
        name = self.name_of(path)
        if name and Path(path).is_file():
            file = self.file_at(name)
            file.synced = file.now
        elif Path(path).is_dir():
            for entry in self.waiting:
                if (self.root / entry[0]).parent == Path(path):
                    _apply(self.synced, entry)
            self.waiting = [entry for entry in self.waiting if (self.root / entry[0]).parent != Path(path)]
        self.cut()

    def cut(self) -> None:
        """Keep what the disk may hold if the power fails now."""
        order = np.random.default_rng(len(self.moments)).random(len(self.waiting)) < 0.5
        some = [entry for entry, arrived in zip(self.waiting, order, strict=True) if arrived]
        nothing_late = _held(self.synced, (), whole=False)
        names_first = _held(self.synced, self.waiting, whole=False)
        everything = _held(self.synced, self.waiting, whole=True)
        self.moments.append((nothing_late, names_first, everything, _held(self.synced, some, whole=False)))


def _apply(names: dict[str, File | None], entry: Entry) -> None:
    name, becomes = entry
    if isinstance(becomes, str):
        names.pop(name, None)
    else:
        names[name] = becomes


def _held(synced: dict[str, File | None], arrived: Iterable[Entry], *, whole: bool) -> Folder:
    names = dict(synced)
    for entry in arrived:
        _apply(names, entry)
    folders = {name for name, file in names.items() if file is None}
    kept = {}
    for name, file in names.items():
        parents = [str(parent) for parent in Path(name).parents if str(parent) != "."]
        if file is not None and all(parent in folders for parent in parents):
            kept[name] = file.now if whole else file.synced
    return kept


@contextmanager
def recorded(root: Path, patch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Everything that is told to the system about files below the root."""
    disk, real = Disk(root), {name: getattr(os, name) for name in ("fsync", "replace", "rename", "unlink", "mkdir")}

    def fsync(file: int) -> None:
        real["fsync"](file)
        disk.sync(str(Path(f"/proc/self/fd/{file}").readlink()))

    def rename(source: str, target: str) -> None:
        names = disk.name_of(source), disk.name_of(target)
        if all(names):
            file = disk.file_at(names[0])
            disk.set_name(names[1], file)
            disk.set_name(names[0], "")
        real["replace"](source, target)
        disk.cut()

    def unlink(path: str, **more: object) -> None:
        real["unlink"](path, **more)
        if name := disk.name_of(path):
            disk.set_name(name, "")
            disk.cut()

    def mkdir(path: str, mode: int = 0o777, **more: object) -> None:
        real["mkdir"](path, mode, **more)
        if name := disk.name_of(path):
            disk.set_name(name, None)
            disk.cut()

    with patch.context() as patched:
        for name, function in (("fsync", fsync), ("replace", rename), ("rename", rename), ("unlink", unlink)):
            patched.setattr(os, name, function)
        patched.setattr(os, "mkdir", mkdir)
        yield disk


def distinct(disk: Disk) -> list[Folder]:
    """Each folder once, in the order of the moments."""
    seen: dict[tuple[tuple[str, bytes], ...], Folder] = {}
    for variants in disk.moments:
        for folder in variants:
            seen.setdefault(tuple(sorted(folder.items())), folder)
    return list(seen.values())


def lay_out(folder: Folder, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    for name, content in folder.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def survives(data: Path, run: Path, flags: Sequence[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether the run of a disk can be resumed, or else says that nothing was saved, and the command that it names
    begins anew.
    """
    held = [str(path) for path in run.rglob("*")]
    capsys.readouterr()
    if main(["train", "--resume", str(run)]) == 0:
        return True
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and ("nothing saved yet" in said or "no folder at" in said), (said, held)
    assert not any(name.endswith("config.json") for name in held if "partial-" not in name), held
    return main(["train", str(data), *flags, "--out", str(run)]) == 0


WHOLE = ("--model", "lenet5", "--size", "28", "--policy", "light", "--weights", "none")
HEAD = ("--size", "32", "--tune", "head")


@pytest.mark.parametrize(
    ("flags", "every"),
    [
        pytest.param(WHOLE, 9, id="whole-some"),
        pytest.param(WHOLE, 1, id="whole", marks=pytest.mark.slow),
        pytest.param(HEAD, 2, id="solved-head", marks=pytest.mark.slow),
        pytest.param((*HEAD, "--solve-head", "no"), 2, id="head", marks=pytest.mark.slow),
        pytest.param(("--size", "32", "--solve-head", "yes"), 8, id="solved-then-whole", marks=pytest.mark.slow),
    ],
)
def test_a_power_cut_at_any_moment(
    tmp_path: Path, make_photos: Make, backbone: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], every: int,
):  # fmt: skip
    """At 30 moments and more: each folder that a disk may hold goes on to the weights of the unbroken training, bit by
    bit, or says that nothing was saved yet. Nothing is written past the system calls that are recorded.
    """
    data, root = make_photos(tmp_path / "photos", {"a": 12, "b": 12}), tmp_path / "disk"
    root.mkdir()
    words = [*flags, "--epochs", "2", "--batch-size", "8", "--precision", "float32", "--checkpoint-seconds", "0"]
    words += [] if "none" in flags else ["--weights", str(backbone)]
    with recorded(root, monkeypatch) as disk:
        assert main(["train", str(data), *words, "--out", str(root / "runs" / "one")]) == 0
    assert len(disk.moments) >= 30
    model = "runs/one/model.safetensors"
    written = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    certain = {name: text for name, text in disk.moments[-1][0].items() if not name.endswith("writer.json")}
    assert certain == written  # once it has ended; that nobody writes any more need not be
    for folder in distinct(disk)[::every]:
        lay_out(folder, root)
        assert survives(data, root / "runs" / "one", words, capsys)
        assert (root / model).read_bytes() == written[model]


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """The ext4 disk of a file at a folder; yields its device."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    try:
        found = subprocess.run(["findmnt", "-no", "SOURCE", str(place)], check=True, capture_output=True, text=True)
        yield Path(found.stdout.strip())
    finally:
        subprocess.run(["umount", str(place)], check=True)


def new_disk(image: Path, place: Path) -> None:
    """An empty disk in a file; skips where it can't be mounted."""
    with image.open("wb") as file:
        file.truncate(48 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image)], check=True)
        with mounted(image, place):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")


def copy_disk(image: Path, device: Path, copy: Path) -> None:
    """What the power's failure would leave at this moment, when nothing arrives on the disk during the copy."""
    statistics = Path("/sys/block") / device.name / "stat"
    for _ in range(100):
        before = statistics.read_text().split()[4:8]  # writes: completed, merged, sectors, ticks
        subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
        if statistics.read_text().split()[4:8] == before:
            return
    raise AssertionError("the disk is written to without end")


@pytest.mark.slow
def test_a_power_cut_of_a_mounted_disk(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """The disk of a run and its cache is copied at 30 moments of a training: each copy, mounted again, goes on to the
    weights of the unbroken training, bit by bit, or says that nothing was saved yet.
    """
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    new_disk(image, place)
    data, run, cache_root = make_photos(tmp_path / "photos", {"a": 12, "b": 12}), place / "one", place / "cache"
    words = [*WHOLE, "--batch-size", "8", "--precision", "float32", "--threads", "1", "--checkpoint-seconds", "0"]
    words += ["--epochs", "30", "--cache", str(cache_root)]
    command = [sys.executable, "-m", "pictaxa", "train", str(data), *words, "--out", str(run)]
    copies = []
    with mounted(image, place) as device:
        training = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not cache_root.exists():  # Python's start is of no interest
            time.sleep(0.01)
        while training.poll() is None and len(copies) < 60:
            training.send_signal(signal.SIGSTOP)
            copies.append(tmp_path / f"copy-{len(copies)}.img")
            copy_disk(image, device, copies[-1])
            training.send_signal(signal.SIGCONT)
            time.sleep(0.02)
        assert training.wait() == 0
        written = (run / "model.safetensors").read_bytes()
    assert len(copies) >= 30
    resumed = 0
    for copy in copies[:: len(copies) // 30]:
        with mounted(copy, place):
            resumed += (run / "config.json").exists()
            assert survives(data, run, words, capsys)
            assert (run / "model.safetensors").read_bytes() == written
    assert resumed > 10


def test_what_is_not_synced_is_found(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """Without the syncs of files the same record has disks with empty files beside whole ones, as was found once."""
    data, root = make_photos(tmp_path / "photos", {"a": 6, "b": 6}), tmp_path / "disk"
    root.mkdir()
    monkeypatch.setattr(files, "sync_file", lambda path: None)
    with recorded(root, monkeypatch) as disk:
        assert main(["train", str(data), *tiny, "--epochs", "1", "--out", str(root / "one")]) == 0
    assert any(folder.get("one/config.json") == b"" for folder in distinct(disk))


def test_a_cache_after_a_power_cut(
    tmp_path: Path, make_photos: Make, draw: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    """While it is built, and while squares are copied into a new file: whatever the disk holds then, the next build has
    the right square for every picture.
    """
    data, root, spec = make_photos(tmp_path / "photos", {"a": 60, "b": 20}), tmp_path / "disk", CacheSpec(8, 3)
    root.mkdir()
    monkeypatch.setattr(cache, "CHUNK", 8)
    with recorded(root, monkeypatch) as disk:
        cache.build_cache(read_data(data), spec, root=root, threads=1)
        for number in range(60):
            draw(2, number).save(data / "a" / f"{number}.png")
        made, index = cache.build_cache(read_data(data), spec, root=root, threads=1)
    right = made.read(np.arange(80))
    assert len(disk.moments) >= 30
    for folder in distinct(disk)[::2]:
        lay_out(folder, root)
        made, index = cache.build_cache(read_data(data), spec, root=root, threads=1)
        assert index.usable.all() and np.array_equal(made.read(np.arange(80)), right)
