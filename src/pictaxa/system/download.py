"""Downloads a published file once: resumed when interrupted, verified before use, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock

from ..errors import FetchError
from .progress import DownloadProgress

TRIES = 5  # without a single new byte
WAIT_SECONDS = 1.0  # before the second try; twice as long before each further one
SILENCE_SECONDS = 30.0  # after which a connection counts as cut
BLOCK_BYTES = 1 << 18


def fetch(address: str, folder: Path, *, digest: str) -> Path:
    """Fetch a published file into a folder, unless it is there.

    What is there is checked as well: it may have been put there by hand.

    Args:
        address: its URL; the last part names the file.
        folder: where it is kept; made where it is not there.
        digest: ALGORITHM:HEX, such as sha256:5c10...; the hex may be the digest's beginning.

    Returns:
        The file's path.

    Raises:
        FetchError: it can't be fetched or kept, or is another file than was published.
    """
    path = folder / address.rpartition("/")[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{path.name}.lock"):
            if not path.exists():
                partial = path.with_name(f"{path.name}.partial")
                _receive(address, partial, path)
                _check(partial, digest, remedy="It was removed: try again.", remove=True)
                os.replace(partial, path)
            else:
                _check(path, digest, remedy="Remove it so that it is downloaded again.", remove=False)
    except OSError as error:
        raise FetchError(
            "a folder for published files", found=f"{str(folder)!r}: {error.strerror or error}",
            fix="Free some space, or set PICTAXA_CACHE to another folder.",
        ) from None  # fmt: skip
    return path


def _receive(address: str, partial: Path, path: Path) -> None:
    """Append to the partial file until the server says that it is whole."""
    tries, wait_seconds = 0, WAIT_SECONDS
    with DownloadProgress(path.name) as progress:
        while True:
            before = _bytes_of(partial)
            try:
                if _receive_once(address, partial, progress):
                    return
                problem = "the connection was cut"
            except HTTPError as error:
                if error.code == 416:  # asked for what lies beyond its end: the partial file is not of this one
                    partial.unlink(missing_ok=True)
                elif error.code < 500:
                    raise _unreachable(address, path, f"{error.code} {error.reason}") from None
                problem = f"{error.code} {error.reason}"
            except (HTTPException, TimeoutError, ConnectionError) as error:
                problem = f"the connection was cut ({type(error).__name__})"
            except OSError as error:  # urllib's URLError: no such host, refused, no route
                if not hasattr(error, "reason"):
                    raise  # the disk's
                problem = str(error.reason)
            if _bytes_of(partial) > before:
                tries, wait_seconds = 0, WAIT_SECONDS
            tries += 1
            if tries >= TRIES:
                raise _unreachable(address, path, problem)
            progress.line(f"download  {problem}; trying again in {wait_seconds:.0f} s")
            time.sleep(wait_seconds)
            wait_seconds *= 2


def _receive_once(address: str, partial: Path, progress: DownloadProgress) -> bool:
    """One request for what is missing; whether the file is whole then."""
    have = _bytes_of(partial)
    request = Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    with urlopen(request, timeout=SILENCE_SECONDS) as answer:
        if have and answer.status != 206:  # the server begins anew whatever was asked
            have = 0
        total = _total(answer, have)
        with partial.open("ab" if have else "wb") as file:
            while block := answer.read(BLOCK_BYTES):
                file.write(block)
                have += len(block)
                progress.received(have, total)
    return total is None or have >= total


def _total(answer: Any, have: int) -> int | None:
    length = answer.headers.get("Content-Length")
    return have + int(length) if length and length.isdecimal() else None


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check(path: Path, digest: str, *, remedy: str, remove: bool) -> None:
    algorithm, _, expected = digest.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if not found.startswith(expected):
        if remove:
            path.unlink()
        raise FetchError(
            f"the published file, whose {algorithm} starts with {expected[:8]}",
            found=f"{str(path)!r} with {found[:8]}", fix=remedy,
        )  # fmt: skip


def _unreachable(address: str, path: Path, problem: str) -> FetchError:
    return FetchError(
        f"to download {address}", found=problem, fix=f"Try again, or download it elsewhere and put it at {str(path)!r}."
    )
