"""Plain JPEGs straight from libjpeg-turbo: the pixels that Pillow has of them, in less time.

Pillow takes a picture from libjpeg in strips, keeps four bytes of each pixel and copies it twice on its way out, much
of that while no other thread may work. What is odd in any way is left to it: EXIF, progressive, CMYK, and whatever
libjpeg has a warning for.
"""

from __future__ import annotations

import numpy as np

from .wholeness import SCAN, segments

FRAMES = frozenset({0xC0, 0xC1})  # markers of a picture in one go, by Huffman's codes
# Tables, restarts, what programs add (but EXIF's own) and comments.
HARMLESS = frozenset({0xC4, 0xDB, 0xDD, 0xE0, *range(0xE2, 0xF0), 0xFE})


def plain_jpeg(data: bytes, *, channels: int, shorter: int, longer: int) -> np.ndarray | None:
    """(H, W, C) uint8 pixels of a whole upright JPEG of at most so many channels; None for what is not plain.

    Its shorter side is below `shorter` pixels, its longer one at most `longer`.
    """
    shape = _plain_shape(data)
    if shape is None or shape[2] > channels or min(shape[:2]) >= shorter or max(shape[:2]) > longer:
        return None
    import simplejpeg

    try:
        # Strict: an error wherever libjpeg would only warn, as of data that ends too early.
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, colorspace="GRAY" if shape[2] == 1 else "RGB", strict=True)
    except ValueError:
        return None
    return pixels if pixels.shape == shape else None


def _plain_shape(data: bytes) -> tuple[int, int, int] | None:
    """Height, width and channels by the head of a JPEG, if all that stands there is known to be harmless."""
    shape = None
    if data[:2] == b"\xff\xd8":
        for kind, begin, end in segments(data):
            if kind == SCAN:  # all channels in one, or they come one after the other
                return shape if shape and data[begin] == shape[2] else None
            if kind in FRAMES and shape is None and begin + 6 <= end <= len(data):
                height, width = int.from_bytes(data[begin + 1 : begin + 3]), int.from_bytes(data[begin + 3 : begin + 5])
                shape = (height, width, data[begin + 5])
            elif kind not in HARMLESS:
                return None
    return None
