from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.data.cache import build_cache
from pictaxa.data.index import Index
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec, PixelCache

SPEC = CacheSpec(side=16, channels=3)


@pytest.fixture
def build() -> Callable[[Path, Path], tuple[PixelCache, Index, int]]:
    """Builds a cache of a folder at a place; gives it, the index, and how many pictures had to be decoded."""

    def build_at(data: Path, root: Path) -> tuple[PixelCache, Index, int]:
        decoded = [0]

        def count(done: int, total: int) -> None:
            decoded[0] = total

        cache, index = build_cache(read_data(data), SPEC, root=root, threads=2, progress=count)
        assert isinstance(cache, PixelCache)
        return cache, index, decoded[0]

    return build_at
