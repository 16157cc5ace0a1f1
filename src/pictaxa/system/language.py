"""The language in which people are told things: English, or Chinese by a catalogue.

A message is written once, in English, as an f-string where it arises. Where it is shown to a person, its template is
found again in the catalogue of `messages/zh/`, and the Chinese one is filled with what stood in its fields, which may
be messages themselves. So whoever writes a message thinks of no other language, exceptions and files are the same for
every program, and a test that reads the source names each message without a translation. With gettext every f-string
would become a call with named fields.

A file of the catalogue is a CSV with rows of an English template and its translation, in the form of `str.format` with
numbered fields. `help.csv` has what --help shows, `common.csv` short pieces and what libraries say, `tables.csv` the
heads of tables, two blanks between their cells and a > before one that ends where its column ends; each of the others
has the messages of one package.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
VARIABLE = "PICTAXA_LANGUAGE"
CATALOGUE = Path(__file__).resolve().parent.parent / "messages" / "zh"
DEPTH = 6  # of messages within messages
CERTAIN = 10  # letters in common with a text, or columns at its beginning, that make a template certain to be meant
FIELD = re.compile(r"\{(\d+)\}")
CELL = re.compile(r"\S+(?: \S+)*")  # of a table's head
# Between messages that stand beside each other in one text, and what takes their place, outermost first.
SEPARATORS = (
    (re.compile(r"(?<=[.!?]) +"), ""),
    (re.compile("; "), "；"),
    (re.compile(", "), "，"),
    (re.compile(": "), "："),
)


@dataclass(frozen=True)
class Template:
    """A message with fields: what stands between these, and the translation with fields of the same numbers."""

    fixed: tuple[str, ...]  # one more than there are fields; what stands before the first and after the last included
    fields: tuple[int, ...]  # their numbers, in the order of the English text
    translation: str

    @property
    def weight(self) -> int:
        """How much of a text it explains: of several that match, the heaviest is meant."""
        return sum(map(len, self.fixed))

    @property
    def is_certain(self) -> bool:
        """Whether a text that matches can hardly be another message."""
        return sum(map(str.isalpha, "".join(self.fixed))) >= CERTAIN or len(self.fixed[0]) >= CERTAIN

    def filled(self, fields: Mapping[int, str]) -> str:
        """The translation of a message with these fields."""
        return FIELD.sub(lambda field: fields[int(field[1])], self.translation)

    def match(self, text: str) -> dict[int, str] | None:
        """What stands in the fields, each as short as it may be; None where the text is no such message.

        Without backtracking, so that no text, whoever's file name is in it, takes more than one pass.
        """
        first, last = self.fixed[0], self.fixed[-1]
        if not text.startswith(first) or not text.endswith(last):
            return None
        found, at = {}, len(first)
        for number, fixed in zip(self.fields, self.fixed[1:-1], strict=False):
            end = text.find(fixed, at)
            if end < 0:
                return None
            found[number], at = text[at:end], end + len(fixed)
        if self.fields:
            if len(text) - len(last) < at:
                return None
            found[self.fields[-1]] = text[at : len(text) - len(last)]
        elif len(text) != len(first):
            return None
        return found


def language() -> Language:
    """The language in which messages are shown.

    Returns:
        That of PICTAXA_LANGUAGE (--language sets it), else Chinese where the system is set to it, else English.

    Example:
        os.environ["PICTAXA_LANGUAGE"] = "zh"
        language()  # "zh"
    """
    asked = os.environ.get(VARIABLE, "")
    for known in LANGUAGES:
        if asked == known:
            return known
    # As POSIX has them, the first one that is set; Windows has none of these, and names its languages otherwise.
    named = next(filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    if not named and os.name == "nt":
        import locale

        named = locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"


@contextmanager
def speaking(wanted: Language) -> Iterator[None]:
    """Show messages in a language within, whatever the system is set to, in processes that are started there too.

    Args:
        wanted: "en" or "zh".

    Example:
        with speaking("zh"):
            main(["train", "photos"])
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = wanted
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def shown(text: str) -> str:
    """A message in the language in which messages are shown; what is no message stays as it is.

    Args:
        text: an English message.

    Example:
        shown("interrupted")
    """
    return text if language() == "en" else "\n".join(map(_translated, text.split("\n")))


@lru_cache(maxsize=4096)
def _translated(text: str, *, depth: int = DEPTH) -> str:
    core = text.strip(" ")
    if not depth or not re.search("[A-Za-z]{2}", core):
        return text
    if core != text:  # a cell of a table keeps its width
        return _as_wide(_translated(core, depth=depth), core, text)
    exact, templates = catalogue()
    if text in exact:
        return exact[text]
    if "  " in text and (head := exact.get("  ".join(CELL.findall(text)))):
        return _as_head(head, text)
    for template in templates:
        fields = template.match(text)
        if fields is not None:
            inner = {number: _translated(field, depth=depth - 1) for number, field in fields.items()}
            if template.is_certain or all(_is_plain(field, inner[number]) for number, field in fields.items()):
                return template.filled(inner)
    if text[0].isupper() and text.endswith("."):  # a sentence made of a phrase
        phrase = text[0].lower() + text[1:-1]
        said = _translated(phrase, depth=depth - 1)
        if said != phrase:
            return said + "。"
    return _in_parts(text, depth=depth)


def _is_plain(field: str, translated: str) -> bool:
    """Whether what stands in a field is a name, a number or a message, rather than more words of the same sentence."""
    return " " not in field or field.startswith(("'", '"')) or translated != field


def _as_head(translated: str, text: str) -> str:
    """The head of a table with each cell where its original begins, or, with a > before it, ends."""
    line, width = "", 0
    for cell, place in zip(translated.split("  "), CELL.finditer(text), strict=True):
        said = cell.removeprefix(">")
        wanted = place.end() - _columns(said) if cell != said else place.start()
        blanks = max(wanted - width, 1 if line else 0)
        line, width = line + " " * blanks + said, width + blanks + _columns(said)
    return line


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for each Chinese character."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _as_wide(translated: str, core: str, text: str) -> str:
    """A translation with the blanks around its original, fewer or more of them by what it is wider or narrower."""
    before, after = text[: len(text) - len(text.lstrip(" "))], text[len(text.rstrip(" ")) :]
    spare = len(core) - _columns(translated)
    if after:
        return before + translated + " " * max(1, len(after) + spare)
    return " " * max(0, len(before) + spare) + translated


def _in_parts(text: str, *, depth: int) -> str:
    """Messages beside each other, each by itself; the text as it is where none of its parts is known.

    A part of one word is left alone: in a list it is a name.
    """
    for separator, mark in SEPARATORS:
        parts = separator.split(text)
        if len(parts) > 1:
            inner = [_translated(part, depth=depth - 1) if " " in part else part for part in parts]
            if inner != parts:
                return mark.join(inner)
    return text


@cache
def catalogue() -> tuple[dict[str, str], tuple[Template, ...]]:
    """All translations: of texts without fields, and templates with fields, the heaviest first."""
    exact, templates = {}, []
    for file in sorted(CATALOGUE.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as rows:
            for english, chinese in csv.reader(rows):
                if FIELD.search(english):
                    templates.append(_template(english, chinese))
                else:
                    exact[_unescaped(english)] = _unescaped(chinese)
    return exact, tuple(sorted(templates, key=lambda template: template.weight, reverse=True))


def _template(english: str, chinese: str) -> Template:
    pieces = FIELD.split(english)
    return Template(tuple(map(_unescaped, pieces[::2])), tuple(map(int, pieces[1::2])), _unescaped(chinese))


def _unescaped(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")
