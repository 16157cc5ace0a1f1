"""Decodes plain JPEGs directly with libjpeg-turbo: the same pixels as with Pillow, in less time.

Pillow takes a picture from libjpeg in strips, keeps four bytes of each pixel and copies it twice on its way out, much
of that while no other thread may work. What is odd in any way is left to it: pictures that EXIF may turn, progressive
ones, CMYK, and whatever libjpeg has a warning for.
"""

from __future__ import annotations

import struct
from itertools import islice

import numpy as np

from .integrity import SCAN, segments

FRAMES = frozenset({0xC0, 0xC1})  # markers of a picture in one go, by Huffman's codes
APP1, EXIF, XMP_TURN = 0xE1, b"Exif\0\0", b"tiff:Orientation"  # a marker, and what it may have behind it
APP2, ICC = 0xE2, b"ICC_PROFILE\0"  # behind it its number, from 1 on, and how many there are
# Tables, restarts, what programs add (but APP1) and comments.
HARMLESS = frozenset({0xC4, 0xDB, 0xDD, 0xE0, *range(0xE2, 0xF0), 0xFE})
ORIENTATION, SHORT = 0x0112, 3  # EXIF's tag, and TIFF's kind of its value
MOST_SEGMENTS = 1000  # before the pixels: a profile or a maker's note of 64 MB
REDUCED = (8, 4, 2)  # libjpeg gives one pixel for so many by so many for less than the price of all


def plain_jpeg(
    data: bytes, *, channels: int, side: int, longest: int, most_pixels: int
) -> tuple[np.ndarray, int, int] | None:
    """(H, W, C) uint8 pixels of a whole upright JPEG, and the width and height that it has in full; None if not plain.

    H and W are full, or reduced as Pillow's draft does for a square of `side` pixels: to the least of 1/8, 1/4 and 1/2
    that still covers it. C is at most `channels`, H and W at most `longest`, and H x W at most `most_pixels`.
    """
    shape = plain_shape(data)
    if shape is None or shape[2] > channels:
        return None
    full_height, full_width, own_channels = shape
    shorter = min(full_height, full_width)
    by = next((by for by in REDUCED if shorter >= by * side), 1)
    height, width = -(-full_height // by), -(-full_width // by)
    # Of less than 8 pixels other eighths, which libjpeg has too, are as many.
    if max(height, width) > longest or height * width > most_pixels or (by > 1 and shorter < REDUCED[0]):
        return None
    import simplejpeg

    least = {"min_height": height, "min_width": width} if by > 1 else {}
    colours = "GRAY" if own_channels == 1 else "RGB"
    try:
        # Strict: an error wherever libjpeg would only warn, as of data that ends too early.
        pixels = simplejpeg.decode_jpeg(data, colorspace=colours, strict=True, **least)
    except ValueError:
        return None
    return (pixels, full_width, full_height) if pixels.shape == (height, width, own_channels) else None


def embedded_profile(data: bytes) -> bytes:
    """The ICC profile of a JPEG, put together from its parts; b"" where there is none, or a part is missing."""
    parts: dict[int, bytes] = {}
    count = 0
    for kind, begin, end in segments(data):
        if kind == SCAN:
            break
        if kind == APP2 and data.startswith(ICC, begin) and end >= begin + 14:
            count = max(count, data[begin + 13])
            parts[data[begin + 12]] = data[begin + 14 : end]
    return b"".join(parts[number] for number in sorted(parts)) if len(parts) == count else b""


def plain_shape(data: bytes) -> tuple[int, int, int] | None:
    """Height, width and channels by the head of a JPEG, if all that stands there is known to be harmless."""
    shape, exifs = None, 0
    if data[:2] == b"\xff\xd8":
        for kind, begin, end in islice(segments(data), MOST_SEGMENTS):
            if kind == SCAN:  # all channels in one, or they come one after the other
                return shape if shape and data[begin] == shape[2] else None
            if kind in FRAMES and shape is None and begin + 6 <= end <= len(data):
                height, width = int.from_bytes(data[begin + 1 : begin + 3]), int.from_bytes(data[begin + 3 : begin + 5])
                shape = (height, width, data[begin + 5])
            elif kind == APP1:
                exifs += data.startswith(EXIF, begin)
                if exifs > 1 or not _is_upright(data[begin:end]):  # a second one may go on where the first ends
                    return None
            elif kind not in HARMLESS:
                return None
    return None


def _is_upright(segment: bytes) -> bool:
    """Whether neither EXIF, whole as far as its first folder goes, nor XMP gives another orientation than the usual."""
    if not segment.startswith(EXIF):
        return XMP_TURN not in segment
    tiff = segment[len(EXIF) :]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return False
    (start,) = struct.unpack_from(f"{order}L", tiff, 4)
    count = int.from_bytes(tiff[start : start + 2], "little" if order == "<" else "big")
    entries = tiff[start + 2 : start + 2 + 12 * count]
    if not count or len(entries) < 12 * count:
        return False
    tags = struct.iter_unpack(f"{order}HHLHxx", entries)
    return all(entry[1:] == (SHORT, 1, 1) for entry in tags if entry[0] == ORIENTATION)
