"""What decides a picture's pixels besides its file: kept in the run, so that prediction decodes as training did."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..limits import MAX_PIXELS

EARLIER, TODAY = 1, 2  # revisions of the rules
ANY = "any"  # numbers of every kind: what was declared


@dataclass(frozen=True)
class Level:
    """Which number is shown black and which white, of one kind of numbers: uint16, int16, uint32, int32 or float."""

    kind: str
    black: float
    white: float


@dataclass(frozen=True)
class Decoding:
    """How files become pixels, for a whole data set and for whatever its model will see later."""

    revision: int = TODAY  # EARLIER: no colour profile is looked at, and all that is not 8-bit is as Pillow has it
    # Of numbers that are not 8-bit. None: nothing is known of a set, and each picture has the range that it has.
    levels: tuple[Level, ...] | None = None
    max_pixels: int = MAX_PIXELS  # of a picture as it is decoded

    @property
    def key(self) -> str:
        """A name of all that makes a difference, for a file of what was decoded so."""
        return hashlib.blake2b(repr(self).encode(), digest_size=4).hexdigest()

    def level(self, kind: str) -> Level | None:
        """What the set has for a kind of numbers; None where nobody knows."""
        return next((level for level in self.levels or () if level.kind in (kind, ANY)), None)

    @property
    def declared(self) -> Level | None:
        """The level that was declared for all kinds; None where none was."""
        return next((level for level in self.levels or () if level.kind == ANY), None)


PLAIN = Decoding()
AS_EARLIER = Decoding(revision=EARLIER)  # of runs that say nothing about it
