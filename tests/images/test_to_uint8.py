from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pictaxa.images.decode import decode
from pictaxa.images.to_uint8 import to_eight_bits


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_grey_and_colour_stay_as_they_are():
    """A picture of eight bits without transparency is given back itself."""
    for mode in ("L", "RGB"):
        image = Image.new(mode, (3, 2))
        assert to_eight_bits(image) is image


def test_transparency_becomes_white():
    """RGBA, grey with alpha, and palette pictures show white where they are transparent, and blend where half so."""
    rgba = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    rgba.putpixel((1, 0), (0, 0, 0, 0))
    for image in (rgba, rgba.convert("LA")):
        assert np.asarray(decode(encoded(image, "PNG"), name="x"))[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 128))
    assert abs(int(np.asarray(decode(encoded(half, "PNG"), name="x"))[0, 0, 0]) - 127) <= 1
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    shown = np.asarray(decode(encoded(palette, "PNG", transparency=1), name="x"))[0]
    assert shown.tolist() == [[10, 20, 30], [255, 255, 255]]
    opaque = np.asarray(decode(encoded(palette, "PNG"), name="x"))[0]
    assert opaque.tolist() == [[10, 20, 30], [200, 100, 50]]


def test_few_and_many_bits():
    """One bit becomes black and white; sixteen bits are scaled by their range, not clipped at 255."""
    bits = Image.new("1", (2, 1))
    bits.putpixel((1, 0), 1)
    assert np.asarray(decode(encoded(bits, "PNG"), name="x")).tolist() == [[0, 255]]
    deep = Image.fromarray(np.array([[0, 257, 32896, 65535]], dtype=np.uint16))
    for kind in ("PNG", "TIFF"):
        assert np.asarray(decode(encoded(deep, kind), name="x")).tolist() == [[0, 1, 128, 255]]
    floats = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    assert np.asarray(decode(encoded(floats, "TIFF"), name="x")).tolist() == [[0, 128, 255]]
    wide = Image.fromarray(np.array([[-1000.0, 1000.0]], dtype=np.float32))
    assert np.asarray(decode(encoded(wide, "TIFF"), name="x")).tolist() == [[0, 255]]
