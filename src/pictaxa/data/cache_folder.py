"""Cache folders: where they are, a lock for writing, and the error when writing fails."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from ..errors import CacheError
from ..system.progress import say

ABOUT = "about.txt"  # in a cache's folder: the root of the data set that it is of


def default_cache_root() -> Path:
    """Where caches live: $PICTAXA_CACHE, else pictaxa in the user's cache folder.

    The latter is $XDG_CACHE_HOME or ~/.cache on Linux, ~/Library/Caches on macOS and %LOCALAPPDATA% on Windows. Where a
    cache of an earlier version is (on all systems in $XDG_CACHE_HOME or ~/.cache), it is used on.
    """
    if given := os.environ.get("PICTAXA_CACHE"):
        return Path(given)
    earlier = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pictaxa"
    usual = user_cache_path("pictaxa", appauthor=False)
    return earlier if earlier.is_dir() and not usual.is_dir() else usual


class CacheLock:
    """Hold the cache's lock; say so when another process has it."""

    def __init__(self, folder: Path) -> None:
        self._lock = FileLock(folder / "lock")
        self._folder = folder

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=0.2)
        except Timeout:
            say(f"waiting for another process that is building the cache {self._folder}")
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def disk_error(error: OSError, *, what: str, folder: Path, wanted_bytes: int) -> CacheError:
    """The error when the cache can't be written."""
    megabytes = wanted_bytes / 1e6
    other = "set PICTAXA_CACHE or --cache to a folder with room"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder if folder.exists() else folder.anchor).free / 1e6
        return CacheError(
            f"{megabytes:,.0f} MB of disk for {what}",
            found=f"{free:,.0f} MB free at {folder}",
            fix=f"Free some space, {other}, or train at a smaller --size.",
        )
    return CacheError(
        f"a folder to keep {what} in, {megabytes:,.0f} MB",
        found=f"{folder}: {error.strerror or error}",
        fix=f"Check its permissions, or {other}.",
    )
