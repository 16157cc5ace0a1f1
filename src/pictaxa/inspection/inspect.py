"""Inspects a data set before training: read, decode, measure, check; output as lines, JSON or a manifest."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..config.data import DecodingConfig, ReadingConfig
from ..data.cache import build_cache
from ..data.fetching import Fetcher
from ..data.index import Index
from ..data.levels import USUAL, choose_decoding
from ..data.reading import read_data, survey
from ..data.squares import CacheSpec, Squares
from ..errors import ConfigError, PictureError, ProblemKind, close_matches, printable
from ..images.decode import Header, examine
from ..system.pool import results_ahead
from ..system.printing import lines_html
from ..system.progress import CountProgress, DecodeProgress, StageProgress
from .alike import Pair, find_alike
from .checks import Facts, check
from .findings import KINDS, Finding
from .quality import MIN_SIDE, Quality, measure_quality
from .sketches import thumbnails

SIDE = 160  # of the squares that are looked at, pixels
BLOCK = 32  # pictures measured at a time: few enough for a processor's cache
VERSION = 3  # of what is remembered: raise it when the same squares give other pairs or numbers
READ_AHEAD = 256  # headers that are read before they are asked for
QUALITIES = ("brightness", "contrast", "sharpness", "colour")


@dataclass(frozen=True, repr=False)
class Inspection:
    """What was looked at, and what was found.

    Example:
        inspection = pictaxa.inspect("photos")
        for finding in inspection.findings:
            print(finding.kind, finding.text, [inspection.index.name(row) for row in finding.rows])
    """

    index: Index
    cache: Squares
    findings: list[Finding]
    seconds: float = 0.0

    def __repr__(self) -> str:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in self.findings)) or "no problems"
        return printable(f"<Inspection of {len(self.index)} pictures in {len(self.index.classes)} classes: {kinds}>")

    def _repr_html_(self) -> str:
        return lines_html(inspection_lines(self))


def inspect_data(
    path: str | Path,
    reading: ReadingConfig,
    *,
    root: Path,
    threads: int,
    size: int | None = None,
    asked: DecodingConfig = USUAL,
) -> Inspection:
    """The full inspection of a data set; `root` is the folder of caches, `size` the one to train at, in pixels.

    DataError and CacheError as `read_data` and `build_cache`.
    """
    index = read_data(path, reading, cache=root)
    side, grey = survey(index)
    decoding, notes = choose_decoding(index, asked)
    index = index.with_notes(*notes)
    spec = CacheSpec(min(SIDE, side), 1 if grey else 3, decoding)
    with DecodeProgress() as progress:
        cache, index = build_cache(index, spec, root=root, threads=threads, progress=progress)
    pairs, quality = look(index, cache, root=root)
    if cache.side < MIN_SIDE:
        index = index.with_notes(
            f"near duplicates were not searched for: too many pictures look alike at {cache.side} px"
        )
    headers = read_headers(index, threads=threads)
    facts = Facts(index, pairs, quality, headers, looked=np.flatnonzero(index.usable), side=cache.side, size=size)
    return Inspection(index, cache, check(facts))


def look(index: Index, cache: Squares, *, root: Path) -> tuple[tuple[Pair, ...], Quality]:
    """Pairs of usable rows that are alike, and the usable rows' Quality; remembered in the folder of caches.

    What is remembered is named by the pictures' content, so it can't be stale.
    """
    rows = np.flatnonzero(index.usable)
    about = f"{VERSION} {cache.side} {cache.channels} {cache.decoding.key}"
    digest = hashlib.blake2b(about.encode(), digest_size=12)
    digest.update("".join(index.column("hash")[rows]).encode())
    path = root / "inspected" / f"{digest.hexdigest()}.npz"
    try:
        with np.load(path, allow_pickle=False) as known:
            found, likeness, mirrored = known["pairs"], known["likeness"], known["mirrored"]
            quality = Quality(*(known[name] for name in QUALITIES))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):  # not there, or not whole
        alike, quality = _look_anew(cache, rows, index.column("hash")[rows])
        found = np.array([(pair.first, pair.second) for pair in alike], dtype=np.int64).reshape(-1, 2)
        likeness = np.array([pair.likeness for pair in alike])
        mirrored = np.array([pair.mirrored for pair in alike], dtype=bool)
        measured = {name: getattr(quality, name) for name in QUALITIES}
        _remember(path, {"pairs": found, "likeness": likeness, "mirrored": mirrored, **measured})
    pairs = zip(rows[found].tolist(), likeness.tolist(), mirrored.tolist(), strict=True)
    return tuple(Pair(first, second, likeness, mirrored) for (first, second), likeness, mirrored in pairs), quality


def _look_anew(cache: Squares, rows: np.ndarray, hashes: np.ndarray) -> tuple[list[Pair], Quality]:
    """Pairs of places among the rows (of equal pictures the first stands for all) and the rows' Quality."""
    thumbs, parts = [], []
    with CountProgress("measure", total=len(rows)) as progress:
        for start in range(0, len(rows), BLOCK):
            squares = torch.from_numpy(cache.read(rows[start : start + BLOCK]))
            thumbs.append(thumbnails(squares).numpy())
            parts.append(measure_quality(squares))
            progress.count(len(squares))
    quality = Quality(*(np.concatenate([getattr(part, name) for part in parts]) for name in QUALITIES))
    _, firsts = np.unique(hashes.astype(str), return_index=True)
    firsts.sort()
    if cache.side < MIN_SIDE:
        return [], quality
    with StageProgress() as told:
        pairs = find_alike(np.concatenate(thumbs)[firsts], told)
    return [replace(pair, first=int(firsts[pair.first]), second=int(firsts[pair.second])) for pair in pairs], quality


