"""Which files a command is given: by their names, in a list, or on standard input."""

from __future__ import annotations

import os
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import ConfigError
from ..inference.predictor import walk

STANDARD_INPUT = Path("-")


def pictures_of(words: Sequence[Path]) -> Iterator[Path]:
    """Find the files that are meant, those of a list as its lines come.

    Args:
        words: files; folders, for the pictures below them; @FILE for a list and - for standard input, with the path of
            a file or folder a line. A file that is there is meant itself, though its name begins with @.

    Returns:
        An iterator over the files. What stands in a list and is not there is among them: it is told in its turn.

    Raises:
        ConfigError: there is nothing at a path, or no such list; raised at once, before any file is looked at.

    Example:
        files = list(pictures_of([Path("holiday.jpg"), Path("@list.txt")]))
    """
    for word in words:
        place = _list_of(word) or word
        if word != STANDARD_INPUT and not place.exists():
            raise ConfigError(
                "files and folders that are there", found=f"nothing at {str(place)!r}", fix="Check the path."
            )
        if _list_of(word) and not place.is_file():
            raise ConfigError("a list of paths", found=f"a folder at {str(place)!r}", fix="Leave out the @.")
    return _found(words)


def _found(words: Sequence[Path]) -> Iterator[Path]:
    for word in words:
        if word == STANDARD_INPUT:
            yield from _listed(sys.stdin.buffer)
        elif place := _list_of(word):
            with place.open("rb") as file:
                yield from _listed(file)
        else:
            yield from walk([word])


def _list_of(word: Path) -> Path | None:
    """The list that @FILE means."""
    return Path(str(word)[1:]) if str(word).startswith("@") and not word.exists() else None


def _listed(lines: Iterable[bytes]) -> Iterator[Path]:
    """The files of a list's lines; blank ones are passed over, as is the mark that Windows' Notepad begins with."""
    for number, line in enumerate(lines):
        name = os.fsdecode((line.removeprefix(BOM_UTF8) if number == 0 else line).rstrip(b"\r\n"))
        if Path(name).is_dir() and name:
            yield from walk([name])
        elif name:
            yield Path(name)
