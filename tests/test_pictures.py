from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictaxa import pictures
from pictaxa.errors import PictureError
from pictaxa.pictures import GREY, RGB, decode, load_square, square_of

WIDE = Image.fromarray(np.arange(24 * 16 * 3, dtype=np.uint16).reshape(16, 24, 3).__mod__(251).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_pixels_back(kind: str):
    """A format that loses nothing must give exactly the pixels that were written."""
    assert np.array_equal(np.asarray(decode(encoded(WIDE, kind), name="x")), np.asarray(WIDE))


def test_webp_lossless_and_gif_decode():
    """WebP and GIF are read; lossless WebP exactly."""
    assert np.array_equal(np.asarray(decode(encoded(WIDE, "WEBP", lossless=True), name="x")), np.asarray(WIDE))
    assert decode(encoded(WIDE, "GIF"), name="x").size == (24, 16)


# The turns of the EXIF standard: what a viewer does to the stored pixels, as numpy would.
TURNS = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.swapaxes(p, 0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(np.swapaxes(p, 0, 1), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_applied(orientation: int):
    """Each of the eight EXIF orientations comes out upright, with width and height of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(WIDE, "PNG", exif=exif)
    assert np.array_equal(np.asarray(decode(data, name="x")), TURNS[orientation](np.asarray(WIDE)))
    square = square_of(data, name="x", side=8, channels=RGB)
    assert (square.width, square.height) == ((24, 16) if orientation < 5 else (16, 24))


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


def test_cmyk_and_adobes_inverted_cmyk():
    """A CMYK JPEG, which Adobe stores inverted, and a CMYK TIFF, which is not, both show the colour they were."""
    red = Image.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        shown = np.asarray(decode(encoded(red, kind), name="x"))[8, 8]
        assert np.abs(shown.astype(int) - [250, 10, 10]).max() <= 4, kind


def test_first_frame_of_an_animation():
    """Of an animated GIF or WebP the first frame is taken."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    for kind in ("GIF", "WEBP"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        red, _, blue = np.asarray(decode(data, name="x").convert("RGB"))[4, 4]
        assert red > 200 > blue


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_cut_files_are_refused_wherever_they_are_cut(kind: str):
    """A file that ends too early is one PictureError that names it, at whatever byte, and never half a picture."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    data = encoded(image, kind)
    whole = np.asarray(decode(data, name="x").convert("RGB"))
    for end in np.linspace(0, len(data) - 1, 40).astype(int):
        try:
            shown = np.asarray(decode(data[:end], name="flower.pic").convert("RGB"))
        except PictureError as error:
            assert error.name == "flower.pic" and error.reason and "\n" not in str(error)
        else:
            # Only bytes after the last pixel may be missing.
            assert np.array_equal(shown, whole), (kind, end, len(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty file"), (b"hello, I am no picture", "not a picture"), (b"\xff\xd8\xff", "")],
)
def test_what_is_no_picture(data: bytes, reason: str):
    """Empty files and other files are told apart from pictures, with the reason."""
    with pytest.raises(PictureError) as caught:
        decode(data, name="a.jpg")
    assert reason in caught.value.reason and "a.jpg" in str(caught.value)


def test_decompression_bombs_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch):
    """A small file that claims an enormous picture is refused by its header."""
    monkeypatch.setattr(pictures, "MOST_PIXELS", 24 * 16 - 1)
    with pytest.raises(PictureError, match="bomb"):
        decode(encoded(WIDE, "PNG"), name="x")
    header = encoded(Image.new("1", (1, 1)), "PNG").replace(
        (1).to_bytes(4) + (1).to_bytes(4), (60000).to_bytes(4) + (60000).to_bytes(4)
    )
    with pytest.raises(PictureError):
        decode(header, name="x")


def test_unreadable_files_name_the_reason(tmp_path: Path):
    """A file that is not there, or a folder, is a PictureError with the system's reason."""
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(PictureError, match="unreadable"):
            load_square(path, side=8, channels=RGB)


def test_a_square_of_its_own_size_is_bit_for_bit_the_picture():
    """A picture that already is S x S keeps its pixels, in colour and in grey."""
    pixels = np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)
    square = square_of(encoded(Image.fromarray(pixels), "PNG"), name="x", side=28, channels=GREY)
    assert np.array_equal(square.pixels[:, :, 0], pixels)


def test_a_drafted_jpeg_is_close_to_the_full_one():
    """Decoding a large JPEG at a fraction of its size changes a square only a little."""
    y, x = np.mgrid[0:600, 0:900]
    smooth = np.stack([x / 900 * 255, y / 600 * 255, (x + y) / 1500 * 255], axis=2).astype(np.uint8)
    data = encoded(Image.fromarray(smooth), "JPEG", quality=95)
    drafted = square_of(data, name="x", side=64, channels=RGB)
    full = decode(data, name="x").resize((64, 64), Image.Resampling.BICUBIC, reducing_gap=3.0)
    assert np.abs(drafted.pixels.astype(int) - np.asarray(full).astype(int)).max() <= 4
    assert drafted.aspect == 1.5
