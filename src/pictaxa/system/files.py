"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigError


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old or the new text, never half of it.

    Args:
        path: the file; its folder is there.
        text: what it is to hold, in UTF-8.

    Raises:
        OSError: it can't be written; what was there stays.
    """
    partial = path.with_name(f"partial-{path.name}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


@contextmanager
def writing(path: Path, *, flag: str) -> Iterator[None]:
    """Tell a place that can't be written as a mistake in the flag that named it.

    Args:
        path: the file that is written within.
        flag: such as --out.

    Raises:
        ConfigError: an OSError came up within.

    Example:
        with writing(path, flag="--json"):
            path.write_text(text)
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            "a place to write", found=f"{str(path)!r}: {error.strerror}", fix=f"Give another path with {flag}."
        ) from None
