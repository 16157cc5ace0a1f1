"""TIFFs by their tags: which of them Pillow reads as they are meant, and the numbers of the others by tifffile."""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from ..errors import Problem, ProblemKind
from ..limits import MAX_TIFF_PAGES, MAX_TIFF_VALUES
from .formats import RefusedError, needed
from .integrity import TruncatedError, check_cover
from .numbers import MORE_CHANNELS, NumberFile, Numbers

WIDTH, HEIGHT, BITS, PHOTOMETRIC, ABOUT = 256, 257, 258, 262, 270
ORIENTATION, CHANNELS, PLANES, EXTRA, KIND, SUBFILE = 274, 277, 284, 338, 339, 254
READ = frozenset({WIDTH, HEIGHT, BITS, PHOTOMETRIC, ABOUT, ORIENTATION, CHANNELS, PLANES, EXTRA, KIND, SUBFILE})
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5  # photometric
UNSIGNED, SIGNED, FRACTION, UNTYPED = 1, 2, 3, 4  # kinds of numbers
ALPHA = (1, 2)  # kinds of a channel beside the colours: as it is multiplied with them, and as it is not
SIZES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # TIFF's types of whole numbers
TEXT = 2
BIG_BY_BIG_ENDS = b"MM\0+"
IMAGEJ = re.compile(rb"^ImageJ=.*?^images=(\d{1,9})\r?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Layout:
    """What the first page of a TIFF is made of."""

    width: int
    height: int
    bits: tuple[int, ...]  # of each channel
    kind: int
    photometric: int
    channels: int
    planes: bool  # whether each channel lies by itself
    extra: tuple[int, ...]  # kinds of the channels beside the colours
    orientation: int
    pages: int  # in the whole file

    @property
    def colours(self) -> int:
        """Channels without those beside."""
        return 3 if self.photometric == RGB and self.channels >= 3 else self.channels - len(self.extra)

    @property
    def told(self) -> str:
        """In words, such as 16-bit RGB in planes."""
        number = {SIGNED: "signed ", FRACTION: "float "}.get(self.kind, "")
        kind = f"{self.bits[0]}-bit {number}"
        name = {1: f"{kind}grey", 3: f"{kind}RGB"}.get(self.channels, f"{self.channels} {kind}channels")
        return f"{name}{' in planes' if self.planes and self.channels > 1 else ''}"


def tiff_file(data: bytes) -> NumberFile | None:
    """The header of a TIFF that Pillow would not give as it is meant; None of one that it does, or of none at all.

    RefusedError, with what it is, where its channels are not those of a picture.
    """
    layout = read_layout(data)
    large = data[:4] == BIG_BY_BIG_ENDS  # which Pillow does not open, whatever is in it
    if layout is None or (_is_plain(layout) and not large):
        return None
    beside = layout.extra[: layout.channels - layout.colours]
    grey_alone = layout.colours == 1 and not set(beside) - set(ALPHA)
    if layout.photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) or not (layout.colours == 3 or grey_alone):
        told = f"a TIFF with {layout.told}: only grey and RGB can be read, with or without transparency"
        raise RefusedError(Problem(ProblemKind.UNSUPPORTED, told))
    by_pillow = _pillow_reads(layout, big_ends=data[:2] == b"MM") and not large
    read = partial(_by_pillow if by_pillow else _by_tifffile, data, layout)
    grey = layout.colours == 1
    return NumberFile("TIFF", layout.told, layout.width, layout.height, grey, layout.orientation, read)


def read_layout(data: bytes) -> Layout | None:
    """The tags of the first page; None where they can't be read."""
    try:
        tags, pages_seen = _pages(data)
    except (struct.error, KeyError, ValueError, IndexError):
        return None
    if WIDTH not in tags or HEIGHT not in tags:
        return None
    channels = _first(tags, CHANNELS, 1)
    bits = tags.get(BITS, (1,))
    told = IMAGEJ.match(bytes(tags.get(ABOUT, ())))
    return Layout(
        width=tags[WIDTH][0], height=tags[HEIGHT][0], bits=bits if len(bits) == channels else bits[:1] * channels,
        kind=_first(tags, KIND, UNSIGNED), photometric=_first(tags, PHOTOMETRIC, BLACK_IS_ZERO), channels=channels,
        planes=_first(tags, PLANES, 1) == 2, extra=tags.get(EXTRA, ())[:channels],
        orientation=_first(tags, ORIENTATION, 1), pages=max(pages_seen, int(told[1]) if told else 1),
    )  # fmt: skip


def _first(tags: Mapping[int, tuple[int, ...]], tag: int, usual: int) -> int:
    return tags[tag][0] if tags.get(tag) else usual


