"""Decoded pictures as squares in a memory map: read by index row, verified by checksum, and repaired."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import CacheError, PictureError
from ..images.decode import Picture, Square, square_of
from ..images.decoding import PLAIN, Decoding
from ..system.progress import warn
from .fetching import Fetcher
from .index import Index


@dataclass(frozen=True)
class CacheSpec:
    """What a square is: its side in pixels, its channels (1 or 3), and how files become pixels."""

    side: int
    channels: int
    decoding: Decoding = PLAIN

    @property
    def square_bytes(self) -> int:
        """Bytes of one square."""
        return self.side * self.side * self.channels

    def square_of(self, picture: Picture, *, name: str) -> Square:
        """A picture's square; PictureError names it and the reason."""
        return square_of(picture, name=name, side=self.side, channels=self.channels, decoding=self.decoding)


class Squares(Protocol):
    """Decoded pictures of an Index's rows, from any source."""

    aspects: np.ndarray  # (rows,) float32: width / height

    @property
    def side(self) -> int:
        """S, in pixels."""

    @property
    def channels(self) -> int:
        """C."""

    @property
    def decoding(self) -> Decoding:
        """How the files became pixels."""

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) rows of usable pictures -> (n, S, S, C) uint8."""


@dataclass
class PixelCache:
    """Squares of an Index's rows, memory-mapped."""

    pixels: np.ndarray  # (slots, S, S, C) uint8, memory-mapped, read-only
    slots: np.ndarray  # (rows,) int64: the slot of each row of the index, -1 for a picture set aside
    aspects: np.ndarray  # (rows,) float32: width / height
    sums: np.ndarray  # (rows,) uint32: the CRC-32 of each row's square
    mend: Callable[[int], np.ndarray]  # a row's square, decoded again because it is not what was written
    decoding: Decoding = PLAIN
    trusted: np.ndarray = field(init=False)  # (rows,) bool: rows whose square was compared with its sum

    def __post_init__(self) -> None:
        self.trusted = np.zeros(len(self.slots), dtype=bool)

    @property
    def side(self) -> int:
        """S, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """C."""
        return int(self.pixels.shape[3])

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) rows of usable pictures -> (n, S, S, C) uint8, a copy; CacheError for a square that can't be mended."""
        squares = self.pixels[self.slots[rows]]
        for place in np.flatnonzero(~self.trusted[rows]):
            row = int(rows[place])
            self.trusted[row] = self._is_whole(row, squares[place])
            if not self.trusted[row]:
                squares[place] = self.mend(row)
                # The file has it now, unless another took its name: then it is mended whenever it is read.
                self.trusted[row] = self._is_whole(row, self.pixels[self.slots[row]])
        return squares

    def _is_whole(self, row: int, square: np.ndarray) -> bool:
        return zlib.crc32(square.data) == self.sums[row]


@dataclass(frozen=True)
class Mender:
    """Decodes again the squares that were damaged on disk.

    Their bytes are the only ones that are ever written over, by those that were there at first.
    """

    pixels_path: Path
    spec: CacheSpec
    index: Index
    slots: np.ndarray
    sums: np.ndarray

    def mend(self, row: int) -> np.ndarray:
        """The row's square as it was, in its slot again if the pixel file still has its name; CacheError when the
        picture is not what it was either.
        """
        with Fetcher(self.index) as fetcher:
            name = fetcher.name(row)
            square, problem = decode_again(fetcher, row, spec=self.spec, total=int(self.sums[row]))
        if square is None:
            raise CacheError(
                f"the decoded picture of {name!r} as it was written",
                found=f"other bytes in {str(self.pixels_path)!r}, and of the file {problem}",
                fix="Run the command again to decode the picture again. If this happens again, check the disk.",
            )
        with suppress(OSError), self.pixels_path.open("r+b") as pixels:
            pixels.seek(int(self.slots[row]) * self.spec.square_bytes)
            pixels.write(square.data)
        warn(f"repaired  a damaged square in the cache, of {name!r}")
        return square


def decode_again(fetcher: Fetcher, row: int, *, spec: CacheSpec, total: int) -> tuple[np.ndarray | None, str]:
    """A row's (S, S, C) square if its CRC-32 is still `total`; else None and what is there instead."""
    try:
        square = spec.square_of(fetcher.fetch(row), name=fetcher.name(row))
    except PictureError as error:
        return None, error.reason
    if zlib.crc32(square.pixels.data) != total:
        return None, "another picture"
    return square.pixels, ""
