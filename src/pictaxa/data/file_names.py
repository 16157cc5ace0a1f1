"""Names of files as text. A name on a disk is bytes; one that is no UTF-8 comes from a system with another encoding.

A zip made on a Chinese Windows and unpacked on Linux has names in GBK. They are decoded where that is sound, and found
again by encoding them: nothing else needs to be remembered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# In the order in which they are tried; GBK and its extension GB18030 are the usual one.
ENCODINGS = ("gb18030", "shift_jis", "big5", "euc_kr", "cp1251", "cp1252")
# Of a name that was decoded with the right one: what is typed into names, and nothing of private or rare blocks.
SOUND = {
    "gb18030": re.compile(r"[ -~\u4e00-\u9fa5\u3000-\u303f\uff01-\uff5e·—…“”‘’]+"),
    "shift_jis": re.compile(r"[ -~\u3040-\u30ff\u4e00-\u9fa5\u3000-\u303f\uff01-\uff5e]+"),
    "big5": re.compile(r"[ -~\u4e00-\u9fa5\u3000-\u303f\uff01-\uff5e]+"),
    "euc_kr": re.compile(r"[ -~\uac00-\ud7a3\u4e00-\u9fa5]+"),
    "cp1251": re.compile(r"(?!.*[A-Za-z][\u0400-\u045f]|.*[\u0400-\u045f][A-Za-z])[ -~\u0400-\u045f]+"),
    "cp1252": re.compile(r"[ -~\u00a1-\u00ff\u0152\u0153\u0178\u20ac]+"),
}
# Between Latin letters one letter of another script is an accented one in another encoding.
LONE = re.compile(r"[A-Za-z][\u0400-\u045f\u3040-\u30ff\u4e00-\u9fa5\uac00-\ud7a3][A-Za-z]")
ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
KANA = re.compile(r"[\u3040-\u30ff]")


def is_text(name: str) -> bool:
    """Whether a name can be written down: Python keeps bytes that are no UTF-8 as halves of surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def shown_name(name: str) -> str:
    r"""A name or path as text that can be written down and, by `find_on_disk`, found again.

    Args:
        name: as the system gave it (os.fsdecode).

    Returns:
        The same where it is text. Each part that is none is decoded by the first of ENCODINGS in which it is sound, or
        has its bytes as \xNN.

    Example:
        shown_name(os.fsdecode(b"\xbb\xa8/1.jpg"))  # "花/1.jpg"
    """
    return name if is_text(name) else "/".join(_shown_part(part) for part in name.split("/"))


def _shown_part(part: str) -> str:
    if is_text(part):
        return part
    data = os.fsencode(part)
    decoded = dict(_readings(data))
    if not decoded:
        return data.decode("utf-8", "backslashreplace")
    # Kana is the mark of Japanese; what GBK makes of it are rare characters.
    japanese = decoded.get("shift_jis", "")
    return japanese if KANA.search(japanese) else next(iter(decoded.values()))


def _readings(data: bytes) -> Iterator[tuple[str, str]]:
    """(encoding, text) of each in which the bytes make a sound name, and from which they come back."""
    for encoding in ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if SOUND[encoding].fullmatch(text) and not LONE.search(text) and text.encode(encoding) == data:
            yield encoding, text


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
