from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from pictaxa.errors import PictureError
from pictaxa.images.decode import _decode
from pictaxa.images.jpeg import embedded_profile, plain_jpeg

ANY = {"channels": 3, "side": 10_000, "longest": 10_000, "most_pixels": 10**8}  # of plain_jpeg: everything, in full


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


def exif_of(**tags: object) -> Image.Exif:
    """By the names of `Base`, as `Orientation`."""
    exif = Image.Exif()
    for name, value in tags.items():
        exif[getattr(Base, name)] = value
    return exif


def by_pillow(data: bytes, *, side: int | None = None) -> tuple[np.ndarray, int, int]:
    """(H, W, C) pixels, reduced for squares of a side, and the full width and height."""
    found = _decode(data, name="x", draft_side=side)
    return np.asarray(found.image).reshape(found.image.height, found.image.width, -1), found.width, found.height


def assert_as_pillow(data: bytes, found: tuple[np.ndarray, int, int], *, side: int | None = None) -> None:
    """The same pixels and sizes."""
    expected = by_pillow(data, side=side)
    assert found[0].dtype == np.uint8 and np.array_equal(found[0], expected[0])
    assert found[1:] == expected[1:]


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
    "a camera's EXIF": encoded(photo(), exif=exif_of(Orientation=1, Make="Agfa Isolette", XResolution=72.0)),
    "EXIF of nothing": encoded(photo(), exif=exif_of(Make="Agfa Isolette")),
    "EXIF by big ends": encoded(
        photo(), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0" + bytes(4)
    ),
    "XMP": encoded(photo(), xmp=b"<x:xmpmeta>the lake</x:xmpmeta>"),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_jpeg_has_pillows_pixels(kind: str):
    """Byte for byte, whichever way it was written."""
    found = plain_jpeg(PLAIN[kind], **ANY)
    assert found is not None
    assert_as_pillow(PLAIN[kind], found)


@pytest.mark.parametrize("subsampling", [0, 1, 2, "grey"])
@pytest.mark.parametrize("size", [(8, 8), (75, 50), (131, 97), (96, 200)])
def test_reduced_it_has_the_pixels_of_pillows_draft(size: tuple[int, int], subsampling: int | str):
    """For squares of every side that the picture has room for, whatever eighth that makes."""
    grey = subsampling == "grey"
    data = encoded(photo(*size).convert("L")) if grey else encoded(photo(*size), subsampling=subsampling)
    sizes = set()
    for side in range(1, min(size) + 2):
        found = plain_jpeg(data, **(ANY | {"side": side}))
        assert found is not None
        assert_as_pillow(data, found, side=side)
        sizes.add(found[0].shape)
    assert len(sizes) == 4, "in full, halves, quarters and eighths"


def with_exif_twice(data: bytes) -> bytes:
    begin = data.index(b"\xff\xe1")
    end = begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big")
    return data[:end] + data[begin:end] + data[end:]


ODD = {
    "turned by EXIF": encoded(photo(), exif=exif_of(Orientation=6)),
    "turned by XMP": encoded(photo(), xmp=b'<rdf:Description tiff:Orientation="6"/>'),
    "EXIF that is cut": encoded(photo(), exif=exif_of(Make="Agfa Isolette", Orientation=1).tobytes()[:20]),
    "EXIF that is empty": encoded(photo(), exif=b"Exif\0\0"),
    "EXIF twice": with_exif_twice(PLAIN["EXIF of nothing"]),
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


def test_the_profile_is_put_together_from_its_parts():
    """One of 150,000 bytes takes three segments; a part that is missing leaves none."""
    profile = np.random.default_rng(0).bytes(150_000)
    data = encoded(photo(), icc_profile=profile)
    assert embedded_profile(data) == profile and embedded_profile(PLAIN["usual"]) == b""
    second = data.index(b"ICC_PROFILE\0\x02") - 4
    length = int.from_bytes(data[second + 2 : second + 4])
    assert embedded_profile(data[:second] + data[second + 2 + length :]) == b""


def test_sizes_and_channels_beyond_what_was_asked_for_are_left_to_pillow():
    """The longer side as it comes is within its bound, so are all pixels; colour only where it is wanted."""
    data = PLAIN["usual"]
    asked = {"channels": 3, "side": 10_000, "longest": 75, "most_pixels": 75 * 50}
    assert plain_jpeg(data, **asked) is not None
    for name, value in {"channels": 1, "longest": 74, "most_pixels": 75 * 50 - 1}.items():
        assert plain_jpeg(data, **(asked | {name: value})) is None, name
    assert plain_jpeg(data, **(asked | {"side": 20, "longest": 38})) is not None
    assert plain_jpeg(data, **(asked | {"side": 20, "longest": 37})) is None


def test_a_damaged_jpeg_is_never_read_otherwise_than_by_pillow():
    """Of 3,000 that are changed at random, each that still counts as plain is whole by Pillow, with the same pixels.

    In full, and reduced.
    """
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
        side = (10_000, 20, 10, 5)[number % 4]
        found = plain_jpeg(bytes(data), **(ANY | {"side": side}))
        if found is not None:
            plain += 1
            try:
                assert_as_pillow(bytes(data), found, side=side)
            except PictureError as error:
                raise AssertionError(f"number {number} is {error.reason}") from None
    assert plain > 300, "too few were left for this to say anything"
