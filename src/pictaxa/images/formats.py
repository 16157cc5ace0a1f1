"""Which kinds of files are pictures, and what a file is that is none: by its suffix, and by its first bytes."""

from __future__ import annotations

import contextlib
import importlib
import io
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from ..errors import Problem, ProblemKind
from ..limits import MAX_PICTURE_SECONDS

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000")  # that Pillow itself reads

FORMAT_OF_SUFFIX = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".webp": "WEBP",
    ".bmp": "BMP", ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM",
    ".pnm": "PPM", ".avif": "AVIF", ".jp2": "JPEG2000", ".j2k": "JPEG2000", ".j2c": "JPEG2000", ".jpc": "JPEG2000",
    ".jpf": "JPEG2000", ".jpx": "JPEG2000", ".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF", ".dcm": "DICOM",
    ".dicom": "DICOM",
}  # fmt: skip
SUFFIXES = tuple(FORMAT_OF_SUFFIX)
# Pictures in a way, of which a folder may be full; what they are is said, and that they have to be converted.
OTHER_PICTURES = {
    ".jxl": "JPEG XL", ".cr2": "camera raw", ".cr3": "camera raw", ".nef": "camera raw", ".arw": "camera raw",
    ".dng": "camera raw", ".raf": "camera raw", ".orf": "camera raw", ".rw2": "camera raw", ".svg": "SVG",
    ".psd": "Photoshop", ".ico": "icons", ".tga": "Targa", ".exr": "OpenEXR", ".hdr": "Radiance", ".fits": "FITS",
    ".nii": "NIfTI", ".czi": "Zeiss microscopy", ".nd2": "Nikon microscopy", ".lif": "Leica microscopy",
    ".svs": "whole slides", ".ndpi": "whole slides", ".mp4": "video", ".mov": "video", ".avi": "video",
    ".webm": "video", ".mkv": "video", ".pdf": "PDF",
}  # fmt: skip
ALONE = threading.Lock()
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two of more than 4 GB
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
KINDS: tuple[tuple[int, bytes, str], ...] = (  # (place, bytes there, what such a file is)
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance picture"),
    (0, b"SIMPLE  =", "a FITS file"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"\x1f\x8b", "a file packed by gzip"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, whose picture was never fetched"),
    (0, b"\0\5\x16\7", "what macOS keeps beside a file, and not the file"),
    (8, b"AVI ", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (4, b"ftypcrx ", "a camera's raw picture"),
    (4, b"ftyp", "a video"),  # behind HEIF and AVIF, which begin so too
)


def is_picture(name: str) -> bool:
    """Whether a file name ends like a picture's."""
    return name.lower().endswith(SUFFIXES)


def format_of_suffix(name: str) -> str:
    """The format that a file name speaks of; "" where its suffix is no picture's."""
    return FORMAT_OF_SUFFIX.get(Path(name).suffix.lower(), "")


def is_heif(data: bytes) -> bool:
    """Whether bytes begin as a HEIC or HEIF picture."""
    if data[4:8] != b"ftyp" or data[8:12] in AVIF_BRANDS:
        return False
    brands = data[16 : min(int.from_bytes(data[:4]), 256)]  # those that it is compatible with
    return data[8:12] in HEIF_BRANDS and not any(brand in brands for brand in AVIF_BRANDS)


def is_dicom(data: bytes) -> bool:
    """Whether bytes begin as a DICOM file: 128 of anybody's, then its name."""
    return data[128:132] == b"DICM"


def open_picture(data: bytes) -> ImageFile.ImageFile:
    """The header of encoded bytes, read by Pillow or, of HEIC, by pillow-heif.

    Raises:
        UnidentifiedImageError: they are no picture; its text says what they are instead, where that is known.
        RefusedError: they are, and an extra that is not installed reads them; or reading them takes too long, which is
            told while the pixels are loaded too.
    """
    if is_heif(data):
        heif = needed("pillow_heif", extra="heif", what="a HEIC picture")
        opened: ImageFile.ImageFile = heif.HeifImageFile(TimedBytes(data))
        return opened
    try:
        return Image.open(TimedBytes(data), formats=FORMATS)
    except Image.DecompressionBombError:
        with alone():
            return Image.open(TimedBytes(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnidentifiedImageError(told_kind(data)) from None


class TimedBytes(io.BytesIO):
    """Encoded bytes that a decoder gets for as long as a picture may take: one that asks for more then is ended.

    Nobody can end a decoder that asks for all at once; what those of WebP, AVIF, HEIF and JPEG 2000 take follows from
    the number of pixels, which has a limit of its own.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.until = time.thread_time() + MAX_PICTURE_SECONDS  # of this thread's own work: neighbours don't count

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's; RefusedError when the time is over."""
        if time.thread_time() > self.until:
            raise RefusedError(ProblemKind.BOMB.told(f"decoding it takes more than {MAX_PICTURE_SECONDS:.0f} s"))
        return super().read(size)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """For a large picture: no other one meanwhile, and not Pillow's own limit, which belongs to the program around us.

    Ours is in upright.py, and each picture is held to it.
    """
    with ALONE:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


IRREGULAR = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe, not a file"), (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"), (stat.S_ISBLK, "a device, not a file"),
)  # fmt: skip


def told_irregular(mode: int) -> str:
    """What lies at a path by its `st_mode`, where that is no file; "" for a file.

    Opening a pipe waits until somebody writes to it, and a device never ends: both are asked for their kind first.
    """
    if stat.S_ISREG(mode):
        return ""
    return next((told for is_kind, told in IRREGULAR if is_kind(mode)), "no file")


def told_kind(data: bytes) -> str:
    """What bytes are that no decoder takes, in words; "" where nobody knows."""
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page"
    if head.startswith((b"<svg", b"<?xml")) and b"<svg" in data[:4096].lower():
        return "an SVG drawing"
    if data[:4] in TIFFS:
        return "a TIFF of a kind that is not read"
    return next((kind for place, bytes_there, kind in KINDS if data.startswith(bytes_there, place)), "")


class RefusedError(Exception):
    """A file that is what it should be and yet not read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def needed(package: str, *, extra: str, what: str) -> Any:
    """An optional package that reads `what`; RefusedError says which of pictaxa's extras brings it."""
    try:
        return importlib.import_module(package)
    except ImportError:
        reason = f"{what}, which needs the extra `{extra}`: pip install 'pictaxa[{extra}]'"
    raise RefusedError(ProblemKind.UNREADABLE.told(reason))
