"""Fonts for names in any script: of each character the first installed font that has it, and escapes for the rest.

matplotlib takes a list of families and, character by character, the first of them that has a glyph.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from matplotlib import font_manager, get_data_path
from matplotlib.ft2font import FT2Font

from ..errors import one_line

OWN = "DejaVu Sans"  # which matplotlib brings; it has Latin, Greek, Cyrillic, Arabic and signs, no Chinese and no emoji

# Fonts with Chinese glyphs, as systems have them.
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei", "Heiti SC", "Arial Unicode MS",
)  # fmt: skip


def font_for(texts: Iterable[str]) -> font_manager.FontProperties:
    """Find fonts that can write the texts; matplotlib's own where no other is needed.

    Args:
        texts: all that is to be written with it.

    Returns:
        The font, as a list of families.
    """
    needed = {OWN: None}
    for character in sorted({character for text in texts for character in one_line(text)}):
        family = _family_with(character)
        if family is not None:
            needed[family] = None
    return font_manager.FontProperties(family=[*needed])


def writable(texts: Sequence[str]) -> list[str]:
    """The texts, with characters that no installed font has as their code points: never as empty boxes."""
    return ["".join(c if c == " " or _family_with(c) else f"\\u{ord(c):04x}" for c in one_line(text)) for text in texts]


def has_wide(text: str) -> bool:
    """Whether a text has Chinese, Japanese or Korean characters (Unicode's East Asian Width), which stay upright."""
    return any(unicodedata.east_asian_width(character) in "WF" for character in text)


def is_upright(text: str) -> bool:
    """Whether a text can be written downwards, one character below the other: nothing but wide ones and digits.

    Args:
        text: a name.

    Returns:
        Whether it can.

    Example:
        is_upright("玫瑰"), is_upright("rose"), is_upright("玫瑰 rose")  # (True, False, False)
    """
    return has_wide(text) and all(has_wide(character) or character.isdecimal() for character in text)


@cache
def _family_with(character: str) -> str | None:
    """The first family that has a character; None if none has."""
    return next((family for family, file in _fonts() if ord(character) in _characters(file)), None)


def _fonts() -> Iterator[tuple[str, str]]:
    """(family, file) of the fonts that may be used, the usual ones first; as few are opened as will do."""
    yield OWN, str(font_manager.findfont(OWN))
    # Of matplotlib's own the others are for formulas, by codes of their own, and one that has a box for everything.
    installed = {
        font.name: str(font.fname)
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and font.weight in (400, "normal", "regular") and font.stretch == "normal"
        and not Path(font.fname).is_relative_to(get_data_path())
    }  # fmt: skip
    yield from ((family, installed[family]) for family in CHINESE_FONTS if family in installed)
    yield from _packaged()
    yield from ((family, installed[family]) for family in sorted(installed.keys() - {OWN, *CHINESE_FONTS}))


@cache
def _packaged() -> tuple[tuple[str, str], ...]:
    """Those of the `chinese` extra; made known to matplotlib, which finds families among the fonts that it knows."""
    # The package is looked for and not imported: importing it changes matplotlib's settings.
    package = importlib.util.find_spec("zhplot")
    if not package or not package.origin:
        return ()
    files = [str(file) for file in sorted((Path(package.origin).parent / "fonts").glob("*.ttf"))]
    for file in files:
        font_manager.fontManager.addfont(file)
    return tuple((FT2Font(file).family_name, file) for file in files)


@cache
def _characters(file: str) -> frozenset[int]:
    """The code points that a font has; none of one that can't be read."""
    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
