"""Which files a command is given: by their names, in a list, or on standard input."""

# ruff: noqa: PTH110, PTH112  (pathlib's exists and is_dir raise where a name is too long)
from __future__ import annotations

import os
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from os.path import exists, isdir
from pathlib import Path

from ..data.file_names import shown_name
from ..errors import ConfigError
from ..images.decode import Picture, read_file
from ..inference.inputs import named_pictures

Named = tuple[str, Callable[[], Picture]]  # what a picture is called, and what reads it

STANDARD_INPUT = Path("-")


def pictures_of(words: Sequence[Path]) -> Iterator[Named]:
    """Find the pictures that are meant, those of a list as its lines come.

    Args:
        words: files; folders, zip and tar files, for the pictures in them; @FILE for a list and - for standard input,
            with one such path a line. A file that is there is meant itself, though its name begins with @.

    Returns:
        An iterator over (name, what gives the bytes). What stands in a list and is not there is among them: its reason
        is told in its turn.

    Raises:
        ConfigError: there is nothing at a path, or no such list; raised at once, before any file is looked at.

    Example:
        predictions = predictor.judge(pictures_of([Path("holiday.jpg"), Path("@list.txt")]))
    """
    given = []  # (path, whether it is a list)
    for word in words:
        at = str(word).startswith("@") and not exists(word)
        path, is_list = (Path(str(word)[1:]), True) if at else (word, word == STANDARD_INPUT)
        if path != STANDARD_INPUT and (not exists(path) or (is_list and isdir(path))):
            expected = "a list of paths" if is_list else "files and folders that are there"
            found = f"{'a folder' if exists(path) else 'nothing'} at {str(path)!r}"
            raise ConfigError(expected, found=found, fix="Check the path.")
        given.append((path, is_list))
    return _found(given)


def _found(given: Sequence[tuple[Path, bool]]) -> Iterator[Named]:
    for path, is_list in given:
        if not is_list:
            yield from named_pictures([path])
        elif path == STANDARD_INPUT:
            yield from _listed(sys.stdin.buffer)
        else:
            with path.open("rb") as file:
                yield from _listed(file)


def _listed(lines: Iterable[bytes]) -> Iterator[Named]:
    """The pictures of a list's lines; blank ones are passed over, as is the mark that Windows' Notepad begins with."""
    for number, line in enumerate(lines):
        name = os.fsdecode((line.removeprefix(BOM_UTF8) if number == 0 else line).rstrip(b"\r\n"))
        if exists(name):
            yield from named_pictures([name])
        elif name:
            yield shown_name(name), partial(read_file, name)
