"""Checks that a picture file is complete, where Pillow would silently fill the missing part with black or grey.

Each check raises OSError with the reason, TruncatedError where a part is missing; what it can't prove is said in
docs/data.md.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageChops, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ..limits import MAX_SCANNED, MAX_SCANS, MAX_SEGMENTS, USUAL_SCANS

PLANES = 284  # TIFF's tag: 2 where each colour lies by itself
JPEGS = ("JPEG", "MPO")  # the latter is what some cameras and telephones write: a JPEG with another behind it
END, SCAN = 0xD9, 0xDA  # JPEG's markers
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # of a picture, whatever its codes
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})  # those of which each scan adds detail
ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # passes
PIECE = 2**20  # bytes that are unpacked at a time
JPEG2000_SIZES = b"\xff\x51"  # the marker of what the picture and its tiles measure
TILE = re.compile(rb"\xff\x90\0\x0a(..)", re.DOTALL)  # the beginning of a tile's part, and the tile's number
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # what ends pixel data
SEGMENT = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")  # a marker behind which a length stands, or the end
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
GIF_BITS, GIF_EXTENSION, GIF_PICTURE = range(1, 9), 0x21, 0x2C
END_OF_ROW, SKIP = 0, 2  # of a BMP of runs, where a run's length is 0; 1 is the end
FILLING = np.random.default_rng(0).integers(1, 255, 1024, dtype=np.uint8).tobytes().replace(b"\\", b"/")


class TruncatedError(OSError):
    """A part of the picture is missing."""


def check_sums(data: bytes) -> None:
    """Every chunk of a PNG must have its checksum up to the last of the pixels: Pillow passes over theirs."""
    place, begun = 8, False
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8].ljust(8, b"\0"))
        end = place + 8 + length
        whole = end + 4 <= len(data) and zlib.crc32(data[place + 4 : end]).to_bytes(4, "big") == data[end : end + 4]
        if kind == b"IEND" or (begun and kind != b"IDAT" and not whole):
            return
        if not whole:
            if end + 4 > len(data):
                raise TruncatedError("one of its chunks is truncated")
            raise OSError("a chunk's checksum is wrong")
        begun = begun or kind == b"IDAT"
        place = end + 4


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content begins, where that ends) of a PNG's chunks, in order, as far as they are whole."""
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if place + 12 + length > len(data):
            return
        yield kind, place + 8, place + 8 + length
        place += 12 + length


def check_last_rows(image: ImageFile.ImageFile, data: bytes) -> None:
    """A PNG's rows must be as many as it says; Pillow leaves black what is missing.

    They are counted where one of the last two is of one colour: an interlaced picture's last pass has one of them.
    """
    for top in range(max(0, image.height - 2), image.height):
        row = image.crop((0, top, image.width, top + 1))
        if all(low == high for low, high in (band.getextrema() for band in row.split())):
            check_rows(data)
            return


