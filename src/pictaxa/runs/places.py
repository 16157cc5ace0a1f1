"""Where a new run goes: a free place with a readable name."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

from ..errors import RunError
from ..system.files import require_utf8
from .folder import Run


def create_run(path: Path) -> Run:
    """Make a new run folder.

    Args:
        path: a folder that is not there yet, or is empty.

    Returns:
        The Run, without any file.

    Raises:
        RunError: something is at the path, or it can't be written.
    """
    require_utf8(path, RunError)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(
            "a new or empty folder to train into",
            found=f"something at {str(path)!r}",
            fix=f"Choose another --out, remove it, or continue it with --resume {path}.",
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            "a folder to train into", found=f"{str(path)!r}: {error.strerror}", fix="Choose another --out."
        ) from None
    return Run(path)


def next_run_path(data: Path, model: str, *, parent: Path = Path("runs")) -> Path:
    """Name a new run after its pictures and its model.

    Args:
        data: the pictures, whose folder gives the first part of the name.
        model: a name of the zoo, the second part.
        parent: the folder that the run is to lie in.

    Returns:
        A path where nothing is yet, such as runs/flowers-resnet18-1.
    """
    name = re.sub(r"[\s/\\:]+", "-", f"{data.resolve().name or 'pictures'}-{model}")
    return free_path(parent / name)


def free_path(stem: Path) -> Path:
    """The first of STEM-1, STEM-2 and so on where nothing is."""
    paths = (stem.with_name(f"{stem.name}-{number}") for number in count(1))
    return next(path for path in paths if not path.exists())
