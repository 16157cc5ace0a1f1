"""Files that are replaced in one step and outlive a power cut. Whatever must be there afterwards is written from here.

A file system keeps what it is given in any order, until it is told to wait: a new name may reach the disk before the
bytes behind it, and a file that was written minutes ago may be empty after a power cut. So bytes are synced before
their name is, and the folder that has the name before anything that leans on the file is written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import HALVES, ConfigError, PictaxaError

PARTIAL = "partial-"  # how the name of a file begins that is not whole yet


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replace a file in one step: a reader sees the old or the new one, never half, even after a power cut.

    Args:
        path: the file; its folder is there.

    Yields:
        Where to write the new file. Once the block ends without an error it is on the disk, under its own name.

    Raises:
        OSError: it can't be written; what was there stays.

    Example:
        with replacing(run.index_path) as partial:
            pq.write_table(table, partial)
    """
    partial = path.with_name(PARTIAL + path.name)
    try:
        yield partial
        sync_file(partial)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):  # half a file on a full disk
            partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by a text, as `replacing` does.

    Args:
        path: the file; its folder is there.
        text: what it is to hold, in UTF-8.

    Raises:
        OSError: it can't be written; what was there stays.
    """
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def make_folder(path: Path) -> None:
    """Make a folder, and those that it is to lie in, so that they outlive a power cut; one that is there stays.

    Args:
        path: the folder.

    Raises:
        OSError: it can't be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_folder(folder.parent)


def sync_file(path: Path) -> None:
    """Wait until a file's bytes are on the disk."""
    with path.open("r+b") as file:  # Windows syncs only what may be written
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until a folder's names are on the disk; Windows keeps names in order by itself, and opens no folder."""
    if os.name == "nt":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network shares sync no folders
            raise
    finally:
        os.close(folder)


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


def require_suffix(path: Path, *suffixes: str, flag: str) -> None:
    """Make sure, before the work, that a file's name ends in what it will hold.

    Args:
        path: the file that is to be written.
        suffixes: those that it may have, such as ".png", in any case.
        flag: the flag that names it.

    Raises:
        ConfigError: it has another.

    Example:
        require_suffix(Path("curves.png"), ".png", flag="--out")
    """
    if path.suffix.lower() not in suffixes:
        told = " or ".join(suffixes)
        raise ConfigError(
            f"{flag} with the suffix {told}", found=repr(str(path)), fix=f"End the file's name in {told}."
        )


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
