"""Bytes, or the pixels of an array, to upright pixels to a square: the only decoder.

Training, validation, prediction and serving all come through `load_square`, so a picture has the same pixels
wherever it is asked about. Colour profiles are not applied: pixels are taken as sRGB, as browsers and the usual
training sets do.
"""

from __future__ import annotations

import io
import math
import os
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from ..errors import PictureError, Problem
from .integrity import JPEGS, check_cover, check_end, check_sums
from .jpeg import ORIENTATION, plain_jpeg
from .to_uint8 import to_eight_bits

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF")

FORMAT_OF_SUFFIX = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP",
    ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF",
}  # fmt: skip
SUFFIXES = tuple(FORMAT_OF_SUFFIX)

GREY, RGB = 1, 3  # channels of a square

Picture = bytes | np.ndarray  # encoded, or (H, W) or (H, W, C) uint8 pixels as they are

# Pillow's own limit: twice 89,478,485 pixels, a quarter of a gigabyte as RGB.
MAX_PIXELS = 2 * 89_478_485
# A picture that takes more memory than the first, from fewer bytes than a part of the second, is no photograph: real
# ones of 100 megapixels have more than 2 MB, where 1.2 would do. JPEGs count by what draft makes of them. With what
# decoders take besides, a small file stays below 256 MB.
BOMB_BYTES, BOMB_PART = 15 * 2**24, 1000
OWN_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # for each pixel, by Pillow's modes; else 4
PLAIN = frozenset({*OWN_BYTES, "I", "F", "RGB"} - {"P"})  # what becomes grey, or stays: others are copied as RGB
WEBP_BYTES = 20  # for each pixel: libwebp's canvas twice, a copy, Pillow's picture, and its copy without transparency
PROGRESSIVE_BYTES = 6  # the coefficients of the whole picture, whatever draft makes of it
NEAR = 6  # sides of the square: a longer picture is averaged by a whole number first

TURNS = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip

# Pillow warns of odd metadata and of large pictures: the first does no harm, of the second there are limits above.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Square:
    """A picture squashed to (S, S, C) uint8, and what is needed to undo the squash."""

    pixels: np.ndarray  # (S, S, C) uint8
    width: int  # of the upright picture, in pixels
    height: int

    @property
    def aspect(self) -> float:
        """Width over height of the upright picture."""
        return self.width / self.height


@dataclass(frozen=True)
class Header:
    """The header of a file: format, Pillow's mode, and the EXIF orientation (1: upright)."""

    format: str
    mode: str
    orientation: int


def is_picture(name: str) -> bool:
    """Whether a file name ends like a picture's."""
    return name.lower().endswith(SUFFIXES)


def load_square(path: str | Path, *, side: int, channels: int) -> Square:
    """Read a file and squash it to a (side, side, channels) square; PictureError names the file and the reason."""
    return square_of(read_file(path), name=str(path), side=side, channels=channels)


def read_file(path: str | Path) -> bytes:
    """A file's bytes; PictureError names the file and the reason."""
    try:
        return _read_whole(path)
    except (OSError, ValueError) as error:  # a name with a zero in it is the latter
        raise PictureError(str(path), Problem.UNREADABLE.told(getattr(error, "strerror", "") or error)) from None


