"""Colours as a file means them to sRGB: by its ICC profile, or by the few numbers that say the same.

Relative colorimetric with black point compensation, as programs that show photographs do by default. A transform is
made once for each profile. Profiles that change no colour by more than a step or two, as the many copies of sRGB, are
left out: so are they judged, and not by their names, which anybody can write.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from .integrity import chunks

CONVERTED = "with a colour profile: converted to sRGB"
DAMAGED = "with a colour profile that is damaged or does not fit: it is ignored"
MAX_KEPT = 256  # profiles whose transforms are kept; a camera or program writes one and the same into all its files
SAME = 2  # of 255: so little is the rounding of a copy of sRGB
LATTICE = np.linspace(0, 255, 9).round().astype(np.uint8)  # of each channel, where a transform is judged
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))  # x, y of red, green and blue
D65 = (0.3127, 0.3290)
# Primaries by their number in ITU-T H.273, which HEIC, AVIF and PNG's cICP share.
PRIMARIES = {9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), 12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))}
USUAL_CURVES = (1, 6, 13, 14, 15)  # transfer characteristics there: sRGB's and television's, not those of HDR
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # ICC's parametric curve of type 3
# Bradford's cone responses, by which ICC profiles are adapted to D50.
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])


@dataclass(frozen=True)
class Conversion:
    """From the colours of a profile to sRGB."""

    transform: ImageCms.ImageCmsTransform | None  # of RGB, CMYK or LAB
    curve: tuple[int, ...] = ()  # of grey, or of each colour: the number that each of 256 becomes

    def apply(self, image: Image.Image) -> Image.Image:
        """A picture of the mode that it was made for, as RGB, or L where it is grey."""
        if self.curve:
            return image.point(list(self.curve) * len(image.getbands()))
        assert self.transform is not None
        shown = ImageCms.applyTransform(image, self.transform)
        assert shown is not None  # only in place there is nothing to give back
        return shown


@lru_cache(maxsize=MAX_KEPT)
def conversion(profile: bytes, mode: str) -> Conversion | str:
    """How pixels of a mode (L, RGB, CMYK) become sRGB; "" where they are so already, DAMAGED for no such profile."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = {"GRAY": "L"}.get(source.profile.xcolor_space.strip(), source.profile.xcolor_space.strip())
        if space not in ("L", "RGB", "CMYK") or (space == "CMYK") != (mode == "CMYK"):
            return DAMAGED
        transform = _transform(source, space, exact="L" in (mode, space))
        if mode == "CMYK":
            return Conversion(transform)
        before = _lattice(grey="L" in (mode, space), channels=len(space))
        after = np.asarray(ImageCms.applyTransform(Image.fromarray(before), transform))
    except Exception:  # of profiles that are none, lcms and Pillow raise many types
        return DAMAGED
    if np.abs(after.astype(int) - before.reshape(*before.shape[:2], -1)).max() <= SAME:
        return ""
    # Greys of D50 are greys of sRGB, so one channel tells all.
    return Conversion(None, tuple(after[..., 1].ravel().tolist())) if "L" in (mode, space) else Conversion(transform)


