"""The PixelCache: every picture decoded once into a memory map of uint8 squares.

A cache is a folder that belongs to one data set, side, number of channels and way of decoding:

    pixels-*.u8    squares of side x side x channels bytes, one after the other; the place is called a slot
    journal        which pixel file it is, and of each decoded picture: its path, size, time, slot, checksum, width,
                   height, hash, problem (journal.py)
    about.txt      the folder of the data set
    lock           held while somebody builds

A picture is added to the journal only after its pixels are on disk, so a build that is killed goes on where it was. A
picture whose size or time has changed is decoded into a new slot; when most slots are stale the others are copied into
a new file (generations.py): what is written once is never written over, as a training may be reading it. Two processes
that want the same cache take turns: the second finds the work done. A square is compared with its checksum when it is
first read; a damaged one is decoded again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import DataError, PictureError, Problem
from ..images.decode import Picture, count_notes
from ..system.files import write_atomically
from ..system.pool import results_ahead
from .cache_folder import ABOUT, CacheLock, disk_error
from .fetching import Fetcher
from .file_names import shown_name
from .freshness import fresh_places, is_of_another
from .generations import JOURNAL, Generation, new_generation_of, open_generation, remove_others
from .index import Index
from .journal import OF_THE_FILE, SCHEMA, append
from .problems import KIND, SENTENCE
from .squares import CacheSpec, Mender, PixelCache, Squares
from .streaming import StreamedSquares

VERSION = 3  # of the pixels: raise it when images/decode.py gives other pixels for the same file
CHUNK = 256  # pictures between two journal records: at most so many are decoded again after a kill

TOGETHER = 8  # pictures that a thread decodes before it hands them over: each handing over costs waiting

# Called with (pictures done, pictures in all).
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Say nothing."""


def build_cache(
    index: Index,
    spec: CacheSpec,
    *,
    root: Path,
    threads: int,
    progress: Progress = no_progress,
    keep_pixels: bool = True,
) -> tuple[Squares, Index]:
    """Decode what is not decoded yet; give the squares, and the index with width, height, hash and problem filled in.

    Without `keep_pixels` only the journal is kept, and pictures are decoded again whenever they are read.

    DataError when no picture can be decoded, CacheError when the disk is full or the cache can't be written.
    """
    folder = root / (_key(index, spec) + ("" if keep_pixels else "-streamed"))
    builder = _Builder(folder, spec, threads=threads, progress=progress, keep_pixels=keep_pixels)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with CacheLock(folder):
            _say_whose(folder, index)
            generation, records = builder.bring_up_to_date(index)
            pixels = _map(generation.pixels_path, spec) if keep_pixels else None  # before another build may remove it
    except OSError as error:
        raise disk_error(
            error, what="decoded pictures", folder=folder, wanted_bytes=len(index) * spec.square_bytes
        ) from None
    index, slots, sums = _fill(index, records)
    aspects = (index.column("width") / np.maximum(index.column("height"), 1)).astype(np.float32)
    if pixels is None:
        return StreamedSquares(index, spec, sums=sums, aspects=aspects, threads=threads), index
    mend = Mender(generation.pixels_path, spec, index=index, slots=slots, sums=sums).mend
    cache = PixelCache(
        pixels=pixels, slots=slots, aspects=aspects, sums=sums, mend=mend, decoding=spec.decoding
    )  # fmt: skip
    return cache, index


def cached_squares(index: Index, spec: CacheSpec, *, root: Path) -> PixelCache | None:
    """The squares that a cache has already, of files as the index knows them; nothing is decoded or written.

    The slot of a row whose picture is not there is -1. None where there is no such cache.
    """
    folder = root / _key(index, spec)
    try:
        if not (folder / JOURNAL).exists():
            return None
        with CacheLock(folder):
            generation = open_generation(folder, square_bytes=spec.square_bytes)
            pixels = _map(generation.pixels_path, spec)
    except OSError:  # a cache that can't be opened is none
        return None
    places = fresh_places(index, generation.records)
    records = generation.records.take(pa.array(places, mask=places < 0))
    slots, sums = (pc.fill_null(records[name], blank).to_numpy() for name, blank in (("slot", -1), ("sum", 0)))
    same = pc.fill_null(pc.equal(records["hash"], index.table["hash"]), False).to_numpy(zero_copy_only=False)
    slots = np.where(same.astype(bool), slots, -1)
    aspects = (index.column("width") / np.maximum(index.column("height"), 1)).astype(np.float32)
    mend = Mender(generation.pixels_path, spec, index=index, slots=slots, sums=sums).mend
    return PixelCache(pixels=pixels, slots=slots, aspects=aspects, sums=sums, mend=mend, decoding=spec.decoding)