def _read_whole(path: str | Path) -> bytes:
    """With the fewest calls: after each of them a thread may have to wait until another lets it go on."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # the latter on Windows
    try:
        size = os.fstat(descriptor).st_size
        data = os.read(descriptor, size + 1)
        if len(data) == size:
            return data
        parts = [data]  # of a pipe, or a file that is written just now
        while parts[-1]:
            parts.append(os.read(descriptor, 2**20))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def square_of(picture: Picture, *, name: str, side: int, channels: int) -> Square:
    """Decode encoded bytes, or take (H, W) or (H, W, C) uint8 pixels, and squash to (side, side, channels) uint8.

    JPEGs are decoded at the smallest of 1, 1/2, 1/4 or 1/8 of their size that still covers the square (draft),
    then reduced with an antialiased bicubic filter. A picture that already is side x side keeps its pixels.
    """
    plain = _plain(picture, side=side, channels=channels)
    if plain is not None:
        pixels, width, height = plain
        pixels = _filtered(pixels, side)
    else:
        image, width, height = _decode(picture, name=name, draft_side=side)
        if channels == GREY and image.mode != "L":
            image = image.convert("L")
        pixels = _squash(image, side)
    if channels == RGB and pixels.shape[2] == GREY:  # after it is small, with the same pixels
        pixels = np.repeat(pixels, RGB, axis=2)
    return Square(pixels=pixels, width=width, height=height)


def _plain(picture: Picture, *, side: int, channels: int) -> tuple[np.ndarray, int, int] | None:
    """(H, W, C) uint8 pixels of what needs neither averaging nor a closer look, and its full width and height."""
    if isinstance(picture, np.ndarray):
        return None
    # Of a square so large that this takes much memory nobody asks, but for a picture that may be a bomb.
    longest = min(NEAR * side, math.isqrt(BOMB_BYTES // (3 * RGB)))
    return plain_jpeg(picture, channels=channels, side=side, longest=longest, most_pixels=MAX_PIXELS)


def _squash(image: Image.Image, side: int) -> np.ndarray:
    """A picture of mode L or RGB to (side, side, C) uint8; what is far larger than that is averaged first."""
    if max(image.size) > NEAR * side:
        small = image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=NEAR / 2)
        return np.array(small).reshape(side, side, -1)
    return _filtered(np.array(image).reshape(image.height, image.width, -1), side)


def _filtered(pixels: np.ndarray, side: int) -> np.ndarray:
    """(H, W, C) uint8 to (side, side, C) by an antialiased bicubic filter.

    Torch's for bytes is Pillow's but for rounding, takes a third of its time, and reckons in integers as Pillow does:
    the same pixels on every processor.
    """
    import torch
    import torch.nn.functional as F

    # (H, W, C) -> (1, C, H, W), with strides (an axis by None has none) in which torch sees that channels come last.
    planes = torch.from_numpy(pixels.reshape(1, *pixels.shape).transpose(0, 3, 1, 2))
    planes = F.interpolate(planes, size=(side, side), mode="bicubic", antialias=True)
    return np.ascontiguousarray(planes.numpy()[0].transpose(1, 2, 0))  # (1, C, S, S) -> (S, S, C)


def decode(picture: Picture, *, name: str) -> Image.Image:
    """Encoded bytes or pixels to an upright picture of mode RGB or L, at full size."""
    return _decode(picture, name=name, draft_side=None)[0]


def measure(picture: Picture, *, name: str) -> tuple[int, int, bool]:
    """Width, height and whether the picture is grey, from the header alone; PictureError when there is none."""
    if isinstance(picture, np.ndarray):
        image = _from_pixels(picture, name=name)
        return image.width, image.height, image.mode == "L"
    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as opened:
            return opened.width, opened.height, opened.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
    except Exception as error:
        raise PictureError(name, _reason(error)) from None


def examine(picture: Picture) -> Header:
    """What a picture's header says; nothing of what can't be opened, which decoding tells better."""
    if isinstance(picture, np.ndarray):
        return Header("pixels", "L" if picture.shape[2:] in ((), (1,)) else "RGB", 1)
    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as opened:
            return Header(opened.format or "", opened.mode, int(opened.getexif().get(ORIENTATION, 1)))
    except Exception:  # Pillow's plugins raise many types
        return Header("", "", 1)


def format_of_suffix(name: str) -> str:
    """The format that a file name speaks of; "" where its suffix is no picture's."""
    return FORMAT_OF_SUFFIX.get(Path(name).suffix.lower(), "")


