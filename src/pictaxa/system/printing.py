"""Lines that people read: the one place from which anything is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from ..errors import printable


def print_line(text: str, *, file: TextIO | None = None) -> None:
    """Print a text as one line, whatever names are in it, on a terminal of any encoding.

    Args:
        text: what can't be shown of it becomes escapes, as do characters that the terminal's encoding lacks.
        file: where to, by default standard output.

    Example:
        print_line(f"set aside {path}")
    """
    file = file or sys.stdout
    encoding = file.encoding or "utf-8"
    print(printable(text).encode(encoding, "backslashreplace").decode(encoding), file=file, flush=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print each text as `print_line` does, as soon as it comes.

    Args:
        lines: texts of one line.
    """
    for line in lines:
        print_line(line)
