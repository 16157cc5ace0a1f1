"""Labels as people type them to names of classes: what can't be seen makes no difference, and what only looks alike is
refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import pyarrow as pa

# Without a width: they come along with what is copied from web pages and spreadsheets. The joiners belong to words of
# Persian and Indian scripts and to emoji, so they count for nothing at the ends only.
INVISIBLE = "\u200b\u2060\ufeff\u00ad\u200e\u200f"
JOINERS = "\u200c\u200d"
BLANKS = re.compile(r"\s+")
# Cyrillic and Greek letters that are drawn like Latin ones (Unicode's confusables of one letter, of these scripts).
LOOK_ALIKE = str.maketrans("аеорсухіјѕһԁԛԝνοακτρ", "aeopcyxijshdqwvoaktp")


def clean_label(label: str) -> str:
    r"""The name of a class as it is kept: composed, without what has no width, and without blanks at its ends.

    Args:
        label: as it stands in a table, or as a folder is called.

    Returns:
        The name; "" where nothing is left.

    Example:
        clean_label("cat\u00a0")  # "cat"
    """
    # The same name typed on a Mac (decomposed) and elsewhere (composed) is the same class.
    seen = unicodedata.normalize("NFC", label).translate(dict.fromkeys(map(ord, INVISIBLE)))
    while seen != (seen := seen.strip().strip(JOINERS)):
        pass
    return seen


def clean_labels(labels: pa.Array) -> tuple[pa.Array, list[tuple[str, str]]]:
    """The labels of (n,) rows as they are kept, and (as it stands, as it is kept) of those that lost blanks."""
    distinct = labels.fill_null("").dictionary_encode()
    values = distinct.dictionary.to_pylist()
    kept = [clean_label(value) for value in values]
    changed = [
        (value, name) for value, name in zip(values, kept, strict=True) if unicodedata.normalize("NFC", value) != name
    ]
    return pa.array(kept, type=pa.string()).take(distinct.indices), changed


def look_of(name: str, *, folds_case: bool = True) -> str:
    """What two names share that a reader could not tell apart: case, width, blanks within, letters drawn alike."""
    wide = unicodedata.normalize("NFKC", name).translate(dict.fromkeys(map(ord, JOINERS)))
    wide = BLANKS.sub(" ", wide).strip()
    return wide.casefold().translate(LOOK_ALIKE) if folds_case else wide


def visible(name: str) -> str:
    """A name in quotes, with its odd blanks and what has no width told apart from nothing and from a single blank."""
    shown = re.sub(r"[^\S ]|[\u200c\u200d]", lambda match: f"<U+{ord(match[0]):04X}>", name)
    return repr(re.sub(r" {2,}", lambda match: "␣" * len(match[0]), shown))


def find_twins(names: Iterable[str], *, folds_case: bool = True) -> tuple[str, str] | None:
    """The first two names that look the same; None where each can be told from the others."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(look_of(name, folds_case=folds_case), name)
        if twin != name:
            return twin, name
    return None
