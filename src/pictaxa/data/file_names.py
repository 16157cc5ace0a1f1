"""Names of files as text. A name on a disk is bytes; one that is no UTF-8 comes from a system with another encoding.

A zip made on a Chinese Windows and unpacked on Linux has names in GBK. They are decoded where that is sound, and found
again by encoding them: nothing else needs to be remembered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from .encoding import READINGS, guess_encoding

# What a name on a disk may be written in, as `guess_encoding` calls them.
ENCODINGS = tuple(dict.fromkeys(reading.encoding for reading in READINGS))
ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def is_text(name: str) -> bool:
    """Whether a name can be written down: Python keeps bytes that are no UTF-8 as halves of surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def shown_name(name: str) -> str:
    r"""A name or path as text that can be written down and, by `find_on_disk`, found again.

    Args:
        name: as the system gave it (os.fsdecode).

    Returns:
        The same where it is text. A part that is none is decoded where an encoding is likely; else its bytes are \xNN.

    Example:
        shown_name(os.fsdecode(b"\xbb\xa8/1.jpg"))  # "花/1.jpg"
    """
    return name if is_text(name) else "/".join(_shown_part(part) for part in name.split("/"))


def _shown_part(part: str) -> str:
    if is_text(part):
        return part
    data = os.fsencode(part)
    encoding = guess_encoding(data)
    try:
        text = data.decode(encoding or "ascii")
        if encoding in ENCODINGS and text.isprintable() and text.encode(encoding) == data:
            return text
    except UnicodeError:
        pass
    return data.decode("utf-8", "backslashreplace")


def find_on_disk(path: Path) -> Path:
    """Where a path lies whose parts may be called otherwise on the disk; the path itself where there is none."""
    if path.exists() or path.is_symlink():
        return path
    found = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        found = next((place for place in _places(found, part) if place.exists() or place.is_symlink()), None) or path
        if found is path:
            return path
    return found


def _places(folder: Path, part: str) -> Iterable[Path]:
    yield folder / part
    for encoding in ENCODINGS:
        try:
            yield folder / os.fsdecode(part.encode(encoding))
        except UnicodeEncodeError:
            continue
    if ESCAPED.search(data := os.fsencode(part)):
        yield folder / os.fsdecode(ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), data))
