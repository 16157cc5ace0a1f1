"""Which numbers are black and white in a set whose pictures are not 8-bit: declared, or found from the pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from ..config.checking import require
from ..config.data import DecodingConfig
from ..errors import PictureError
from ..images.decode import read_numbers
from ..images.decoding import ANY, Decoding, Level
from ..images.numbers import Numbers, find_levels
from .fetching import Fetcher
from .index import Index

MAX_LOOKED, MAX_READ = 64, 256  # pictures whose headers are read, and whose numbers are, where some have any
USUAL = DecodingConfig()


def choose_decoding(index: Index, asked: DecodingConfig) -> tuple[Decoding, tuple[str, ...]]:
    """How the files of a set become pixels, and what was found, in words; an even sample of the pictures is looked at.

    The same for the same files and settings. ConfigError for a black that is no lower than the white that was found.
    """
    if asked.white_level is not None:
        black = asked.black_level or 0.0
        return Decoding(levels=(Level(ANY, black, asked.white_level),), max_pixels=asked.max_pixels), ()
    limits = Decoding(max_pixels=asked.max_pixels)
    rows = np.flatnonzero(index.usable)
    with Fetcher(index) as fetcher:
        found = find_levels(_numbers(fetcher, _even(rows, MAX_LOOKED), limits))
        if found and len(rows) > MAX_LOOKED:
            found = find_levels(_numbers(fetcher, _even(rows, MAX_READ), limits))
    if asked.black_level is not None:
        found = {Level(level.kind, asked.black_level, level.white): count for level, count in found.items()}
        for level in found:
            require(
                level.white > level.black, f"--black-level below {level.white:g}, the highest number of the pictures",
                found=f"{level.black:g}", fix="Give a lower --black-level, or --white-level beside it.",
            )  # fmt: skip
    notes = tuple(
        f"{level.kind} values: {level.black:g} is black and {level.white:g} is white in all pictures, as found in "
        f"{count} of them (change it with --black-level and --white-level)"
        for level, count in found.items()
    )
    return Decoding(levels=tuple(found), max_pixels=asked.max_pixels), notes


def _numbers(fetcher: Fetcher, rows: np.ndarray, decoding: Decoding) -> Iterator[Numbers]:
    """Of the pictures that have any; what can't be read is told when it is decoded."""
    for row in rows.tolist():
        with contextlib.suppress(PictureError):
            numbers = read_numbers(fetcher.fetch(row), name=fetcher.name(row), decoding=decoding)
            if numbers is not None:
                yield numbers


def _even(rows: np.ndarray, count: int) -> np.ndarray:
    """So many of the rows, or all where there are no more."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]
