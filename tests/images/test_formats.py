"""images/formats.py and upright.py: what is a picture, and what else a file is."""

from __future__ import annotations

import importlib
import io
import stat

import numpy as np
import pytest
from PIL import Image

from pictaxa.errors import PictureError, ProblemKind
from pictaxa.images import formats
from pictaxa.images.decode import decode, examine, measure, square_of
from pictaxa.images.formats import (
    FORMAT_OF_SUFFIX,
    format_of_suffix,
    is_heif,
    is_picture,
    told_irregular,
    told_kind,
)
from pictaxa.images.upright import pages_of

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((64, 48))


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PHOTO.save(buffer, kind, **options)
    return buffer.getvalue()


def heic(image: Image.Image = PHOTO, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra `heif` is not installed")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=95, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PPM", "AVIF", "JPEG2000"])
def test_formats_of_telephones_and_of_the_web(kind: str):
    """Read as they are, with their size from the header, and known by their suffixes."""
    data = encoded(kind)
    assert np.abs(np.asarray(decode(data, name="x")).astype(int) - np.asarray(PHOTO)).mean() < 6
    assert measure(data, name="x") == (64, 48, False) and examine(data).format == kind
    assert kind in FORMAT_OF_SUFFIX.values() and pages_of(data) == 1


@pytest.mark.parametrize(
    "name", ["a.ppm", "a.PGM", "a.avif", "a.jp2", "a.j2k", "IMG_1.HEIC", "a.heif", "a.dcm", "a.mpo"]
)
def test_suffixes(name: str):
    """They are pictures in any folder."""
    assert is_picture(name) and format_of_suffix(name)


def test_heic():
    """A telephone's: upright, with the profile that it carries."""
    data = heic()
    assert is_heif(data) and not is_heif(encoded("AVIF")) and not is_heif(encoded("JPEG"))
    assert np.abs(np.asarray(decode(data, name="x")).astype(int) - np.asarray(PHOTO)).mean() < 8
    assert measure(data, name="x") == (64, 48, False) and examine(data).format == "HEIF"
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = square_of(heic(exif=exif.tobytes()), name="x", side=16, channels=3)
    assert (turned.width, turned.height) == (48, 64)


def test_heic_without_the_extra(monkeypatch: pytest.MonkeyPatch):
    """The message says what it is and what reads it; installed later, the picture is tried again."""
    wanted = importlib.import_module

    def without(name: str) -> object:
        if name in ("pillow_heif", "pydicom"):
            raise ImportError
        return wanted(name)

    monkeypatch.setattr(importlib, "import_module", without)
    head = (24).to_bytes(4) + b"ftypheic\0\0\0\0mif1heic" + bytes(200)
    scan = bytes(128) + b"DICM" + bytes(60)
    for data, what, extra in ((head, "a HEIC picture", "heif"), (scan, "a DICOM file", "dicom")):
        with pytest.raises(PictureError) as caught:
            decode(data, name="IMG_1.HEIC")
        assert (
            caught.value.reason
            == f"unreadable: {what}, which needs the extra `{extra}`: pip install 'pictaxa[{extra}]'"
        )
        assert caught.value.problem.kind is ProblemKind.UNREADABLE
        with pytest.raises(PictureError, match="pip install"):
            measure(data, name="x")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<!DOCTYPE html><html>403 Forbidden", "a web page"), (b"\xff\x0a" + bytes(50), "a JPEG XL picture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"), (b"%PDF-1.7\n", "a PDF document"),
        (b"\0\0\0\x18ftypmp42" + bytes(99), "a video"), (b"8BPS\0\1" + bytes(30), "a Photoshop document"),
        (b"PK\3\4" + bytes(40), "a ZIP archive"), (b'<?xml version="1.0"?><svg width="9">', "an SVG drawing"),
        (b"hello, I am no picture", ""),
    ],
)  # fmt: skip
def test_what_a_file_is_that_is_no_picture(data: bytes, kind: str):
    """It is told, where its first bytes say it."""
    assert kind in told_kind(data)
    with pytest.raises(PictureError) as caught:
        decode(data, name="a.jpg")
    assert caught.value.reason.startswith("not a picture of a known format") and kind in caught.value.reason


def test_a_picture_that_takes_too_long(monkeypatch: pytest.MonkeyPatch):
    """A decoder that reads on is ended when its time is over, and the reason names the limit."""
    assert decode(encoded("PNG"), name="x").size == (64, 48)
    monkeypatch.setattr(formats, "MAX_PICTURE_SECONDS", -1.0)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF"):
        with pytest.raises(PictureError, match="decompression bomb: decoding it takes more than"):
            decode(encoded(kind), name="x")


def test_what_is_no_file_is_told_by_its_mode():
    """Only a regular file is one."""
    assert told_irregular(stat.S_IFREG | 0o644) == ""
    assert told_irregular(stat.S_IFIFO) == "a named pipe, not a file" and told_irregular(stat.S_IFDIR) == "a folder"
    assert told_irregular(stat.S_IFBLK) == told_irregular(stat.S_IFCHR) == "a device, not a file"
    assert told_irregular(stat.S_IFSOCK) == "a socket, not a file"
