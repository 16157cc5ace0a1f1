"""Numbers that are not bytes (16 bits and more, signed, fractions) to bytes, by one range for a whole set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image

from .decoding import Decoding, Level

STRIP_NUMBERS = 2**18  # worked on together: as float64 they take eight times the memory of bytes
FULL = {"uint8": 255.0, "uint16": 65535.0, "float": 1.0}  # of kinds of which a picture says by itself which is white
ROUND = (1.0, 255.0, 65535.0)  # what programs multiply by that write fractions
MORE_CHANNELS = "with more channels than its colours: these are ignored"
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # by EXIF's orientation, of (H, W) or (H, W, C)
    2: np.fliplr, 3: partial(np.rot90, k=2), 4: np.flipud, 5: lambda values: values.swapaxes(0, 1),
    6: partial(np.rot90, k=-1), 7: lambda values: np.rot90(values.swapaxes(0, 1), 2), 8: np.rot90,
}  # fmt: skip


@dataclass(frozen=True)
class Numbers:
    """The numbers of a picture as its file has them, and what the file says of them."""

    values: np.ndarray  # (H, W) grey or (H, W, 3), of any real type
    white: float | None = None  # the number that the file itself declares to be white; black is 0 then
    negative: bool = False  # whether the lowest number is shown white
    opacity: np.ndarray | None = None  # (H, W) from 0 to 1; None where all is opaque
    note: str = ""  # what else the file holds

    @property
    def kind(self) -> str:
        """By which a set's levels are known."""
        return "float" if self.values.dtype.kind == "f" else self.values.dtype.name

    def turned(self, orientation: int) -> Numbers:
        """Upright, by EXIF's orientation of them as they are; as they are where it is none of those."""
        turn = TURNS.get(orientation)
        if turn is None:
            return self
        return replace(self, values=turn(self.values), opacity=None if self.opacity is None else turn(self.opacity))


@dataclass(frozen=True)
class NumberFile:
    """A file of numbers by its header; `read` gives them."""

    format: str
    mode: str  # in words, such as 16-bit RGB
    width: int  # pixels
    height: int
    grey: bool
    orientation: int  # by EXIF or TIFF, 1: upright
    read: Callable[[], Numbers]  # upright


def to_bytes(numbers: Numbers, decoding: Decoding) -> Image.Image:
    """Numbers as a picture of mode L or RGB, on white. ValueError: they are not finite, or nobody knows their range."""
    low, high = _span(numbers, decoding)
    scale = 255.0 / max(high - low, 1e-300)
    values = numbers.values
    shown = np.empty(values.shape, dtype=np.uint8)
    rows = max(1, STRIP_NUMBERS // max(1, values[0].size))
    for top in range(0, len(values), rows):
        strip = np.clip((values[top : top + rows].astype(np.float64) - low) * scale, 0, 255)
        if numbers.negative:
            strip = 255 - strip
        if numbers.opacity is not None:
            alpha = numbers.opacity[top : top + rows].reshape(*strip.shape[:2], *(1,) * (strip.ndim - 2))
            strip = strip * alpha + 255 * (1 - alpha)
        shown[top : top + rows] = np.rint(strip)
    return Image.fromarray(shown)


def _span(numbers: Numbers, decoding: Decoding) -> tuple[float, float]:
    """Which numbers are black and white: declared for the set, or by the file, found in the set, or the type's."""
    low, high = extremes(numbers.values)
    declared = decoding.declared
    if declared is not None:
        return declared.black, declared.white
    if numbers.white is not None:
        return 0.0, numbers.white
    if found := decoding.level(numbers.kind):
        return found.black, found.white
    if decoding.levels is None:  # it is all that is known of its set
        own = _level(numbers.kind, low, high)
        return own.black, own.white
    full = FULL.get(numbers.kind)
    if full is not None and low >= 0 and high <= full:
        return 0.0, full
    raise ValueError(
        f"{numbers.kind} values from {low:g} to {high:g}: the training pictures had no such values, so which one is "
        "white is not known (train with --white-level)"
    )


def extremes(values: np.ndarray) -> tuple[float, float]:
    """The lowest and highest of some numbers; ValueError where one is not finite."""
    low, high = float(values.min()), float(values.max())  # a NaN makes both NaN
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("holds values that are not finite")
    return low, high


def find_levels(pictures: Iterable[Numbers]) -> dict[Level, int]:
    """One range for each kind of numbers, and by how many pictures of a set; of those that don't declare their own.

    Of whole numbers without a sign white is the highest that as many bits can be as the set uses: 4095 for 12 bits
    stored in 16. Of fractions it is 1, 255 or 65535 where the highest lies in the upper half below, else the highest
    itself, as it is of numbers with a sign. Black is 0, or the lowest where one is below 0.
    """
    spans: dict[str, list[tuple[float, float]]] = {}
    for numbers in pictures:
        if numbers.white is None:
            spans.setdefault(numbers.kind, []).append(extremes(numbers.values))
    return {
        _level(kind, min(low for low, _ in own), max(high for _, high in own)): len(own)
        for kind, own in sorted(spans.items())
    }


def _level(kind: str, low: float, high: float) -> Level:
    if kind.startswith("u"):
        return Level(kind, 0.0, float(2 ** int(high).bit_length() - 1) if high > 0 else FULL.get(kind, 1.0))
    usual = next((white for white in ROUND if kind == "float" and white / 2 < high <= white), None)
    black = min(low, 0.0)
    return Level(kind, black, usual or (high if high > black else black + 1.0))
