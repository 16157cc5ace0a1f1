"""With which camera, and in which month, a photo was taken, from its EXIF."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

HEAD = 2**17  # bytes of a file in which a JPEG has its EXIF
EXIF = b"Exif\0\0"
MODEL, DATE, DETAILS, TAKEN = 0x0110, 0x0132, 0x8769, 0x9003  # EXIF's tags; DETAILS is where TAKEN stands
MAX_NAME = 60  # characters of a camera's name


@dataclass(frozen=True)
class Shot:
    """What EXIF says of how a photo was taken; "" for what it does not say."""

    camera: str = ""
    month: str = ""  # such as 2024-07


def read_head(path: Path) -> bytes:
    """The beginning of a file, where it can be read; else nothing."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def shot_of(head: bytes) -> Shot:
    """Read who took a photo and when.

    Args:
        head: a file's bytes, or the first HEAD of them.

    Returns:
        The Shot, with nothing of a picture without EXIF, or with one that is damaged.

    Example:
        shot_of(read_head(Path("holiday.jpg"))).camera  # "Pixel 7"
    """
    start = head.find(EXIF, 0, HEAD)
    if start < 0:
        return Shot()
    try:
        exif = Image.Exif()
        exif.load(head[start:HEAD])
        model = str(exif.get(MODEL, ""))
        date = str(exif.get_ifd(DETAILS).get(TAKEN) or exif.get(DATE, ""))
    except Exception:  # Pillow raises many types of damaged ones
        return Shot()
    camera = " ".join("".join(letter for letter in model if letter.isprintable()).split())[:MAX_NAME]
    month = re.match(r"((?:19|20)\d\d):(0[1-9]|1[0-2]):", date)
    return Shot(camera, f"{month[1]}-{month[2]}" if month else "")
