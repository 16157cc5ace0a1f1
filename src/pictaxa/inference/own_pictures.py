"""A run's own pictures as squares: from the cache where they are, else decoded again from their files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..config.by_name import from_json
from ..data.cache import cached_squares, digest_of
from ..data.cache_folder import default_cache_root
from ..data.fetching import Fetcher
from ..data.index import Index
from ..data.squares import CacheSpec
from ..errors import CacheError, PictureError
from ..runs.folder import Run
from ..system.pool import results_ahead
from .logits import BATCH


class OwnBatch(NamedTuple):
    """Some of a run's own pictures."""

    rows: np.ndarray  # (n,) int64 rows of the run's index
    squares: np.ndarray  # (n, S, S, C) uint8
    aspects: np.ndarray  # (n,) float32, width / height


def own_squares(run: Run, index: Index, rows: np.ndarray, *, threads: int) -> Iterator[OwnBatch]:
    """Give a run's own pictures, a few at a time; those that are gone or changed since the training are left out.

    Args:
        run: the run.
        index: its pictures.
        rows: (n,) int64 usable rows of the index.
        threads: that decode what the cache lacks.

    Returns:
        An iterator over batches of at most BATCH pictures, those of the cache first.

    Example:
        for batch in own_squares(run, index, index.rows("val"), threads=2):
            outputs = predictor.outputs(batch.squares, batch.aspects)
    """
    geometry = run.geometry
    spec = CacheSpec(geometry.square, geometry.channels, geometry.decoding)
    root = from_json(run.config["asked"]).cache or default_cache_root()
    cache = cached_squares(index, spec, root=root)
    there = np.zeros(len(rows), dtype=bool) if cache is None else cache.slots[rows] >= 0
    left = rows[~there]
    if cache is not None:
        for start in range(0, int(there.sum()), BATCH):
            some = rows[there][start : start + BATCH]
            try:
                yield OwnBatch(some, cache.read(some), cache.aspects[some])
            except CacheError:  # a damaged square whose file is gone
                left = np.concatenate([left, some])
    yield from _decoded(index, left, spec=spec, threads=threads)


def _decoded(index: Index, rows: np.ndarray, *, spec: CacheSpec, threads: int) -> Iterator[OwnBatch]:
    hashes = index.column("hash")
    with Fetcher(index) as fetcher:

        def decode(row: int) -> tuple[int, np.ndarray, float] | None:
            try:
                picture = fetcher.fetch(row)
                if hashes[row] and digest_of(picture) != hashes[row]:
                    return None
                square = spec.square_of(picture, name=fetcher.name(row))
            except PictureError:
                return None
            return row, square.pixels, square.aspect

        waiting: list[tuple[int, np.ndarray, float]] = []
        for found in results_ahead(decode, rows.tolist(), threads=threads, ahead=2 * BATCH):
            if found is not None:
                waiting.append(found)
            if len(waiting) == BATCH:
                yield _batch(waiting)
                waiting.clear()
        if waiting:
            yield _batch(waiting)


def _batch(found: list[tuple[int, np.ndarray, float]]) -> OwnBatch:
    rows, squares, aspects = zip(*found, strict=True)
    return OwnBatch(np.array(rows, dtype=np.int64), np.stack(squares), np.array(aspects, dtype=np.float32))
