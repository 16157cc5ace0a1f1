"""Bytes, or the pixels of an array, to upright sRGB pixels to a square: the only decoder.

Training, validation, prediction and serving all come through `load_square`, so a picture has the same pixels
wherever it is asked about. What decides them besides the file is a Decoding, which a run keeps.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import PictureError, Problem, ProblemKind
from ..limits import MAX_PICTURE_BYTES, MAX_PIXELS
from .colour import Conversion
from .decoding import PLAIN, Decoding
from .formats import (
    FORMAT_OF_SUFFIX,
    FORMATS,
    SUFFIXES,
    RefusedError,
    format_of_suffix,
    is_picture,
    open_picture,
    told_irregular,
)
from .integrity import TruncatedError
from .jpeg import ORIENTATION, embedded_profile, plain_jpeg
from .number_files import number_file
from .numbers import Numbers, extremes
from .to_uint8 import to_eight_bits
from .upright import Upright, check_pixels, conversion_for, pages_of, upright, upright_held

__all__ = (  # what others know of pictures, wherever it stands
    "FORMATS", "FORMAT_OF_SUFFIX", "MAX_PIXELS", "SUFFIXES", "format_of_suffix", "is_picture",
)  # fmt: skip

GREY, RGB = 1, 3  # channels of a square

Picture = bytes | np.ndarray  # encoded, or (H, W) or (H, W, C) uint8 pixels as they are
Held = Picture | Image.Image | Numbers  # what a program may hold besides

# Binary on Windows; never waiting for whoever writes to a pipe that took a file's place.
OPENING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
MAX_PLAIN = 5000  # pixels of a side that libjpeg gives in one go
NEAR = 6  # sides of the square: a longer picture is averaged by a whole number first
GREYS = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")  # Pillow's modes

# Pillow warns of odd metadata and of large pictures: the first does no harm, of the second there is a limit.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Square:
    """A picture squashed to (S, S, C) uint8, and what is needed to undo the squash."""

    pixels: np.ndarray  # (S, S, C) uint8
    width: int  # of the upright picture, in pixels
    height: int
    notes: tuple[str, ...] = ()  # what was done that its owner should know, behind "3 pictures"

    @property
    def aspect(self) -> float:
        """Width over height of the upright picture."""
        return self.width / self.height


def count_notes(notes: Iterable[str]) -> list[str]:
    """A sentence for each of the notes that squares have, with the number of those that have it."""
    counts = sorted(Counter(notes).items())
    return [f"{count} {'picture' if count == 1 else 'pictures'} {note}" for note, count in counts]


@dataclass(frozen=True)
class Header:
    """What a file says of itself: format, mode (Pillow's, or in words), the EXIF orientation (1: upright), pages."""

    format: str
    mode: str
    orientation: int
    pages: int = 1


def load_square(path: str | Path, *, side: int, channels: int, decoding: Decoding = PLAIN) -> Square:
    """Read a file and squash it to a (side, side, channels) square; PictureError names the file and the reason."""
    return square_of(read_file(path), name=str(path), side=side, channels=channels, decoding=decoding)


def read_file(path: str | Path) -> bytes:
    """A file's bytes; PictureError names the file and the reason."""
    try:
        return _read_whole(path)
    except (OSError, ValueError) as error:  # a name with a zero in it is the latter
        raise PictureError(str(path), ProblemKind.UNREADABLE.told(getattr(error, "strerror", "") or error)) from None


def _read_whole(path: str | Path) -> bytes:
    """With the fewest calls: after each of them a thread may have to wait until another lets it go on."""
    _check_file(path, os.stat(path))  # noqa: PTH116  # a Path takes longer to make than to ask
    descriptor = os.open(path, OPENING)
    try:
        status = os.fstat(descriptor)
        _check_file(path, status)  # another one may have taken its place
        data = os.read(descriptor, status.st_size + 1)
        if len(data) == status.st_size:
            return data
        parts = [data]  # of a file that is written just now
        while parts[-1] and sum(map(len, parts)) <= MAX_PICTURE_BYTES:
            parts.append(os.read(descriptor, 2**20))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _check_file(path: str | Path, status: os.stat_result) -> None:
    """PictureError for what is no file, and for one that is too large for a picture."""
    if kind := told_irregular(status.st_mode):
        raise PictureError(str(path), ProblemKind.UNREADABLE.told(kind))
    if status.st_size > MAX_PICTURE_BYTES:
        raise PictureError(str(path), ProblemKind.BOMB.told(f"{status.st_size:,} bytes"))


def square_of(picture: Held, *, name: str, side: int, channels: int, decoding: Decoding = PLAIN) -> Square:
    """Decode encoded bytes, or take what a program holds, and squash to (side, side, channels) uint8.

    JPEGs are decoded at the smallest of 1, 1/2, 1/4 or 1/8 of their size that still covers the square (draft),
    then reduced with an antialiased bicubic filter. A picture that already is side x side keeps its pixels. Colours
    become sRGB once the picture is small.
    """
    plain = _plain(picture, side=side, channels=channels, decoding=decoding)
    if plain is not None and isinstance(picture, bytes):
        pixels, width, height = plain
        pixels = _filtered(pixels, side)
        mode = "L" if pixels.shape[2] == GREY else "RGB"
        convert, notes = conversion_for(embedded_profile(picture), mode=mode, decoding=decoding)
    else:
        decoded = _decode(picture, name=name, draft_side=side, decoding=decoding)
        width, height, convert, notes = decoded.width, decoded.height, decoded.conversion, decoded.notes
        image = decoded.image
        if channels == GREY and image.mode != "L" and convert is None:
            image = image.convert("L")
        pixels = _squash(image, side)
    if convert is not None:
        pixels = _converted(pixels, convert, channels=channels)
    if channels == RGB and pixels.shape[2] == GREY:  # after it is small, with the same pixels
        pixels = np.repeat(pixels, RGB, axis=2)
    return Square(pixels=pixels, width=width, height=height, notes=notes)


def _plain(picture: Held, *, side: int, channels: int, decoding: Decoding) -> tuple[np.ndarray, int, int] | None:
    """(H, W, C) uint8 pixels of what needs neither averaging nor a closer look, and its full width and height."""
    if not isinstance(picture, bytes):
        return None
    # Of a square so large that this takes much memory nobody asks, but for a picture that may be a bomb.
    longest = min(NEAR * side, MAX_PLAIN)
    return plain_jpeg(picture, channels=channels, side=side, longest=longest, most_pixels=decoding.max_pixels)


def _converted(pixels: np.ndarray, convert: Conversion, *, channels: int) -> np.ndarray:
    """(S, S, C) uint8 in sRGB, with at most `channels`."""
    image = convert.apply(Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == GREY else pixels))
    if channels == GREY and image.mode != "L":
        image = image.convert("L")
    return np.array(image).reshape(*pixels.shape[:2], -1)


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