def _remember(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Written whole or not at all; a disk that is full costs a second look next time, no more."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(partial, allow_pickle=False, **arrays)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)


def read_headers(index: Index, *, threads: int) -> dict[int, Header]:
    """The header of each readable file, by row."""
    headers: dict[int, Header] = {}
    rows = np.flatnonzero(~index.of_kind(ProblemKind.UNREADABLE)).tolist()

    with Fetcher(index) as fetcher, CountProgress("headers", total=len(rows)) as progress:

        def read(row: int) -> tuple[int, Header | None]:
            try:
                return row, examine(fetcher.fetch(row))
            except PictureError:
                return row, None

        for row, header in results_ahead(read, rows, threads=threads, ahead=READ_AHEAD, name="headers"):
            if header is not None:
                headers[row] = header
            progress.count()
    return headers


def inspection_lines(inspection: Inspection) -> Iterator[str]:
    """As text: the data set, and a line or two for each finding."""
    index = inspection.index
    splits = index.column("split")
    counts = [(split, int((splits == split).sum())) for split in ("train", "val", "test")]
    shown = ", ".join(f"{count} {split}" for split, count in counts if count) or "split by us"
    yield f"pictures  {len(index)} in {len(index.classes)} classes: {shown}"
    for note in index.notes:
        yield f"note      {note}"
    for finding in inspection.findings:
        yield f"{KINDS[finding.kind].title} ({finding.kind})"
        yield f"          {finding.text}"
    if not inspection.findings:
        yield "no problems were found"


def fast_lines(findings: list[Finding]) -> Iterator[str]:
    """Of the checks before a training, a line each."""
    for finding in findings:
        yield f"found     {KINDS[finding.kind].title}: {finding.text}"


def as_json(inspection: Inspection) -> dict[str, Any]:
    """All findings with their rows' names."""
    index = inspection.index
    return {
        "root": str(index.root),
        "pictures": len(index),
        "classes": list(index.classes),
        "notes": list(index.notes),
        "findings": [
            {
                "kind": finding.kind,
                "title": KINDS[finding.kind].title,
                "text": finding.text,
                "pictures": [
                    {"path": index.name(row), **({"note": finding.notes[row]} if row in finding.notes else {})}
                    for row in finding.rows
                ],
                "sets": [[index.name(row) for row in rows] for rows in finding.sets],
            }
            for finding in inspection.findings
        ],
    }


def strict_failures(findings: list[Finding], kinds: tuple[str, ...]) -> list[str]:
    """The kinds that were found among those that are errors here; ConfigError on an unknown one."""
    for kind in kinds:
        if kind not in KINDS and kind != "all":
            raise ConfigError("a kind of finding", found=repr(kind), fix=close_matches(kind, ["all", *KINDS]))
    return [finding.kind for finding in findings if finding.kind in kinds or "all" in kinds]