def _pages(data: bytes) -> tuple[dict[int, tuple[int, ...]], int]:
    """The whole numbers among the first page's tags, and how many pages there are; small copies are none."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    number, entry, word = ("Q", 20, "Q") if big else ("H", 12, "I")
    room = struct.calcsize(word)
    (place,) = struct.unpack_from(order + word, data, 8 if big else 4)
    first: dict[int, tuple[int, ...]] = {}
    pages = 0
    seen: set[int] = set()
    while place and place not in seen and len(seen) < MAX_TIFF_PAGES:
        seen.add(place)
        if pages and place + 8 > len(data):
            break
        (count,) = struct.unpack_from(order + number, data, place)
        begin = place + struct.calcsize(number)
        wanted = frozenset({SUBFILE}) if first else READ
        tags = _tags(data, begin, count, order=order, entry=entry, room=room, wanted=wanted)
        first = first or tags
        pages += not _first(tags, SUBFILE, 0) & 5  # a smaller copy, a mask
        end = begin + count * entry
        if end + room > len(data):
            break
        (place,) = struct.unpack_from(order + word, data, end)
    return first, max(1, pages)


def _tags(
    data: bytes, begin: int, count: int, *, order: str, entry: int, room: int, wanted: frozenset[int]
) -> dict[int, tuple[int, ...]]:
    tags: dict[int, tuple[int, ...]] = {}
    for place in range(begin, min(begin + count * entry, len(data) - entry + 1), entry):
        tag, kind = struct.unpack_from(order + "HH", data, place)
        (values,) = struct.unpack_from(order + ("Q" if room == 8 else "I"), data, place + 4)
        if tag in tags or tag not in wanted or values > MAX_TIFF_VALUES or (kind not in SIZES and kind != TEXT):
            continue
        form = f"{order}{values}{SIZES.get(kind, 'B')}"
        at = place + 4 + room
        if struct.calcsize(form) > room:
            (at,) = struct.unpack_from(order + ("Q" if room == 8 else "I"), data, at)
        if at + struct.calcsize(form) <= len(data):
            tags[tag] = struct.unpack_from(form, data, at)
    return tags


def _is_plain(layout: Layout) -> bool:
    """Bytes or less, of colours that Pillow gives as they are meant."""
    if layout.kind not in (UNSIGNED, UNTYPED):
        return False
    if layout.photometric == CMYK:
        return max(layout.bits) <= 16
    if max(layout.bits) > 8:
        return False
    if layout.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO):
        return layout.channels == 1 or (layout.channels == 2 and layout.extra[:1] in ((ALPHA[0],), (ALPHA[1],)))
    return not (layout.photometric == RGB and layout.planes and layout.channels != 3)


def _pillow_reads(layout: Layout, *, big_ends: bool) -> bool:
    """Found by trying, as tests/images/test_tiff.py does: of other kinds it turns bytes wrongly, or opens none."""
    kind = (layout.bits[0], layout.kind)
    if layout.channels != 1 or (big_ends and kind != (16, UNSIGNED)):
        return False
    if layout.photometric == WHITE_IS_ZERO:
        return kind == (16, UNSIGNED) and not big_ends
    return kind in ((12, UNSIGNED), (16, UNSIGNED), (16, SIGNED), (32, SIGNED), (32, FRACTION))


def _by_pillow(data: bytes, layout: Layout) -> Numbers:
    """Upright, as Pillow turns a TIFF while it loads."""
    with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
        check_cover(image)
        image.load()
        values = np.asarray(image)
    stated = (layout.width, layout.height) if layout.orientation > 4 else (layout.height, layout.width)
    if values.shape != stated:
        raise OSError(f"its pixels are {values.shape[1]} x {values.shape[0]}, and not what it says")
    if layout.bits[0] <= 16:  # which Pillow may have widened
        values = values.astype(np.int16 if layout.kind == SIGNED else np.uint16, copy=False)
    return _meant(values, layout)


def _by_tifffile(data: bytes, layout: Layout) -> Numbers:
    tifffile = needed("tifffile", extra="scientific", what=f"a TIFF with {layout.told}")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
        whole = page.compression != 1 or sum(page.databytecounts) * 8 >= math.prod(page.shape) * page.bitspersample
        if not whole or not all(page.databytecounts) or max(ends, default=0) > len(data):
            raise TruncatedError("its pixel data is truncated")
        values = page.asarray(maxworkers=1)
        axes = page.axes
    if axes == "SYX":  # a plane for each channel
        values = np.moveaxis(values, 0, 2)
    if values.shape[:2] != (layout.height, layout.width) or axes not in ("YX", "YXS", "SYX"):
        raise OSError(f"its pages have the axes {axes}")
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    return _meant(values, layout).turned(layout.orientation)


def _meant(values: np.ndarray, layout: Layout) -> Numbers:
    """(H, W) or (H, W, all channels) as colours and opacity, with what the tags say of them."""
    bits = layout.bits[0]
    white = None if layout.kind != UNSIGNED or bits in (16, 32, 64) else float(2**bits - 1)
    opacity = None
    if values.ndim == 3:
        beside = layout.extra[: layout.channels - layout.colours]
        clear = next((layout.colours + i for i, kind in enumerate(beside) if kind in ALPHA), None)
        if clear is not None:
            most = 1.0 if values.dtype.kind == "f" else white or float(np.iinfo(values.dtype).max)
            opacity = np.clip(values[..., clear] / most, 0, 1)
        values = values[..., 0] if layout.colours == 1 else values[..., : layout.colours]
    note = MORE_CHANNELS if layout.channels - layout.colours > (opacity is not None) else ""
    return Numbers(values, white, negative=layout.photometric == WHITE_IS_ZERO, opacity=opacity, note=note)
