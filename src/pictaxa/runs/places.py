"""Where a new run goes: a free place with a readable name, and for as long as it trains no other process's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from ..errors import RunError
from ..system.files import PARTIAL, make_folder, require_utf8, sync_folder
from .folder import CLASSES, CONFIG, PICTURES, Run
from .writer import LOCK, WRITER, only_writer, require_no_writer

# What a training writes before config.json, with which the folder becomes a run. What was killed until then left these.
BEFORE_CONFIG = (CLASSES, PICTURES, Run(Path()).index_path.name, LOCK, WRITER)


def create_run(path: Path) -> Run:
    """Make a new run folder.

    Args:
        path: a folder that is not there yet, or is empty, or of a training that ended before anything was saved.

    Returns:
        The Run, without any file.

    Raises:
        RunError: something is at the path, or it can't be written.
    """
    require_utf8(path, RunError)
    if path.is_dir() and not saved_nothing(path):
        require_no_writer(path)
    if path.exists() and not (path.is_dir() and saved_nothing(path)):
        goes_on = f", or continue it with --resume {path}" if (path / CONFIG).exists() else ""
        raise RunError(
            "a new or empty folder to train into", found=f"something at {str(path)!r}",
            fix=f"Choose another --out, {'' if goes_on else 'or '}remove it{goes_on}.",
        )  # fmt: skip
    try:
        make_folder(path)
        sync_folder(path.parent)
    except OSError as error:
        raise RunError(
            "a folder to train into", found=f"{str(path)!r}: {error.strerror}", fix="Choose another --out."
        ) from None
    return Run(path)


def saved_nothing(path: Path) -> bool:
    """Whether a folder is empty, or has only what a training leaves that was killed before config.json was written."""
    return all(entry.name in BEFORE_CONFIG or entry.name.startswith(PARTIAL) for entry in path.iterdir())


def require_begun(path: Path) -> None:
    """RunError for a run folder whose training ended before anything was saved, with how to begin it anew."""
    if path.is_dir() and saved_nothing(path):
        require_no_writer(path)
        raise RunError(
            "a training that has saved something", found=f"nothing saved yet in {str(path)!r}",
            fix=f"Begin it again with the same command as before: pictaxa train DATA ... --out {path}",
        )  # fmt: skip


@contextmanager
def new_run(path: Path) -> Iterator[Run]:
    """Make a run folder that this process alone trains in.

    Args:
        path: as for `create_run`.

    Yields:
        The Run. Where it ends before its config.json is written, what there is of it goes again.

    Raises:
        RunError: as `create_run` does, or another process trains in the folder.

    Example:
        with new_run(Path("runs/one")) as run:
            train(run)
    """
    was_there = path.exists()
    with _alone(create_run(path), made=not was_there) as run:
        yield run


@contextmanager
def next_run(data: Path, model: str) -> Iterator[Run]:
    """Make a run folder with the next free name (see `next_run_path`), as `new_run` does."""
    while True:
        path = next_run_path(data, model)
        try:
            make_folder(path.parent)
            path.mkdir()
        except FileExistsError:  # another training has just taken the name
            continue
        break
    with _alone(create_run(path), made=True) as run:
        yield run


@contextmanager
def _alone(run: Run, *, made: bool) -> Iterator[Run]:
    path = run.path
    try:
        with only_writer(path):
            try:
                yield run
            finally:
                if not (path / CONFIG).exists():
                    _remove_unsaved(path)
    finally:
        if made and path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _remove_unsaved(path: Path) -> None:
    """Remove what was written before config.json."""
    for entry in path.glob("*"):
        if entry.name not in (LOCK, WRITER) and (entry.name in BEFORE_CONFIG or entry.name.startswith(PARTIAL)):
            entry.unlink(missing_ok=True)


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