def _lattice(*, grey: bool, channels: int) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 of all greys, or of colours from all over."""
    if grey:
        steps = np.arange(256, dtype=np.uint8)[None]
        return steps if channels == 1 else np.stack([steps] * channels, axis=-1)
    return np.stack(np.meshgrid(LATTICE, LATTICE, LATTICE), axis=-1).reshape(-1, 1, 3)


@lru_cache(maxsize=1)
def from_lab() -> Conversion:
    """CIE L*a*b* of D50, as TIFF has it, to sRGB."""
    return Conversion(_transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB"))


def _transform(source: ImageCms.ImageCmsProfile, mode: str, *, exact: bool = False) -> ImageCms.ImageCmsTransform:
    """From a mode to RGB; exact takes twenty times as long for a pixel, and is for the 256 of grey, once."""
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION | (ImageCms.Flags.NOOPTIMIZE if exact else ImageCms.Flags.NONE)
    return ImageCms.buildTransform(
        source, ImageCms.createProfile("sRGB"), mode, "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=flags,
    )  # fmt: skip


def profile_of(image: Image.Image, data: bytes) -> bytes:
    """The ICC profile in a file that Pillow has opened, or one that says the same as its other words; b"" for sRGB."""
    if embedded := image.info.get("icc_profile"):
        return bytes(embedded)
    if image.format == "PNG":
        return _profile_of_png(image, data)
    if image.format in ("AVIF", "HEIF"):
        place = data[:65536].find(b"colrnclx")
        return profile_of_code(*struct.unpack_from(">HH", data, place + 8)) if 0 <= place <= len(data) - 12 else b""
    if image.format == "JPEG2000":
        return _profile_of_jpeg2000(data)
    return b""


def _profile_of_png(image: Image.Image, data: bytes) -> bytes:
    """By cICP, else cHRM and gAMA, where no sRGB chunk is before them in rank (PNG, 3rd edition, 4.3)."""
    code = next((data[begin:end] for kind, begin, end in chunks(data[:65536]) if kind == b"cICP"), b"")
    if len(code) == 4:
        return profile_of_code(code[0], code[1])
    gamma, places = image.info.get("gamma"), image.info.get("chromaticity")
    if "srgb" in image.info or (not gamma and not places) or image.mode in ("1", "L", "LA", "I;16"):
        return b""
    white, *colours = [tuple(places[i : i + 2]) for i in (0, 2, 4, 6)] if places else [D65, *SRGB]
    return matrix_profile(tuple(colours), white, gamma=1 / gamma if gamma and 0.1 < gamma < 2 else None)


def _profile_of_jpeg2000(data: bytes) -> bytes:
    """What stands in the box of the colours behind its three bytes, the first of which is 2 for an ICC profile."""
    place = data[:4096].find(b"colr\x02")
    return data[place + 7 : place - 4 + int.from_bytes(data[place - 4 : place])] if place > 4 else b""


def profile_of_code(primaries: int, transfer: int) -> bytes:
    """The ICC profile of ITU-T H.273's numbers; b"" of sRGB's, and of HDR's, which no 8 bits can show."""
    if primaries not in PRIMARIES or transfer not in USUAL_CURVES:
        return b""
    return matrix_profile(PRIMARIES[primaries], D65, gamma=None)


@lru_cache(maxsize=MAX_KEPT)
def matrix_profile(colours: tuple[tuple[float, ...], ...], white: tuple[float, ...], *, gamma: float | None) -> bytes:
    """An ICC profile from the x, y of red, green, blue and white and an exponent (None: sRGB's curve); b"" for none."""
    try:
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in colours]).T  # XYZ of each colour
        whole = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
        adapted = np.linalg.inv(BRADFORD) @ np.diag(BRADFORD @ D50 / (BRADFORD @ whole)) @ BRADFORD
        columns = adapted @ (columns * np.linalg.solve(columns, whole))
        numbers = [_fixed(value) for value in (*columns.T.ravel(), *D50)]
    except (ZeroDivisionError, ValueError, struct.error, np.linalg.LinAlgError):  # colours that can't be
        return b""
    places = [b"XYZ \0\0\0\0" + b"".join(numbers[i : i + 3]) for i in (0, 3, 6, 9)]
    terms = SRGB_CURVE if gamma is None else (gamma,)
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3 if gamma is None else 0, 0) + b"".join(map(_fixed, terms))
    name = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"-\0" + bytes(78 + 4)
    named = list(zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), places, strict=True))
    named += [(kind, curve) for kind in (b"rTRC", b"gTRC", b"bTRC")] + [
        (b"desc", name),
        (b"cprt", b"text\0\0\0\0-\0\0\0"),
    ]
    table, body, at = struct.pack(">I", len(named)), b"", 128 + 4 + 12 * len(named)
    for kind, content in named:
        content += bytes(-len(content) % 4)
        table += kind + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(">I4xI12s", 128 + len(table) + len(body), 0x02400000, b"mntrRGB XYZ ") + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + b"".join(map(_fixed, D50)).ljust(60, b"\0") + table + body


def _fixed(value: float) -> bytes:
    """ICC's s15Fixed16Number."""
    return struct.pack(">i", round(float(value) * 65536))
