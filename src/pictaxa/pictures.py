"""Bytes, or the pixels of an array, to upright pixels to a square: the only decoder.

Training, validation, prediction and serving all come through `load_square`, so a picture has the same pixels
wherever it is asked about. Colour profiles are not applied: pixels are taken as sRGB, as browsers and the usual
training sets do.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import PictureError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF")

FORMAT_OF_SUFFIX = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP",
    ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF",
}  # fmt: skip
SUFFIXES = frozenset(FORMAT_OF_SUFFIX)

GREY, RGB = 1, 3  # channels of a square

Picture = bytes | np.ndarray  # encoded, or (H, W) or (H, W, C) uint8 pixels as they are

# Pillow's own limit: twice 89,478,485 pixels, a quarter of a gigabyte as RGB.
MOST_PIXELS = 2 * 89_478_485


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
    """What a file says of itself: format, Pillow's mode, and the EXIF orientation (1: upright)."""

    format: str
    mode: str
    orientation: int


def is_picture(name: str) -> bool:
    """Whether a file name ends like a picture's."""
    return Path(name).suffix.lower() in SUFFIXES


def load_square(path: str | Path, *, side: int, channels: int) -> Square:
    """Read a file and squash it to a (side, side, channels) square; PictureError names the file and the reason."""
    return square_of(read_file(path), name=str(path), side=side, channels=channels)


def read_file(path: str | Path) -> bytes:
    """A file's bytes; PictureError names the file and the reason."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(str(path), f"unreadable: {error.strerror or error}") from None


def square_of(picture: Picture, *, name: str, side: int, channels: int) -> Square:
    """Decode encoded bytes, or take (H, W) or (H, W, C) uint8 pixels, and squash to (side, side, channels) uint8.

    JPEGs are decoded at the smallest of 1, 1/2, 1/4 or 1/8 of their size that still covers the square (draft),
    then reduced with an antialiased bicubic filter. A picture that already is side x side keeps its pixels.
    """
    image, width, height = _decode(picture, name=name, draft_side=side)
    image = image.convert("L" if channels == GREY else "RGB")
    image = image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    pixels = np.array(image, dtype=np.uint8).reshape(side, side, channels)
    return Square(pixels=pixels, width=width, height=height)


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
            return Header(opened.format or "", opened.mode, int(opened.getexif().get(0x0112, 1)))
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
        raise PictureError(name, f"no picture: numbers of shape {pixels.shape}, type {pixels.dtype}")
    return Image.fromarray(np.ascontiguousarray(pixels).reshape(shape))


def _decode(picture: Picture, *, name: str, draft_side: int | None) -> tuple[Image.Image, int, int]:
    """The upright picture (maybe smaller, by draft) and its true upright width and height."""
    if isinstance(picture, np.ndarray):
        image = _to_eight_bits(_from_pixels(picture, name=name))
        return image, image.width, image.height
    if not picture:
        raise PictureError(name, "empty file")
    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"{width} x {height} pixels")
            if draft_side is not None:
                # A plain "L" draft of a colour JPEG would skip the colour; the mode stays what it is.
                image.draft(None, (draft_side, draft_side))
            orientation = image.getexif().get(0x0112, 1)
            image.load()
            upright = ImageOps.exif_transpose(image)
            if orientation in (5, 6, 7, 8):  # the quarter turns of the EXIF standard
                width, height = height, width
            return _to_eight_bits(upright), width, height
    except Exception as error:  # Pillow's plugins raise many types on damaged files
        raise PictureError(name, _reason(error)) from None


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes to L or RGB; what is transparent becomes white."""
    if image.mode in ("L", "RGB"):
        # PNG's tRNS chunk marks one colour of an opaque mode as transparent.
        return image if "transparency" not in image.info else _over_white(image.convert("RGBA"))
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_by_range(np.asarray(image))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        return _over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _scale_by_range(values: np.ndarray) -> Image.Image:
    """Grey of more than 8 bits to 8: by the 16-bit range, or by its own where it goes beyond (or is a float)."""
    fractions = values.dtype.kind == "f"
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("holds values that are not finite")
    low, high = float(values.min()), float(values.max())
    full = 1.0 if fractions else 65535.0
    if low >= 0 and high <= full:
        low, high = 0.0, full
    scaled = (values - low) * (255.0 / max(high - low, 1e-12))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _reason(error: Exception) -> str:
    """A short cause in plain words."""
    text = str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a known format"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"decompression bomb: more than {MOST_PIXELS:,} pixels or above the safe size ({text})"
    if "truncated" in text.lower() or isinstance(error, (EOFError, struct.error)):
        return f"truncated: {text or 'the file ends too early'}"
    if isinstance(error, OSError) and error.strerror:
        return f"unreadable: {error.strerror}"
    return f"damaged: {text or type(error).__name__}"
