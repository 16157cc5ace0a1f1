"""Lines that people read: the one place from which anything is printed."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable
from html import escape
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from ..errors import printable
from .language import shown


def show_everything() -> None:
    """Let standard output and error show escapes for what their encoding lacks, whoever writes to them.

    For a program that owns them, at its start: a console of Windows may be cp1252, in which Chinese can't be written,
    and lines also come from libraries. Where a program has put something else in their place, this does nothing.
    """
    for file in (sys.stdout, sys.stderr):
        if isinstance(file, TextIOWrapper):
            file.reconfigure(errors="backslashreplace")


def print_line(text: str, *, file: TextIO | None = None, verbatim: bool = False) -> None:
    """Print a text as one line, whatever names are in it, on a terminal of any encoding.

    Args:
        text: what can't be shown of it becomes escapes, as do characters that the terminal's encoding lacks.
        file: where to, by default standard output.
        verbatim: the text is data or a page and no message, so it is not translated.

    Example:
        print_line(f"set aside {path}")
    """
    file = file or sys.stdout
    print(encodable(printable(text if verbatim else shown(text)), file), file=file, flush=True)


def encodable(text: str, file: TextIO) -> str:
    """The text with escapes in the place of characters that a file's encoding lacks."""
    encoding = getattr(file, "encoding", None) or "utf-8"  # one that a program puts in its place may have none
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_lines(lines: Iterable[str]) -> None:
    """Print each text as `print_line` does, as soon as it comes.

    Args:
        lines: texts of one line.
    """
    for line in lines:
        print_line(line)


def lines_html(lines: Iterable[str]) -> str:
    """Lines as a notebook shows them: aligned as on a terminal, and text whatever names are in them.

    Args:
        lines: texts of one line.

    Returns:
        An HTML element.
    """
    return f"<pre>{escape(chr(10).join(printable(shown(line)) for line in lines))}</pre>"


def picture_html(path: Path) -> str:
    """A PNG as a notebook shows it.

    Args:
        path: of the PNG, which is read now.

    Returns:
        An HTML element with the picture in it.
    """
    return f'<img src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'
