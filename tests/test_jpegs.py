from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pictaxa.errors import PictureError
from pictaxa.jpegs import plain_jpeg
from pictaxa.pictures import decode

ANY = {"channels": 3, "shorter": 10_000, "longer": 10_000}  # what plain_jpeg may be asked for: everything


def photo(width: int = 75, height: int = 50) -> Image.Image:
    """Soft colours with an edge, as photographs have them."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=2).astype(np.uint8)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (250, 40, 10)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


PLAIN = {
    "usual": encoded(photo()),
    "full colour": encoded(photo(), quality=98, subsampling=0),
    "half colour": encoded(photo(), subsampling=1),
    "poor": encoded(photo(), quality=5),
    "restarts": encoded(photo(), restart_marker_blocks=3),
    "own tables": encoded(photo(), optimize=True),
    "comment": encoded(photo(), comment=b"taken at the lake", dpi=(300, 300)),
    "profile": encoded(photo(), icc_profile=bytes(500)),
    "grey": encoded(photo().convert("L")),
    "one pixel": encoded(photo(1, 1)),
    "odd sizes": encoded(photo(131, 17)),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_jpeg_has_pillows_pixels(kind: str):
    """Byte for byte, whichever way it was written."""
    expected = np.asarray(decode(PLAIN[kind], name="x"))
    found = plain_jpeg(PLAIN[kind], **ANY)
    assert found is not None and found.dtype == np.uint8
    assert np.array_equal(found.reshape(expected.shape), expected)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photo(), exif=exif)


ODD = {
    "turned by EXIF": _turned(),
    "progressive": encoded(photo(), progressive=True),
    "CMYK": encoded(photo().convert("CMYK")),
    "cut": PLAIN["usual"][:-40],
    "cut, but ended": PLAIN["usual"][:-40] + b"\xff\xd9",
    "cut in its head": PLAIN["usual"][:180],
    "bytes too many": PLAIN["usual"][:-2] + b"odd" * 9 + b"\xff\xd9",
    "nothing": b"",
    "another format": b"\x89PNG\r\n\x1a\n" + bytes(64),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_odd_is_left_to_pillow(kind: str, capfd: pytest.CaptureFixture[str]):
    """So that it is turned, converted or refused in one place; and nothing is printed about it."""
    assert plain_jpeg(ODD[kind], **ANY) is None
    assert capfd.readouterr() == ("", "")


def test_sizes_and_channels_beyond_what_was_asked_for_are_left_to_pillow():
    """The shorter side is below its bound, the longer one within it, colour only where colour is wanted."""
    data = PLAIN["usual"]
    asked = {"channels": 3, "shorter": 51, "longer": 75}
    assert plain_jpeg(data, **asked) is not None
    for name, value in {"channels": 1, "shorter": 50, "longer": 74}.items():
        assert plain_jpeg(data, **(asked | {name: value})) is None, name


def test_a_damaged_jpeg_is_never_read_otherwise_than_by_pillow():
    """Of 3,000 that are changed at random, each that still counts as plain is whole by Pillow, with the same pixels."""
    draws = np.random.default_rng(0)
    sources = list(PLAIN.values())
    plain = 0
    for number in range(3000):
        data = bytearray(sources[number % len(sources)])
        place = int(draws.integers(2, len(data)))
        match number // len(sources) % 4:
            case 0:
                data[place] = int(draws.integers(256))
            case 1:
                del data[place : place + int(draws.integers(1, 30))]
            case 2:
                data[place:place] = draws.bytes(int(draws.integers(1, 30)))
            case 3:
                data[place : place + 2] = bytes((0xFF, int(draws.integers(0xC0, 0x100))))
        found = plain_jpeg(bytes(data), **ANY)
        if found is not None:
            plain += 1
            try:
                expected = np.asarray(decode(bytes(data), name="x"))
            except PictureError as error:
                raise AssertionError(f"number {number} is {error.reason}") from None
            assert np.array_equal(found.reshape(expected.shape), expected), number
    assert plain > 300, "too few were left for this to say anything"