def check_rows(data: bytes) -> None:
    """The pixel data of a PNG must unpack to all of its rows."""
    parts = list(chunks(data))
    head = next((data[begin:end] for kind, begin, end in parts if kind == b"IHDR"), b"")
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    by_pixel = bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes if width > x and height > y)
    wanted = sum(rows * (1 + -(-columns * by_pixel // 8)) for columns, rows in sizes)  # each behind its filter's number
    stream, count = zlib.decompressobj(), 0
    try:
        for kind, begin, end in parts:
            packed = data[begin:end] if kind == b"IDAT" else b""
            while packed and count < wanted:
                count += len(stream.decompress(packed, PIECE))
                packed = stream.unconsumed_tail
        count += len(stream.flush())
    except zlib.error as error:
        raise OSError(f"its pixel data can't be unpacked: {error}") from None
    if count < wanted:
        raise TruncatedError("its pixel data is truncated: rows are missing")


def check_cover(image: ImageFile.ImageFile) -> None:
    """The parts of a TIFF must make up the whole; Pillow leaves black what none covers, and libtiff misses them."""
    if not isinstance(image, TiffImageFile) or any(tile[0] == "libtiff" for tile in image.tile):
        return
    planes = len(image.getbands()) if image.tag_v2.get(PLANES, 1) == 2 else 1
    parts = {(tile[1] or (0, 0, 0, 0), tile[3]) for tile in image.tile}
    covered = sum((right - left) * (low - top) for (left, top, right, low), _ in parts)
    if covered < image.width * image.height * planes:
        raise TruncatedError("its parts are truncated: they don't cover the picture")


def check_tiles(data: bytes) -> None:
    """Each tile of a JPEG 2000 must have begun; OpenJPEG leaves black what has not."""
    place = data.find(JPEG2000_SIZES)
    if place >= 0 and len(data) >= place + 38:
        right, low, _, _, width, height, left, top = struct.unpack_from(">8I", data, place + 6)
        tiles = -(-(right - left) // max(1, width)) * -(-(low - top) // max(1, height))
        if len(set(TILE.findall(data, place))) < tiles:
            raise TruncatedError("its tiles are truncated: they don't make up the whole")


def check_scans(data: bytes, *, pixels: int) -> None:
    """A JPEG may not have so many scans that going through all its pixels for each of them takes minutes."""
    if data.count(bytes((0xFF, SCAN))) <= USUAL_SCANS:  # those of thumbnails among them
        return
    scans = sum(kind == SCAN for kind, _, _ in segments(data))
    if scans > MAX_SCANS or (scans > USUAL_SCANS and scans * pixels > MAX_SCANNED):
        raise Image.DecompressionBombError(f"{scans:,} scans of {pixels:,} pixels")


def check_end(image: ImageFile.ImageFile, data: bytes, *, draft_side: int | None, suspected: bool = False) -> None:
    """A JPEG's pixel data must reach to the end of the picture, of all its colours and to the last detail.

    Where a marker comes too early, libjpeg fills up with grey and tells nobody. What stands behind the last pixel does
    not matter; so where the last one is that grey, or the file is `suspected` for another reason, the picture is
    decoded again with more bytes before each marker, and must stay the same.
    """
    if not has_all_scans(data):
        raise TruncatedError("its pixel data is truncated: some of its scans are missing")
    last = image.getpixel((image.width - 1, image.height - 1))
    if not suspected and not {127, 128}.issuperset(last if isinstance(last, tuple) else (last,)):
        return
    with Image.open(io.BytesIO(_lengthened(data)), formats=("JPEG",)) as other:
        if draft_side is not None:
            other.draft(None, (draft_side, draft_side))
        other.load()
        if ImageChops.difference(image, other).getbbox(alpha_only=False):
            raise TruncatedError("its pixel data is truncated: a marker comes too early")


def check_palette(image: ImageFile.ImageFile, data: bytes) -> None:
    """A picture of numbered colours must have them; Pillow shows grey, or black, for what its palette lacks.

    To be asked once its pixels are loaded.
    """
    has_colours = True
    if image.format == "GIF":
        code_bits, has_colours = _first_frame(data)
        if code_bits not in GIF_BITS:
            raise OSError(f"its pixel data has codes of {code_bits} bits")
    if has_colours and image.mode != "P":
        return
    colours = len(image.palette.palette) // len(image.palette.mode) if image.palette else 0
    if not colours:
        raise OSError("its palette is missing")
    if np.asarray(image).max() >= colours:
        raise OSError(f"its palette has {colours} colours, and its pixels have others")


def _first_frame(data: bytes) -> tuple[int, bool]:
    """Of a GIF's first picture: the bits of its codes, and whether it has colours, its own or those of all."""

    def table(flags: int) -> int:
        return 2 << (flags & 7) if flags & 128 else 0

    common = table(data[10])
    place = 13 + 3 * common
    while data[place] != GIF_PICTURE:
        is_extension = data[place] == GIF_EXTENSION
        place += 1 + is_extension
        while is_extension and data[place]:  # blocks behind their lengths
            place += 1 + data[place]
        place += is_extension
    own = table(data[place + 9])
    return data[place + 10 + 3 * own], bool(own or common)


def runs_of(image: ImageFile.ImageFile) -> tuple[int, bool] | None:
    """Where the runs of a BMP begin, and whether a byte has two pixels; None of other pictures, and of loaded ones."""
    if image.format not in ("BMP", "DIB") or not image.tile or image.tile[0][0] != "bmp_rle":
        return None
    arguments = image.tile[0][3]
    assert isinstance(arguments, tuple), arguments
    return image.tile[0][2], bool(arguments[1])


def check_runs(data: bytes, runs: tuple[int, bool], *, width: int, height: int) -> None:
    """A BMP of runs must have a colour for each of its pixels; Pillow takes the first one for what is skipped."""
    place, halves = runs
    x, rows = 0, 0
    while rows < height and place + 2 <= len(data) and x < width + 256:
        count, word = data[place], data[place + 1]
        place += 2
        if count:
            x += count
        elif word == END_OF_ROW and x >= width:
            x, rows = 0, rows + 1
        elif word <= SKIP:  # the end comes too early, or pixels are skipped
            break
        else:  # so many pixels as they are, in an even number of bytes
            x += word
            length = (word + 1) // 2 if halves else word
            place += length + length % 2
    if rows + (x >= width) < height:
        raise OSError("its pixel data leaves out pixels")


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, where what it is followed by begins, where that ends) of a JPEG, in order; OSError for too many."""
    place = 2
    for _ in range(MAX_SEGMENTS):
        found = SEGMENT.search(data, place, max(0, len(data) - 3))
        if found is None or data[found.end() - 1] == END:
            return
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        yield data[found.end() - 1], found.end() + 2, place
    raise OSError(f"more than {MAX_SEGMENTS:,} segments")


def has_all_scans(data: bytes) -> bool:
    """Whether a JPEG's scans give each colour, and of a progressive one each of its 64 coefficients to the last bit.

    libjpeg takes for zero what none of them gives, and refines what was never there.
    """
    missing: dict[int, list[int | None]] = {}  # component -> the bits that each coefficient lacks; None: all of them
    progressive = False
    for kind, begin, end in segments(data):
        about = data[begin:end]
        if kind in FRAMES:
            progressive = kind in PROGRESSIVE
            missing = {component: [None] * (64 if progressive else 1) for component in about[6::3]}
        if kind == SCAN and len(about) >= 6:
            if not progressive and about[0] == len(missing):  # all in one: what is behind it is another picture
                return True
            first, last = (about[-3], min(about[-2], 63)) if progressive else (0, 0)
            had, left = (about[-1] >> 4 or None, about[-1] & 15) if progressive else (None, 0)
            for lacks in (missing.get(component, []) for component in about[1:-3:2]):
                for number in range(first, last + 1) if lacks else ():
                    if had is None or lacks[number] == had:
                        lacks[number] = left
    return not any(bits is None or bits > 0 for lacks in missing.values() for bits in lacks)


def _lengthened(data: bytes) -> bytes:
    """A JPEG with more bytes after each stretch of pixel data; as it is where these aren't Huffman codes.

    They stand before restart markers too, and on both sides of the one that would follow: a stretch may end just where
    it is due.
    """
    parts, done = [], 0
    for kind, _, begin in segments(data):
        if kind in ARITHMETIC:  # there a missing end means zeros
            return data
        if kind == SCAN:
            marker = MARKER.search(data, begin)
            end = marker.start() if marker else len(data)
            restarts = RESTART.findall(data, begin, end)
            due = 0xD0 + (restarts[-1][1] + 1) % 8 if restarts else 0xD0
            pixels = RESTART.sub(FILLING + rb"\g<0>", data[begin:end])
            parts += [data[done:begin], pixels, FILLING, bytes((0xFF, due)), FILLING]
            done = end
    return b"".join([*parts, data[done:]])
