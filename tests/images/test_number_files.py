"""images/number_files.py: 16-bit PNG, Netpbm and JPEG 2000."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pictaxa.errors import PictureError
from pictaxa.images.decode import decode, examine, measure, square_of
from pictaxa.images.decoding import Decoding, Level
from pictaxa.images.number_files import number_file

TWELVE = Decoding(levels=(Level("uint16", 0.0, 4095.0),))
STEPS = np.array([[[0, 1024, 2048], [3072, 4095, 819]]], dtype=np.uint16)  # (1, 2, 3)
SHOWN = [[[0, 64, 128], [191, 255, 51]]]  # x 255 / 4095


def png(pixels: np.ndarray, *, colour: int, interlaced: bool = False, **chunks: bytes) -> bytes:
    """(H, W, C) uint16 as a PNG of 16 bits, written from its definition: every row without a filter."""
    height, width = pixels.shape[:2]
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    steps = passes if interlaced else ((0, 0, 1, 1),)
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in steps]
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts if part.size for row in part)
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, int(interlaced))
    more = [(name.encode(), content) for name, content in chunks.items()]
    written = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    made = (struct.pack(">I", len(c)) + k + c + zlib.crc32(k + c).to_bytes(4) for k, c in written)
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def test_12_bits_of_16_bit_colour():
    """Of PNG, PPM and PPM that declares them: the set's range, or the file's own word."""
    files = {"PNG": png(STEPS, colour=2), "interlaced": png(STEPS, colour=2, interlaced=True)}
    files["PPM"] = b"P6\n2 1\n65535\n" + STEPS.astype(">u2").tobytes()
    for kind, data in files.items():
        assert np.asarray(decode(data, name="x", decoding=TWELVE)).tolist() == SHOWN, kind
        assert measure(data, name="x") == (2, 1, False) and examine(data).mode == "16-bit RGB"
    declared = b"P6 # a camera's\n2 1\n# and more\n4095\n" + STEPS.astype(">u2").tobytes()
    assert np.asarray(decode(declared, name="x", decoding=Decoding(levels=()))).tolist() == SHOWN


def test_alpha_of_16_bits():
    """What is transparent becomes white: a channel of its own, or one colour that is marked."""
    clear = np.concatenate([STEPS, np.array([[[65535], [0]]], dtype=np.uint16)], axis=2)
    assert np.asarray(decode(png(clear, colour=6), name="x", decoding=TWELVE)).tolist() == [[SHOWN[0][0], [255] * 3]]
    grey = np.array([[[2048, 65535], [0, 0]]], dtype=np.uint16)
    assert np.asarray(decode(png(grey, colour=4), name="x", decoding=TWELVE)).tolist() == [[128, 255]]
    marked = png(STEPS, colour=2, tRNS=STEPS[0, 0].astype(">u2").tobytes())
    assert np.asarray(decode(marked, name="x", decoding=TWELVE)).tolist() == [[[255] * 3, SHOWN[0][1]]]


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.sampled_from([0, 2, 4, 6]), st.booleans(), st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_every_kind_of_16_bit_png(colour: int, interlaced: bool, width: int, height: int, seed: int):
    """Colours x interlacing x sizes: the numbers that were written, opaque ones."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    pixels = np.random.default_rng(seed).integers(0, 65536, (height, width, channels), dtype=np.uint16)
    if colour in (4, 6):
        pixels[..., -1] = 65535
    file = number_file(png(pixels, colour=colour, interlaced=interlaced))
    assert file is not None and (file.width, file.height, file.grey) == (width, height, colour in (0, 4))
    values = pixels[..., 0] if colour in (0, 4) else pixels[..., :3]
    assert np.array_equal(file.read().values, values)


def test_a_png_of_16_bits_that_is_cut_in_good_order_is_refused():
    """All checksums right and the last rows missing: never a picture that is black from there on."""
    pixels = np.random.default_rng(0).integers(60, 65536, (40, 30, 3), dtype=np.uint16)
    data = png(pixels, colour=2)
    begin, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    raw = zlib.decompress(data[begin + 8 : end - 4])
    content = zlib.compress(raw[: len(raw) * 3 // 10])
    short = struct.pack(">I", len(content)) + b"IDAT" + content + zlib.crc32(b"IDAT" + content).to_bytes(4)
    with pytest.raises(PictureError, match="truncated"):
        decode(data[:begin] + short + data[end:], name="x")


def test_what_opencv_writes_is_read_back():
    """With its filters: 16-bit grey and colour."""
    for shape in ((30, 40), (30, 40, 3)):
        pixels = np.random.default_rng(1).integers(0, 65536, shape, dtype=np.uint16)
        data = cv2.imencode(".png", pixels)[1].tobytes()
        file = number_file(data)
        assert file is not None and np.array_equal(
            file.read().values, pixels if pixels.ndim == 2 else pixels[..., ::-1]
        )


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_16_bit_png_is_turned_upright(orientation: int):
    """By its EXIF, as any other."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4, 1) * 300
    data = png(pixels, colour=0, eXIf=exif.tobytes()[6:])
    square = square_of(data, name="x", side=4, channels=1)
    assert (square.width, square.height) == ((4, 3) if orientation == 1 else (3, 4))
    assert examine(data).orientation == orientation


def test_grey_netpbm():
    """PGM of 8 bits as it is, of 10 bits by its own word, of words, of fractions; a file that is cut is refused."""
    assert np.asarray(decode(b"P5 3 1 255\n\0\x80\xff", name="x")).tolist() == [[0, 128, 255]]
    ten = b"P5 3 1 1023\n" + np.array([0, 512, 1023], dtype=">u2").tobytes()
    assert np.asarray(decode(ten, name="x")).tolist() == [[0, 128, 255]]
    assert np.asarray(decode(b"P2 3 1 1023\n0 512 1023\n", name="x", decoding=TWELVE)).tolist() == [[0, 128, 255]]
    fractions = b"Pf 3 1 -1.0\n" + np.array([0, 0.5, 1], dtype="<f4").tobytes()
    assert np.asarray(decode(fractions, name="x")).tolist() == [[0, 128, 255]]
    with pytest.raises(PictureError, match="truncated"):
        decode(ten[:-1], name="x")


def test_jpeg_2000():
    """8 bits and colour by Pillow; 16-bit grey by the set's range; a tile that is missing is no black corner."""
    grey = Image.fromarray(np.array([[0, 1024], [2048, 4095]], dtype=np.uint16).repeat(16, 0).repeat(16, 1))
    buffer = io.BytesIO()
    grey.save(buffer, "JPEG2000", irreversible=False)
    found = np.asarray(decode(buffer.getvalue(), name="x", decoding=TWELVE))
    assert found[::16, ::16].tolist() == [[0, 64], [128, 255]]
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 60, 40)).save(buffer, "JPEG2000", tile_size=(32, 32))
    data = buffer.getvalue()
    assert decode(data, name="x").getpixel((50, 50)) == (200, 60, 40)
    last = data.rindex(b"\xff\x90\x00\x0a")
    with pytest.raises(PictureError, match="truncated"):
        decode(data[:last] + b"\xff\xd9", name="x")