def decode(picture: Held, *, name: str, decoding: Decoding = PLAIN, least_side: int | None = None) -> Image.Image:
    """Encoded bytes or pixels to an upright sRGB picture of mode RGB or L.

    At full size, or of JPEGs not much larger than `least_side` pixels, which takes less memory and time.
    """
    return _decode(picture, name=name, draft_side=least_side, decoding=decoding).converted


def measure(picture: Picture, *, name: str) -> tuple[int, int, bool]:
    """Width, height and whether the picture is grey, from the header alone; PictureError when there is none."""
    if isinstance(picture, np.ndarray):
        image = _from_pixels(picture, name=name)
        return image.width, image.height, image.mode == "L"
    try:
        if numbers := number_file(picture):
            return numbers.width, numbers.height, numbers.grey
        with open_picture(picture) as opened:
            return opened.width, opened.height, opened.mode in GREYS
    except Exception as error:
        raise PictureError(name, _problem_of(error)) from None


def read_numbers(picture: Picture, *, name: str, decoding: Decoding) -> Numbers | None:
    """The numbers of a picture that is not 8-bit, as its file has them; None of any other.

    PictureError: they can't be read, are too many for `decoding`, or not finite.
    """
    if isinstance(picture, np.ndarray):
        return None
    try:
        file = number_file(picture)
        if file is None:
            return None
        check_pixels(file.width, file.height, decoding)
        numbers = file.read()
        extremes(numbers.values)
        return numbers
    except Exception as error:
        problem = _problem_of(error)
    raise PictureError(name, problem)


def examine(picture: Picture) -> Header:
    """What a picture's header says; nothing of what can't be opened, which decoding tells better."""
    if isinstance(picture, np.ndarray):
        return Header("pixels", "L" if picture.shape[2:] in ((), (1,)) else "RGB", 1)
    try:
        pages = pages_of(picture)
        if numbers := number_file(picture):
            return Header(numbers.format, numbers.mode, numbers.orientation, pages)
        with open_picture(picture) as opened:
            orientation = int(opened.getexif().get(ORIENTATION, 1))
            return Header(opened.format or "", opened.mode, orientation, pages)
    except Exception:  # Pillow's plugins raise many types
        return Header("", "", 1)


def _from_pixels(pixels: np.ndarray, *, name: str) -> Image.Image:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 as a picture of mode L, RGB or RGBA."""
    shape = pixels.shape[:2] if pixels.shape[2:] == (1,) else pixels.shape
    fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))
    if not fits or pixels.dtype != np.uint8 or 0 in shape:
        told = f"not a picture: an array of shape {pixels.shape}, type {pixels.dtype}"
        raise PictureError(name, Problem(ProblemKind.NOT_A_PICTURE, told))
    return Image.fromarray(np.ascontiguousarray(pixels).reshape(shape))


def _decode(picture: Held, *, name: str, draft_side: int | None, decoding: Decoding = PLAIN) -> Upright:
    """The upright picture; PictureError says why there is none."""
    if isinstance(picture, np.ndarray):
        image = to_eight_bits(_from_pixels(picture, name=name))
        return Upright(image, image.width, image.height)
    if isinstance(picture, bytes) and not picture:
        raise PictureError(name, Problem(ProblemKind.EMPTY, "empty file"))
    try:
        if not isinstance(picture, bytes):
            return upright_held(picture, decoding=decoding)
        return upright(picture, draft_side=draft_side, decoding=decoding)
    except Exception as error:  # Pillow's plugins raise many types on damaged files
        problem = _problem_of(error)
    # Not from within: an error that remembers another keeps its pixels in memory for as long as it lives.
    raise PictureError(name, problem)


def _problem_of(error: Exception) -> Problem:
    """What an error of a decoder says of the picture."""
    text = str(error)
    if isinstance(error, RefusedError):
        return error.problem
    if isinstance(error, UnidentifiedImageError):
        return Problem(ProblemKind.NOT_A_PICTURE, f"not a picture of a known format{': ' * bool(text)}{text}")
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return ProblemKind.BOMB.told(text)
    # Of a file that ends too early Pillow raises a plain OSError, which only its text tells from others.
    if isinstance(error, (TruncatedError, EOFError, struct.error)) or "truncated" in text.lower():
        return ProblemKind.TRUNCATED.told(text or "the file ends too early")
    if isinstance(error, OSError) and error.strerror:
        return ProblemKind.UNREADABLE.told(error.strerror)
    return ProblemKind.DAMAGED.told(text or type(error).__name__)
