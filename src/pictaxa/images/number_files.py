"""Files whose pixels are more than bytes, which Pillow would round: 16-bit PNG, Netpbm and JPEG 2000, by their numbers.

TIFF and DICOM have files of their own beside this one.
"""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
from PIL import Image

from .dicom import dicom_file
from .formats import TIFFS, is_dicom
from .integrity import JPEG2000_SIZES, TruncatedError, check_rows, check_sums, check_tiles, chunks
from .numbers import NumberFile, Numbers
from .tiff import tiff_file

PNG = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, CLEAR_GREY, CLEAR = 0, 2, 4, 6  # PNG's types of colour
# Magic, width, height and the highest number of a Netpbm file, among white space and comments.
NETPBM = re.compile(rb"P([56])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
JPEG2000 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")


def number_file(data: bytes) -> NumberFile | None:
    """The header of a picture of numbers; None of any other. What is damaged in it is told by `read`, or by Pillow."""
    if data.startswith(PNG):
        return _png(data)
    if data[:2] in (b"P5", b"P6"):
        return _netpbm(data)
    if data[:2] == b"Pf":
        return _fractions(data)
    if data.startswith(JPEG2000):
        return _jpeg2000(data)
    if data[:4] in TIFFS:
        return tiff_file(data)
    return dicom_file(data) if is_dicom(data) else None


def _png(data: bytes) -> NumberFile | None:
    head = data[16:29].ljust(13, b"\0")
    width, height, bits, colour, *_ = struct.unpack(">IIBBBBB", head)
    if bits != 16 or colour not in (GREY, COLOUR, CLEAR_GREY, CLEAR) or not width or not height:
        return None
    orientation = 1
    if b"eXIf" in data:
        exif = Image.Exif()
        start = data.index(b"eXIf") + 4
        try:
            exif.load(b"Exif\0\0" + data[start : start + int.from_bytes(data[start - 8 : start - 4])])
            orientation = int(exif.get(0x0112, 1))
        except Exception:  # damaged metadata raises many types, and the pixels are whole
            orientation = 1
    grey = colour in (GREY, CLEAR_GREY)
    mode = f"16-bit {'grey' if grey else 'RGB'}{' with alpha' if colour in (CLEAR_GREY, CLEAR) else ''}"
    return NumberFile("PNG", mode, width, height, grey, orientation, lambda: _read_png(data).turned(orientation))


def _read_png(data: bytes) -> Numbers:
    """Checked to the last row first: OpenCV would leave black what is missing; and it sees nothing but pixels."""
    import cv2

    check_sums(data)
    parts = list(chunks(data))
    head = next(data[begin:end] for kind, begin, end in parts if kind == b"IHDR")
    packed = [data[begin:end] for kind, begin, end in parts if kind == b"IDAT"]
    width, height, _, colour, *_ = struct.unpack(">IIBBBBB", head)
    channels = {GREY: 1, COLOUR: 3, CLEAR_GREY: 2, CLEAR: 4}[colour]
    check_rows(data)
    plain = PNG + b"".join(_chunk(*own) for own in ((b"IHDR", head), (b"IDAT", b"".join(packed)), (b"IEND", b"")))
    shown = cv2.imdecode(np.frombuffer(plain, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if shown is None or shown.shape[:2] != (height, width):
        raise OSError("its pixel data can't be unpacked")
    opacity = None
    if colour in (CLEAR_GREY, CLEAR):
        opacity = shown[..., 3] / 65535
    values = shown if shown.ndim == 2 else shown[..., 0] if colour == CLEAR_GREY else shown[..., 2::-1]
    clear = next((data[begin:end] for kind, begin, end in parts if kind == b"tRNS"), b"")
    if colour in (GREY, COLOUR) and len(clear) == 2 * channels:  # one colour that is transparent
        marked = values == np.frombuffer(clear, dtype=">u2").reshape(-1)[: values[0, 0].size]
        opacity = 1.0 - (marked if marked.ndim == 2 else marked.all(axis=2))
    return Numbers(values, opacity=opacity)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def _netpbm(data: bytes) -> NumberFile | None:
    match = NETPBM.match(data[:1000])
    if match is None:
        return None
    kind, width, height, white = (int(word) for word in match.groups())
    if not (255 < white < 65536 and 0 < width < 2**31 and 0 < height < 2**31):
        return None
    grey = kind == 5

    def read() -> Numbers:
        count = width * height * (1 if grey else 3)
        if len(data) - match.end() < 2 * count:
            raise TruncatedError("its pixel data is truncated")
        values = np.frombuffer(data, dtype=">u2", count=count, offset=match.end()).astype(np.uint16)
        shaped = values.reshape((height, width) if grey else (height, width, 3))
        return Numbers(shaped, white=None if white == 65535 else float(white))  # the latter only names the type

    mode = f"16-bit {'grey' if grey else 'RGB'}"
    return NumberFile("PPM", mode, width, height, grey, 1, read)


def _fractions(data: bytes) -> NumberFile:
    """Netpbm's float grey."""
    with Image.open(io.BytesIO(data), formats=("PPM",)) as image:
        width, height = image.size

    def read() -> Numbers:
        with Image.open(io.BytesIO(data), formats=("PPM",)) as image:
            return Numbers(np.asarray(image))

    return NumberFile("PPM", "32-bit float grey", width, height, True, 1, read)


def _jpeg2000(data: bytes) -> NumberFile | None:
    """Grey alone: of more channels Pillow gives bytes, by the bits that the file declares."""
    place = data.find(JPEG2000_SIZES)
    if place < 0 or len(data) < place + 42:
        return None
    right, low, left, top = struct.unpack_from(">IIII", data, place + 6)
    (channels,) = struct.unpack_from(">H", data, place + 38)
    about = data[place + 40]  # of the first channel
    bits = (about & 127) + 1
    if channels != 1 or about & 128 or not 8 < bits <= 16 or right <= left or low <= top:
        return None

    def read() -> Numbers:
        check_tiles(data)
        with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as image:
            shifted = np.asarray(image)
        # Pillow shifts numbers up to 16 bits.
        return Numbers(shifted >> (16 - bits), white=None if bits == 16 else float(2**bits - 1))

    return NumberFile("JPEG2000", f"{bits}-bit grey", right - left, low - top, True, 1, read)