def _say_whose(folder: Path, index: Index) -> None:
    """Keep the folder of the data set beside its squares, for people and for `pictaxa cache`."""
    text = shown_name(f"{index.root.resolve()}\n")
    about = folder / ABOUT
    if not about.exists() or about.read_bytes() != text.encode():
        write_atomically(about, text)


def _map(path: Path, spec: CacheSpec) -> np.ndarray:
    """(slots, S, S, C) uint8, read-only."""
    shape = (path.stat().st_size // spec.square_bytes, spec.side, spec.side, spec.channels)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=shape) if shape[0] else np.empty(shape, dtype=np.uint8)


def _key(index: Index, spec: CacheSpec) -> str:
    path = str(index.root.resolve())
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return f"{digest}-{spec.side}px-{spec.channels}c-{spec.decoding.key}-v{VERSION}"


class _Builder:
    def __init__(
        self, folder: Path, spec: CacheSpec, *, threads: int, progress: Progress, keep_pixels: bool = True
    ) -> None:
        self.keep_pixels = keep_pixels
        self.spec = spec
        self.threads = threads
        self.progress = progress
        self.folder = folder

    def bring_up_to_date(self, index: Index) -> tuple[Generation, pa.Table]:
        """Decode new and changed pictures; where their squares are, and the journal's record of each of the index's
        rows, nulls where there is none.
        """
        generation = self._worth_keeping(index, open_generation(self.folder, square_bytes=self._square_bytes))
        if self.keep_pixels:
            remove_others(self.folder, generation)
        records, places = generation.records, fresh_places(index, generation.records)
        todo = np.flatnonzero(index.usable & (places < 0))
        if not self._has_room(len(todo)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        places[todo] = len(records) + np.arange(len(todo))
        decoded = self._decode_all(index, todo.tolist(), generation)
        records = pa.concat_tables([records, decoded]).combine_chunks()
        return generation, records.take(pa.array(places, mask=places < 0))

    @property
    def _square_bytes(self) -> int:
        return self.spec.square_bytes if self.keep_pixels else 0

    def _worth_keeping(self, index: Index, generation: Generation) -> Generation:
        """The generation, or a new one without what is stale where that is most of it."""
        records, slots = generation.records, generation.records["slot"].to_numpy()
        used = fresh_places(index, records)
        kept = np.zeros(len(records), dtype=bool)
        kept[used[used >= 0]] = True
        few = generation.slots // 2
        if generation.slots <= 64 or (slots[kept] >= 0).sum() >= few:
            return generation
        kept |= is_of_another(index, records, used=kept)
        squares = int((slots[kept] >= 0).sum())
        if squares >= few or not self._has_room(squares):
            return generation
        kept_only = replace(generation, records=records.filter(pa.array(kept)).combine_chunks())
        return new_generation_of(self.folder, kept_only, square_bytes=self._square_bytes)

    def _has_room(self, squares: int) -> bool:
        return squares * self._square_bytes <= shutil.disk_usage(self.folder).free

    def _decode_all(self, index: Index, todo: list[int], generation: Generation) -> pa.Table:
        """Records of the rows, in their order, with squares behind all others; Ctrl-C loses nothing."""
        written: list[pa.Table] = []
        if not todo:
            return SCHEMA.empty_table()
        slot = generation.slots
        files = index.table.select(OF_THE_FILE).combine_chunks()
        with self._open_pixels(generation) as pixels, (self.folder / JOURNAL).open("ab") as journal:
            chunk: list[dict[str, Any]] = []
            try:
                for done, (found, square) in enumerate(self._decoded(index, todo), start=1):
                    if square is not None and pixels is not None:
                        pixels.write(square.data)
                        found["slot"] = slot
                        slot += 1
                    chunk.append(found)
                    if len(chunk) == CHUNK:
                        written.append(_commit(files, chunk, pixels=pixels, journal=journal))
                        chunk.clear()
                    self.progress(done, len(todo))
            finally:
                written.append(_commit(files, chunk, pixels=pixels, journal=journal))
        return pa.concat_tables(written)

    def _open_pixels(self, generation: Generation) -> AbstractContextManager[IO[bytes] | None]:
        """The pixel file behind its last slot; None where none is kept."""
        if not self.keep_pixels:
            return nullcontext()
        pixels = generation.pixels_path.open("r+b")
        pixels.seek(generation.slots * self.spec.square_bytes)
        return pixels

    def _decoded(self, index: Index, todo: list[int]) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
        """Results in the order of `todo`, with a bounded number of pictures in memory."""
        ended = threading.Event()

        def decode_some(rows: list[int]) -> list[tuple[dict[str, Any], np.ndarray | None]]:
            return [self._decode_one(index, fetcher, row) for row in rows if not ended.is_set()]

        together = (todo[start : start + TOGETHER] for start in range(0, len(todo), TOGETHER))
        with Fetcher(index) as fetcher:
            results = results_ahead(decode_some, together, threads=self.threads, ahead=2 * self.threads)
            try:
                for some in results:
                    yield from some
            finally:
                ended.set()
                results.close()  # before the files are

    def _decode_one(self, index: Index, fetcher: Fetcher, row: int) -> tuple[dict[str, Any], np.ndarray | None]:
        """What the journal will say of a row's picture beside OF_THE_FILE, and its (S, S, C) square."""
        digest = ""
        try:
            picture = fetcher.fetch(row)
            digest = digest_of(picture)
            square = self.spec.square_of(picture, name=index.name(row))
        except PictureError as error:
            nothing = {"slot": -1, "sum": 0, "width": 0, "height": 0, "notes": ""}
            return {"row": row, **nothing, "hash": digest, **_problem(error.problem)}, None
        found = {"slot": -1, "sum": zlib.crc32(square.pixels.data), "width": square.width, "height": square.height}
        return {"row": row, **found, "hash": digest, **_problem(None), "notes": "\n".join(square.notes)}, square.pixels


def _problem(problem: Problem | None) -> dict[str, str]:
    return {SENTENCE: problem.detail if problem else "", KIND: problem.kind.value if problem else ""}


def digest_of(picture: Picture) -> str:
    """The name of a picture's content: equal for equal bytes, or equal pixels of an array."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(picture, np.ndarray):
        digest.update(repr(picture.shape).encode())
        picture = np.ascontiguousarray(picture).tobytes()
    digest.update(picture)
    return digest.hexdigest()


def _commit(files: pa.Table, chunk: list[dict[str, Any]], *, pixels: IO[bytes] | None, journal: IO[bytes]) -> pa.Table:
    """The records of some of the index's rows, OF_THE_FILE and what was found, written behind their pixels."""
    known = files.take(pa.array([found["row"] for found in chunk], pa.int64()))
    learned = (name for name in SCHEMA.names if name not in OF_THE_FILE)
    columns = {name: known[name] for name in OF_THE_FILE} | {name: [found[name] for found in chunk] for name in learned}
    records = pa.table(columns, schema=SCHEMA)
    if pixels is not None:
        pixels.flush()
        os.fsync(pixels.fileno())
    append(journal, records)
    journal.flush()
    os.fsync(journal.fileno())
    return records


def _fill(index: Index, records: pa.Table) -> tuple[Index, np.ndarray, np.ndarray]:
    """The index with what the journal's `records` (a row for each of its own) know; slots and sums."""

    def filled(name: str, blank: int | str) -> pa.Array:
        return pc.fill_null(records[name].combine_chunks(), blank)

    fine = pa.array(index.usable)  # as far as could be told before decoding
    problem = {
        name: pc.if_else(fine, filled(name, ""), index.table[name].cast(pa.string())) for name in (SENTENCE, KIND)
    }
    known = {"width": filled("width", 0), "height": filled("height", 0), "hash": filled("hash", "")}
    index = index.with_columns(known | problem)
    if not index.usable.any():
        raise DataError(
            "pictures that can be decoded",
            found=f"none among {len(index)} files under {str(index.root)!r} ({index.problem(0)})",
            fix="Check that the files are pictures and that you have permission to read them.",
        )
    told = count_notes(note for text in filled("notes", "").to_pylist() if text for note in text.split("\n"))
    return index.with_notes(*told), filled("slot", -1).to_numpy(), filled("sum", 0).to_numpy()
