"""images/colour.py: colours by their profiles, against what the definitions of the colour spaces say."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from pictaxa.images import colour
from pictaxa.images.colour import DAMAGED, Conversion, conversion, matrix_profile, profile_of_code
from pictaxa.images.decode import GREY, RGB, decode, square_of
from pictaxa.images.decoding import AS_EARLIER

P3 = matrix_profile(colour.PRIMARIES[12], colour.D65, gamma=None)
ADOBE = matrix_profile(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), colour.D65, gamma=2.19921875)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Linear light of Display P3 and of Adobe RGB (1998) in that of sRGB, both of D65: W3C's CSS Color 4, section 18.
FROM_P3 = np.array([[1.2249402, -0.2249402, 0], [-0.0420570, 1.0420570, 0], [-0.0196376, -0.0786361, 1.0982735]])
FROM_ADOBE = np.array([[1.3983557, -0.3983557, 0], [0, 1, 0], [0, -0.0429290, 1.0429290]])
COLOURS = np.array([[[200, 60, 40], [60, 170, 60], [40, 70, 190], [210, 180, 60], [128, 128, 128], [255, 255, 255]]])


def linear(shown: np.ndarray) -> np.ndarray:
    """sRGB's curve (IEC 61966-2-1), 0 to 255 to light from 0 to 1."""
    part = shown / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def shown(light: np.ndarray) -> np.ndarray:
    """Back again, rounded."""
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def encoded(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def wide() -> np.ndarray:
    """(8, 48, 3): fields of each colour, 8 pixels wide."""
    return COLOURS.repeat(8, axis=0).repeat(8, axis=1)


WAYS = {
    "PNG": ("PNG", {}), "TIFF": ("TIFF", {}), "WEBP": ("WEBP", {"lossless": True}), "BMP": None,
    "JPEG": ("JPEG", {"quality": 100, "subsampling": 0}), "AVIF": ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
    "progressive": ("JPEG", {"quality": 100, "subsampling": 0, "progressive": True}),
}  # fmt: skip
WAYS.pop("BMP")


@pytest.mark.parametrize(("profile", "matrix"), [(P3, FROM_P3), (ADOBE, FROM_ADOBE)], ids=["P3", "Adobe"])
@pytest.mark.parametrize("way", WAYS)
def test_wide_profiles_become_srgb(way: str, profile: bytes, matrix: np.ndarray, wide: np.ndarray):
    """Of every format that carries a profile: as the matrices of the two spaces have it, on both paths of JPEG."""
    kind, options = WAYS[way]
    light = linear(COLOURS[0]) if profile is P3 else (COLOURS[0] / 255) ** 2.19921875
    expected = shown(light @ matrix.T)
    data = encoded(wide, kind, icc_profile=profile, **options)
    whole = np.asarray(decode(data, name="x"))[4, 4::8]
    square = square_of(data, name="x", side=48, channels=RGB)
    allowed = 1.5 if way in ("PNG", "TIFF", "WEBP") else 6  # of what the formats themselves lose
    assert np.abs(whole - expected).max() <= allowed
    assert np.abs(square.pixels[24, 4::8] - expected).max() <= allowed
    assert square.notes == (colour.CONVERTED,)
    plain = np.asarray(decode(encoded(wide, kind, **options), name="x"))[4, 4::8]
    assert np.abs(plain - COLOURS[0]).max() <= allowed, "without a profile nothing is changed"


def test_colour_that_becomes_grey_is_converted_first(wide: np.ndarray):
    """Grey is the brightness of what is shown: of sRGB's colours by ITU-R 601, not of the profile's."""
    data = encoded(wide, "PNG", icc_profile=P3)
    grey = square_of(data, name="x", side=48, channels=GREY).pixels[24, 4::8, 0]
    expected = shown(linear(COLOURS[0]) @ FROM_P3.T) @ [0.299, 0.587, 0.114]
    assert np.abs(grey - expected).max() <= 1.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_srgb_keeps_its_pixels(kind: str, wide: np.ndarray):
    """A profile of sRGB, under whatever name, changes no byte, and nothing is said."""
    plain = square_of(encoded(wide, kind), name="x", side=16, channels=RGB)
    for profile in (SRGB, matrix_profile(colour.SRGB, colour.D65, gamma=None)):
        square = square_of(encoded(wide, kind, icc_profile=profile), name="x", side=16, channels=RGB)
        assert np.array_equal(square.pixels, plain.pixels) and square.notes == ()


@pytest.mark.parametrize("profile", [b"", bytes(500), SRGB[:200], P3[:300], P3.replace(b"rXYZ", b"qXYZ")])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_broken_profile_spoils_no_picture(kind: str, profile: bytes, wide: np.ndarray):
    """The pixels stay as they are stored, and it is said so that it can be counted."""
    data = encoded(wide, kind, icc_profile=profile or None)
    square = square_of(data, name="x", side=16, channels=RGB)
    assert np.array_equal(square.pixels, square_of(encoded(wide, kind), name="x", side=16, channels=RGB).pixels)
    assert square.notes == ((DAMAGED,) if profile else ())


def test_grey_and_its_profiles():
    """A grey profile is a curve, whether the picture is stored as grey or as colour; an RGB profile fits grey too."""
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(4, axis=0)
    head = bytearray(matrix_profile(colour.SRGB, colour.D65, gamma=1.0))
    head[16:20] = b"GRAY"
    linear_grey = bytes(head).replace(b"gTRC", b"kTRC")
    expected = shown(np.arange(256) / 255)
    for pixels in (ramp, ramp[..., None].repeat(3, axis=2)):
        image = decode(encoded(pixels, "PNG", icc_profile=linear_grey), name="x")
        assert np.abs(np.asarray(image).reshape(4, 256, -1)[0, :, 0] - expected).max() <= 2
    assert np.array_equal(np.asarray(decode(encoded(ramp, "PNG", icc_profile=SRGB), name="x")), ramp)
    bright = matrix_profile(colour.SRGB, colour.D65, gamma=1.0)
    assert (
        np.abs(
            np.asarray(decode(encoded(ramp, "JPEG", quality=100, icc_profile=bright), name="x"))[0, 100] - expected[100]
        )
        <= 3
    )
    assert conversion(linear_grey, "CMYK") == DAMAGED and conversion(P3, "CMYK") == DAMAGED


def png_with(pixels: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG with more chunks before its pixels."""
    data = encoded(pixels, "PNG")
    place = data.index(b"IDAT") - 4
    more = b"".join(
        struct.pack(">I", len(content)) + kind.encode() + content + zlib.crc32(kind.encode() + content).to_bytes(4)
        for kind, content in chunks.items()
    )
    return data[:place] + more + data[place:]


def places(*pairs: tuple[float, float]) -> bytes:
    """cHRM's numbers, white first."""
    return b"".join(struct.pack(">I", round(value * 100_000)) for pair in pairs for value in pair)


def test_png_without_a_profile_but_with_the_numbers_of_one(wide: np.ndarray):
    """CHRM and gAMA of Display P3, or cICP's code, mean what the profile means; sRGB's numbers change nothing."""
    expected = shown(linear(COLOURS[0]) @ FROM_P3.T)
    coded = np.asarray(decode(png_with(wide, cICP=bytes((12, 13, 0, 1))), name="x"))[4, 4::8]
    assert np.abs(coded - expected).max() <= 1.5
    gamma = (45455).to_bytes(4)
    p3 = np.asarray(decode(png_with(wide, gAMA=gamma, cHRM=places(colour.D65, *colour.PRIMARIES[12])), name="x"))
    power = shown((COLOURS[0] / 255) ** 2.2 @ FROM_P3.T)
    assert np.abs(p3[4, 4::8] - power).max() <= 2
    light = np.asarray(decode(png_with(wide, gAMA=(100_000).to_bytes(4)), name="x"))[4, 4::8]
    assert np.abs(light - shown(COLOURS[0] / 255)).max() <= 1.5, "an exponent of 1: light itself"
    for same in (
        {"gAMA": gamma, "sRGB": b"\0"},
        {"cICP": bytes((1, 13, 0, 1))},
        {"cHRM": places(colour.D65, *colour.SRGB)},
    ):
        assert np.array_equal(np.asarray(decode(png_with(wide, **same), name="x")), wide)
    broken = np.asarray(decode(png_with(wide, gAMA=gamma, cHRM=bytes(32)), name="x"))
    assert np.array_equal(broken, wide)


def test_codes_of_hdr_are_left():
    """No 8 bits can show them; and unknown codes mean nothing."""
    assert profile_of_code(9, 16) == profile_of_code(1, 13) == profile_of_code(200, 13) == b""
    assert isinstance(conversion(profile_of_code(9, 13), "RGB"), Conversion)


def test_cmyk_by_its_profile_and_lab():
    """Without a profile CMYK is as before; Lab's neutral greys are greys: L* of 50 is 119 of sRGB."""
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    buffer = io.BytesIO()
    ink.save(buffer, "TIFF")
    assert decode(buffer.getvalue(), name="x").getpixel((8, 8)) == (255, 0, 0)
    buffer = io.BytesIO()
    Image.merge("LAB", [Image.new("L", (8, 8), value) for value in (128, 128, 128)]).save(buffer, "TIFF")
    assert np.abs(np.array(decode(buffer.getvalue(), name="x").getpixel((4, 4))) - 119).max() <= 2


def test_a_run_from_before_sees_what_it_saw(wide: np.ndarray):
    """Runs that say nothing of decoding were trained on pixels as they are stored."""
    for kind in ("PNG", "JPEG"):
        data = encoded(wide, kind, icc_profile=P3)
        square = square_of(data, name="x", side=48, channels=RGB, decoding=AS_EARLIER)
        plain = square_of(encoded(wide, kind), name="x", side=48, channels=RGB)
        assert np.array_equal(square.pixels, plain.pixels) and square.notes == ()


def test_a_transform_is_made_once_for_each_profile():
    """However many pictures have it."""
    assert conversion(P3, "RGB") is conversion(bytes(bytearray(P3)), "RGB")
