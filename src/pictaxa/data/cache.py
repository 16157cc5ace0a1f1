"""The PixelCache: every picture decoded once into a memory map of uint8 squares.

A cache is a folder that belongs to one data set, side and number of channels:

    pixels.u8      squares of side x side x channels bytes, one after the other; the place is called a slot
    journal.jsonl  a line per decoded file: its path, size, time, slot, width, height, hash, problem
    about.txt      the folder of the data set
    lock           held while somebody builds

A line is added to the journal only after the pixels it speaks of are on disk, so a build that is killed goes on
where it was. A file whose size or time has changed is decoded into a new slot; when most slots are stale the cache
is built anew. Two processes that want the same cache take turns: the second finds the work done.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from filelock import FileLock, Timeout

from ..errors import CacheError, DataError, PictureError
from ..pictures import Picture, Square, square_of
from ..run import write_atomically
from .fetching import Fetcher
from .index import Index

VERSION = 1  # of the pixels: raise it when pictures.py gives other pixels for the same file
ABOUT = "about.txt"  # in a cache's folder: the root of the data set that it is of
CHUNK = 256  # pictures between two journal entries: at most so many are decoded again after a kill

# Called with (pictures done, pictures in all).
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class CacheSpec:
    """What a square is: its side in pixels and its channels (1 or 3)."""

    side: int
    channels: int

    @property
    def square_bytes(self) -> int:
        """Bytes of one square."""
        return self.side * self.side * self.channels


@dataclass(frozen=True)
class Entry:
    """A journal line: a file as it was when it was decoded, and where its square is (-1 when it could not be)."""

    path: str
    bytes: int
    mtime_ns: int
    slot: int
    width: int
    height: int
    hash: str
    problem: str


@dataclass(frozen=True)
class PixelCache:
    """Squares of an Index's rows, memory-mapped."""

    pixels: np.ndarray  # (slots, S, S, C) uint8, memory-mapped, read-only
    slots: np.ndarray  # (rows,) int64: the slot of each row of the index, -1 for a picture set aside
    aspects: np.ndarray  # (rows,) float32: width / height

    @property
    def side(self) -> int:
        """S, in pixels."""
        return int(self.pixels.shape[1])

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) rows of usable pictures -> (n, S, S, C) uint8, a copy."""
        return self.pixels[self.slots[rows]]


def default_cache_root() -> Path:
    """Where caches live: $PICTAXA_CACHE, else pictaxa in the user's cache folder."""
    if given := os.environ.get("PICTAXA_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pictaxa"


def build_cache(
    index: Index, spec: CacheSpec, *, root: Path, threads: int, progress: Progress = no_progress
) -> tuple[PixelCache, Index]:
    """Decode what is not decoded yet; give the cache, and the index with width, height, hash and problem filled in.

    DataError when no picture can be decoded, CacheError when the disk is full or the cache can't be written.
    """
    folder = root / _key(index, spec)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Turn(folder):
            write_atomically(folder / ABOUT, f"{index.root.resolve()}\n")
            entries = _Builder(folder, spec, threads=threads, progress=progress).bring_up_to_date(index)
    except OSError as error:
        raise disk_error(
            error, what="decoded pictures", folder=folder, wanted_bytes=len(index) * spec.square_bytes
        ) from None
    return _open(folder, spec, index=index, entries=entries)


def _key(index: Index, spec: CacheSpec) -> str:
    place = str(index.root.resolve())
    digest = hashlib.blake2b(place.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return f"{digest}-{spec.side}px-{spec.channels}c-v{VERSION}"


class Turn:
    """Hold the cache's lock; say so when another process has it."""

    def __init__(self, folder: Path) -> None:
        self._lock = FileLock(folder / "lock")
        self._folder = folder

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=0.2)
        except Timeout:
            print(f"waiting for another process that builds the cache {self._folder}", flush=True)
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _Builder:
    def __init__(self, folder: Path, spec: CacheSpec, *, threads: int, progress: Progress) -> None:
        self.spec = spec
        self.threads = threads
        self.progress = progress
        self.pixels_path = folder / "pixels.u8"
        self.journal_path = folder / "journal.jsonl"

    def bring_up_to_date(self, index: Index) -> dict[str, Entry]:
        """Decode new and changed files; the entries of the index's paths that are up to date."""
        entries, slots_used = self._read_journal()
        fresh = self._fresh(index, entries)
        live = sum(entry.slot >= 0 for entry in fresh.values())
        if slots_used > 64 and live < slots_used // 2 and self._abandoned(index, entries, fresh):
            fresh, slots_used = {}, 0
            self.journal_path.unlink()
        paths = index.column("path")
        todo = [int(row) for row in np.flatnonzero(index.usable) if paths[row] not in fresh]
        self._check_space(len(todo))
        fresh |= self._decode_all(index, todo, first_slot=slots_used)
        return fresh

    def _read_journal(self) -> tuple[dict[str, Entry], int]:
        """The newest entry of each path, and how many slots are taken; a line cut short by a kill is dropped."""
        entries: dict[str, Entry] = {}
        owners: dict[int, str] = {}
        taken = 0
        if not self.journal_path.exists() or not self.pixels_path.exists():
            self.journal_path.unlink(missing_ok=True)
            return entries, taken
        whole = self.pixels_path.stat().st_size // self.spec.square_bytes
        good_bytes = 0
        with self.journal_path.open("rb") as journal:
            for line in journal:
                try:
                    entry = Entry(**json.loads(line))
                except (ValueError, TypeError):
                    break
                if not line.endswith(b"\n"):
                    break
                good_bytes += len(line)
                if entry.slot >= whole:  # the pixel file was cut short: decode it again
                    continue
                # After such a cut a slot is given away anew; then the older line no longer tells the truth.
                former = owners.get(entry.slot, entry.path)
                if entry.slot >= 0 and former in entries and entries[former].slot == entry.slot:
                    del entries[former]
                owners[entry.slot] = entry.path
                entries[entry.path] = entry
                taken = max(taken, entry.slot + 1)
        os.truncate(self.journal_path, good_bytes)
        return entries, taken

    def _fresh(self, index: Index, entries: dict[str, Entry]) -> dict[str, Entry]:
        columns = (index.column(name) for name in ("path", "bytes", "mtime_ns"))
        return {
            path: entry
            for path, size, mtime_ns in zip(*columns, strict=True)
            if (entry := entries.get(path))
            and entry.bytes == size
            and entry.mtime_ns == mtime_ns
            # What could not be read for a reason outside the file (permissions, a network share) is tried again.
            and not entry.problem.startswith("unreadable")
        }

    def _abandoned(self, index: Index, entries: dict[str, Entry], fresh: dict[str, Entry]) -> bool:
        """Whether what this index does not ask for is of files that are gone or changed, and not another index's."""
        others = [entry for path, entry in entries.items() if path not in fresh]
        kept = 0
        for entry in others:
            try:
                status = (index.root / entry.path.partition("#")[0]).stat()
            except OSError:
                continue
            kept += entry.slot >= 0 and (status.st_size, status.st_mtime_ns) == (entry.bytes, entry.mtime_ns)
        return kept < len(others) / 2

    def _check_space(self, pictures: int) -> None:
        wanted = pictures * self.spec.square_bytes
        if wanted > shutil.disk_usage(self.pixels_path.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _decode_all(self, index: Index, todo: list[int], *, first_slot: int) -> dict[str, Entry]:
        done: dict[str, Entry] = {}
        if not todo:
            return done
        slot = first_slot
        mode = "r+b" if self.pixels_path.exists() else "w+b"
        with self.pixels_path.open(mode) as pixels, self.journal_path.open("ab") as journal:
            pixels.seek(slot * self.spec.square_bytes)
            chunk: list[Entry] = []
            try:
                for entry, square in self._decoded(index, todo):
                    if square is not None:
                        pixels.write(square.pixels.data)
                        entry = replace(entry, slot=slot)
                        slot += 1
                    chunk.append(entry)
                    done[entry.path] = entry
                    if len(chunk) == CHUNK:
                        _commit(chunk, pixels=pixels, journal=journal)
                        chunk.clear()
                    self.progress(len(done), len(todo))
            except KeyboardInterrupt:
                _commit(chunk, pixels=pixels, journal=journal)  # Ctrl-C loses nothing
                raise
            _commit(chunk, pixels=pixels, journal=journal)
        return done

    def _decoded(self, index: Index, todo: list[int]) -> Iterator[tuple[Entry, Square | None]]:
        """Results in the order of `todo`, with a bounded number of pictures in memory."""
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="decode")
        fetcher = Fetcher(index)
        waiting: deque[Future[tuple[Entry, Square | None]]] = deque()
        try:
            for row in todo:
                waiting.append(pool.submit(self._decode_one, index, fetcher, row))
                if len(waiting) >= 16 * self.threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            fetcher.close()

    def _decode_one(self, index: Index, fetcher: Fetcher, row: int) -> tuple[Entry, Square | None]:
        square, digest, problem = None, "", ""
        try:
            picture = fetcher.fetch(row)
            digest = digest_of(picture)
            side, channels = self.spec.side, self.spec.channels
            square = square_of(picture, name=fetcher.name(row), side=side, channels=channels)
        except PictureError as error:
            problem = error.reason
        entry = Entry(
            path=index.table["path"][row].as_py(),
            bytes=index.table["bytes"][row].as_py(),
            mtime_ns=index.table["mtime_ns"][row].as_py(),
            slot=-1,
            width=square.width if square else 0,
            height=square.height if square else 0,
            hash=digest,
            problem=problem,
        )
        return entry, square


def digest_of(picture: Picture) -> str:
    """The name of a picture's content: equal for equal bytes, or equal pixels of an array."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(picture, np.ndarray):
        digest.update(repr(picture.shape).encode())
        picture = np.ascontiguousarray(picture).tobytes()
    digest.update(picture)
    return digest.hexdigest()


def _commit(chunk: list[Entry], *, pixels: IO[bytes], journal: IO[bytes]) -> None:
    pixels.flush()
    os.fsync(pixels.fileno())
    journal.write(b"".join(json.dumps(vars(entry)).encode() + b"\n" for entry in chunk))
    journal.flush()
    os.fsync(journal.fileno())


def _open(folder: Path, spec: CacheSpec, *, index: Index, entries: dict[str, Entry]) -> tuple[PixelCache, Index]:
    unread = Entry(path="", bytes=0, mtime_ns=0, slot=-1, width=0, height=0, hash="", problem="")
    rows = [entries.get(path, unread) for path in index.column("path")]
    problems = [problem or entry.problem for problem, entry in zip(index.column("problem"), rows, strict=True)]
    filled = index.with_columns(
        {
            "width": [entry.width for entry in rows],
            "height": [entry.height for entry in rows],
            "hash": [entry.hash for entry in rows],
            "problem": problems,
        }
    )
    if not filled.usable.any():
        raise DataError(
            "pictures that can be decoded",
            found=f"none among {len(index)} files under {str(index.root)!r} ({problems[0]})",
            fix="Check that the files are pictures and that you may read them.",
        )
    slots = np.array([entry.slot for entry in rows], dtype=np.int64)
    aspects = np.array([entry.width / max(entry.height, 1) for entry in rows], dtype=np.float32)
    count = (folder / "pixels.u8").stat().st_size // spec.square_bytes
    pixels = np.memmap(
        folder / "pixels.u8", dtype=np.uint8, mode="r", shape=(count, spec.side, spec.side, spec.channels)
    )
    return PixelCache(pixels=pixels, slots=slots, aspects=aspects), filled


def disk_error(error: OSError, *, what: str, folder: Path, wanted_bytes: int) -> CacheError:
    """What the user is told when the cache can't be written."""
    megabytes = wanted_bytes / 1e6
    other = "set PICTAXA_CACHE or --cache to a folder with room"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder if folder.exists() else folder.anchor).free / 1e6
        return CacheError(
            f"{megabytes:,.0f} MB of disk for {what}",
            found=f"{free:,.0f} MB free at {folder}",
            fix=f"Make room, {other}, or train at a smaller --size.",
        )
    return CacheError(
        f"a folder to keep {what} in, {megabytes:,.0f} MB",
        found=f"{folder}: {error.strerror or error}",
        fix=f"Check its permissions, or {other}.",
    )
