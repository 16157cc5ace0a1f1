"""Squares decoded again whenever they are needed, for data sets too large for a cache."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..errors import DataError
from ..images.decoding import Decoding
from .fetching import Fetcher
from .index import Index
from .squares import CacheSpec, decode_again


class StreamedSquares:
    """Reads as a PixelCache does, from the files themselves, in threads."""

    def __init__(self, index: Index, spec: CacheSpec, *, sums: np.ndarray, aspects: np.ndarray, threads: int) -> None:
        self.spec = spec
        self.aspects = aspects
        self._sums = sums
        self._fetcher = Fetcher(index)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self.close = weakref.finalize(self, _close, self._pool, self._fetcher)

    @property
    def side(self) -> int:
        """S, in pixels."""
        return self.spec.side

    @property
    def channels(self) -> int:
        """C."""
        return self.spec.channels

    @property
    def decoding(self) -> Decoding:
        """How the files become pixels."""
        return self.spec.decoding

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) rows of usable pictures -> (n, S, S, C) uint8; DataError for a file that is not as it was."""
        return np.stack(list(self._pool.map(self._read_one, rows.tolist())))

    def _read_one(self, row: int) -> np.ndarray:
        square, problem = decode_again(self._fetcher, row, spec=self.spec, total=int(self._sums[row]))
        if square is None:
            name = self._fetcher.name(row)
            raise DataError(
                f"the picture {name!r} as it was at first", found=problem, fix="Restore it, or start a new training."
            )
        return square


def _close(pool: ThreadPoolExecutor, fetcher: Fetcher) -> None:
    # Nobody reads any more, and one of the pool's own threads, which can't wait for itself, may have let go last.
    pool.shutdown(wait=False, cancel_futures=True)
    fetcher.close()
