"""Converts any Pillow mode to 8-bit grey or RGB, on a white background."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

STRIP_PIXELS = 2**18  # worked on together where numbers of a pixel take much memory


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes to L or RGB; what is transparent becomes white."""
    if image.mode in ("L", "RGB"):
        # PNG's tRNS chunk marks one colour of an opaque mode as transparent.
        return image if "transparency" not in image.info else _over_white(image)
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_by_range(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        return _over_white(image)
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    shown = Image.new("RGB", image.size)
    for box in _strips(image):
        strip = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", strip.size, (255, 255, 255, 255))
        shown.paste(Image.alpha_composite(white, strip).convert("RGB"), box)
    return shown


def _scale_by_range(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits to 8: by the 16-bit range, or by its own where it goes beyond (or is a float)."""
    ranges = []
    for box in _strips(image):
        values = np.asarray(image.crop(box))
        if not np.isfinite(values).all():
            raise ValueError("holds values that are not finite")
        ranges.append((float(values.min()), float(values.max())))
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    full = 1.0 if image.mode == "F" else 65535.0
    if low >= 0 and high <= full:
        low, high = 0.0, full
    shown = Image.new("L", image.size)
    for box in _strips(image):
        scaled = (np.asarray(image.crop(box)).astype(np.float64) - low) * (255.0 / max(high - low, 1e-12))
        shown.paste(Image.fromarray(np.rint(scaled).astype(np.uint8)), box)
    return shown


def _strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """The boxes of a picture from top to bottom, of about STRIP_PIXELS each."""
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield 0, top, image.width, min(top + rows, image.height)
