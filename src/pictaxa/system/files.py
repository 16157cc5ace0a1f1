"""Atomic file writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import HALVES, ConfigError, PictaxaError


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


def drop_partial(folder: Path) -> None:
    """Remove what was being written when something ended the writing, at any depth.

    Args:
        folder: where files were written as `write_atomically` does.
    """
    for partial in folder.rglob("partial-*"):
        partial.unlink(missing_ok=True)


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


def require_utf8(path: Path, error: type[PictaxaError]) -> None:
    """Refuse a place whose path is no UTF-8: Arrow and safetensors can't open it, and JSON can't name it.

    Args:
        path: of a run, or of a file to write. Data sets and pictures may have any names (data/file_names.py).
        error: the kind that is raised.

    Raises:
        PictaxaError: of that kind.
    """
    if HALVES.search(str(path.absolute())):
        raise error("a path that is valid UTF-8", found=repr(str(path)), fix="Rename the file or folder.")
