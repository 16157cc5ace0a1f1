"""Encoded bytes to an upright picture of mode L or RGB, and what its colours still need to be sRGB."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .colour import CONVERTED, DAMAGED, Conversion, conversion, from_lab, profile_of
from .decoding import EARLIER, Decoding
from .formats import TIFFS, alone, open_picture
from .integrity import (
    JPEGS,
    check_cover,
    check_end,
    check_last_rows,
    check_palette,
    check_runs,
    check_scans,
    check_sums,
    check_tiles,
    runs_of,
)
from .jpeg import ORIENTATION, plain_shape
from .number_files import number_file
from .numbers import NumberFile, Numbers, to_bytes
from .tiff import read_layout
from .to_uint8 import to_eight_bits

LARGE_PIXELS = 2**25  # from so many on, one picture at a time is decoded: several at once could take gigabytes
PAGES = "with several pages: the first one is used"
TURNS = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@dataclass(frozen=True)
class Upright:
    """An upright picture of mode L or RGB, maybe smaller by draft, and its size in full."""

    image: Image.Image
    width: int
    height: int
    conversion: Conversion | None = None  # what its colours still need
    notes: tuple[str, ...] = ()  # what was done that its owner should know, behind "3 pictures"

    @property
    def converted(self) -> Image.Image:
        """In sRGB."""
        return self.image if self.conversion is None else self.conversion.apply(self.image)


def upright(data: bytes, *, draft_side: int | None, decoding: Decoding) -> Upright:
    """Decode; of JPEGs not much more than squares of `draft_side` pixels need. Errors are of many types."""
    numbers = None if decoding.revision == EARLIER else number_file(data)
    if numbers is not None:
        return _of_numbers(data, numbers, decoding)
    with open_picture(data) as image:
        width, height = image.size
        if image.format == "PNG":
            check_sums(data)
        if image.format == "JPEG2000":
            check_tiles(data)
        progressive = "progressive" in image.info
        if image.format in JPEGS:
            check_scans(data, pixels=width * height)
        if draft_side is not None:
            # A plain "L" draft of a colour JPEG would skip the colour; the mode stays what it is.
            image.draft(None, (draft_side, draft_side))
        # Of a progressive one libjpeg keeps the whole, whatever draft makes of it.
        decoded_width, decoded_height = (width, height) if progressive else image.size
        check_pixels(decoded_width, decoded_height, decoding)
        check_cover(image)
        runs = runs_of(image)
        with _turn(decoded_width * decoded_height):
            image.load()
            if image.format == "HEIF" and image.size != (width, height):
                raise OSError(f"its pixels are {image.width} x {image.height}, and not what it says")
            check_palette(image, data)
            if runs is not None:
                check_runs(data, runs, width=width, height=height)
            if image.format == "PNG":
                check_last_rows(image, data)
            if image.format in JPEGS:
                # A plain one comes here where libjpeg has a warning for it, which Pillow doesn't pass on.
                check_end(image, data, draft_side=draft_side, suspected=plain_shape(data) is not None)
            orientation = _orientation(image)
            if orientation > 4:  # the quarter repeats of the EXIF standard
                width, height = height, width
            turned = image.transpose(TURNS[orientation]) if orientation > 1 else image
            turned.format = image.format
            shown, convert, notes = _eight_bits(turned, profile_of(image, data), decoding)
    return Upright(shown, width, height, convert, notes + _notes(data))


def upright_held(picture: Image.Image | Numbers, *, decoding: Decoding) -> Upright:
    """What a program holds, as a file of it would be: turned by its EXIF, with its profile. Errors are of many types.

    Of Pillow's pictures nothing is decoded again: the pixels are those that are there.
    """
    if isinstance(picture, Numbers):
        check_pixels(picture.values.shape[1], picture.values.shape[0], decoding)
        image = to_bytes(picture, decoding)
        return Upright(image, image.width, image.height)
    check_pixels(*picture.size, decoding)
    if 0 in picture.size:
        raise ValueError("it has no pixels")
    orientation = _orientation(picture)
    turned = picture.transpose(TURNS[orientation]) if orientation > 1 else picture
    turned.format = picture.format  # Pillow's own files have it, and profiles ask for it
    shown, convert, notes = _eight_bits(turned, profile_of(picture, b""), decoding)
    return Upright(shown, turned.width, turned.height, convert, notes)


def _of_numbers(data: bytes, numbers: NumberFile, decoding: Decoding) -> Upright:
    check_pixels(numbers.width, numbers.height, decoding)
    with _turn(numbers.width * numbers.height):
        read = numbers.read()
        image = to_bytes(read, decoding)
    return Upright(image, image.width, image.height, notes=(*filter(None, (read.note,)), *_notes(data)))


def _eight_bits(
    image: Image.Image, profile: bytes, decoding: Decoding
) -> tuple[Image.Image, Conversion | None, tuple[str, ...]]:
    """As L or RGB, what its colours still need, and what there is to say of them."""
    if decoding.revision == EARLIER:
        return to_eight_bits(image), None, ()
    if image.mode == "LAB":
        return from_lab().apply(image), None, ()
    if image.mode == "CMYK":  # whose profile tells more of it than Pillow's own way to RGB
        convert, notes = conversion_for(profile, mode="CMYK", decoding=decoding)
        return (image.convert("RGB") if convert is None else convert.apply(image)), None, notes
    if image.mode.startswith("I") or image.mode == "F":
        # Of Netpbm's numbers in words Pillow has made 16 bits of whatever they were.
        numbers = Numbers(np.asarray(image), white=65535.0 if image.format == "PPM" else None)
        return to_bytes(numbers, decoding), None, ()
    shown = to_eight_bits(image)
    return shown, *conversion_for(profile, mode=shown.mode, decoding=decoding)


def conversion_for(profile: bytes, *, mode: str, decoding: Decoding) -> tuple[Conversion | None, tuple[str, ...]]:
    """What pixels of a mode (L, RGB, CMYK) with this profile need to be sRGB, and what there is to say of it."""
    if not profile or decoding.revision == EARLIER:
        return None, ()
    found = conversion(profile, mode)
    if isinstance(found, Conversion):
        return found, (CONVERTED,)
    return None, (DAMAGED,) if found == DAMAGED else ()


def check_pixels(width: int, height: int, decoding: Decoding) -> None:
    """DecompressionBombError for more pixels than are allowed."""
    if width * height > decoding.max_pixels:
        raise Image.DecompressionBombError(
            f"{width} x {height} pixels, more than {decoding.max_pixels:,} (--max-pixels)"
        )


def _turn(pixels: int) -> AbstractContextManager[None]:
    """Whoever decodes a large picture waits until no other is being decoded."""
    return alone() if pixels >= LARGE_PIXELS else nullcontext()


def pages_of(data: bytes) -> int:
    """Of a stack; 1 of everything else, moving pictures included."""
    layout = read_layout(data) if data[:4] in TIFFS else None
    return 1 if layout is None else layout.pages


def _notes(data: bytes) -> tuple[str, ...]:
    return (PAGES,) if pages_of(data) > 1 else ()


def _orientation(image: Image.Image) -> int:
    """From 1 to 8 by EXIF, 1 where it says nothing that can be read. To be asked once the pixels are there.

    Pillow may load a PNG to find it, and has turned a TIFF by then.
    """
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata raises many types, and the pixels are whole
        return 1
    return orientation if orientation in TURNS else 1