def _from_pixels(pixels: np.ndarray, *, name: str) -> Image.Image:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 as a picture of mode L, RGB or RGBA."""
    shape = pixels.shape[:2] if pixels.shape[2:] == (1,) else pixels.shape
    fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))
    if not fits or pixels.dtype != np.uint8 or 0 in shape:
        raise PictureError(name, f"not a picture: an array of shape {pixels.shape}, type {pixels.dtype}")
    return Image.fromarray(np.ascontiguousarray(pixels).reshape(shape))


def _decode(picture: Picture, *, name: str, draft_side: int | None) -> tuple[Image.Image, int, int]:
    """The upright picture (maybe smaller, by draft) and its true upright width and height."""
    if isinstance(picture, np.ndarray):
        image = to_eight_bits(_from_pixels(picture, name=name))
        return image, image.width, image.height
    if not picture:
        raise PictureError(name, "empty file")
    try:
        return _decode_bytes(picture, draft_side=draft_side)
    except Exception as error:  # Pillow's plugins raise many types on damaged files
        reason = _reason(error)
    # Not from within: an error that remembers another keeps its pixels in memory for as long as it lives.
    raise PictureError(name, reason)


def _decode_bytes(data: bytes, *, draft_side: int | None) -> tuple[Image.Image, int, int]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise Image.DecompressionBombError(f"{width} x {height} pixels")
        if image.format == "PNG":
            check_sums(data)
        if draft_side is not None:
            # A plain "L" draft of a colour JPEG would skip the colour; the mode stays what it is.
            image.draft(None, (draft_side, draft_side))
        _check_memory(image, pixels=width * height, size_bytes=len(data))
        check_cover(image)
        image.load()
        if image.format in JPEGS:
            check_end(image, data, draft_side=draft_side)
        orientation = _orientation(image)
        if orientation > 4:  # the quarter repeats of the EXIF standard
            width, height = height, width
        if orientation > 1:
            _check_memory(image, pixels=width * height, size_bytes=len(data), turned=True)
        upright = image.transpose(TURNS[orientation]) if orientation > 1 else image
        return to_eight_bits(upright), width, height


def _orientation(image: ImageFile.ImageFile) -> int:
    """From 1 to 8 by EXIF, 1 where it says nothing that can be read. To be asked once the pixels are there.

    Pillow may load a PNG to find it, and has turned a TIFF by then.
    """
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata raises many types, and the pixels are whole
        return 1
    return orientation if orientation in TURNS else 1


def _check_memory(image: ImageFile.ImageFile, *, pixels: int, size_bytes: int, turned: bool = False) -> None:
    """Refuse what would take far more memory than its file has bytes; `pixels` are the picture's before draft."""
    own = OWN_BYTES.get(image.mode, 4)
    by_pixel = own + (1 if image.mode in PLAIN and "transparency" not in image.info else 4)
    if turned or image.format == "TIFF":  # which Pillow repeats while it loads
        by_pixel += own
    if image.format in JPEGS:  # where its end has to be proved
        by_pixel = max(by_pixel, 3 * own)
    memory = image.width * image.height * (WEBP_BYTES if image.format == "WEBP" else by_pixel)
    if "progressive" in image.info:
        memory += pixels * PROGRESSIVE_BYTES
    if memory > max(BOMB_BYTES, BOMB_PART * size_bytes):
        raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels from {size_bytes:,} bytes")


def _reason(error: Exception) -> str:
    """A short cause in plain words."""
    text = str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a known format"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return Problem.BOMB.told(f"more than {MAX_PIXELS:,} pixels or larger than is safe ({text})")
    if "truncated" in text.lower() or isinstance(error, (EOFError, struct.error)):
        return Problem.TRUNCATED.told(text or "the file ends too early")
    if isinstance(error, OSError) and error.strerror:
        return Problem.UNREADABLE.told(error.strerror)
    return Problem.DAMAGED.told(text or type(error).__name__)
