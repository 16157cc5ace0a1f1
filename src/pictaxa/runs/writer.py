"""One run, one writer: who trains in a run folder, so that nobody else does at the same time.

A lock of the system's holds for as long as its process lives, however that ends; beside it a file says who has it, for
whoever comes second. A file that was left without its lock is of a process that died. On another host's file the lock
tells nothing, as network file systems may not carry it from host to host: there a person has to decide.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import RunError
from ..system.files import write_atomically

LOCK, WRITER = "writer.lock", "writer.json"


@dataclass(frozen=True)
class Writer:
    """A process that trains in a run folder, as WRITER keeps it."""

    pid: int
    host: str
    since: str  # local time, such as 2026-11-28 09:30:00

    @property
    def told(self) -> str:
        """In words."""
        where = "this machine" if self.host == platform.node() else f"the machine {self.host!r}"
        return f"process {self.pid} on {where}, since {self.since}"


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Be the one process that writes in a run folder, or say who is.

    Args:
        path: the run's folder, which is there.

    Raises:
        RunError: another process writes in it, or did so on another machine and left no sign of its end.

    Example:
        with only_writer(run.path):
            train(...)
    """
    lock = FileLock(path / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        writer = _read(path)
        raise RunError(
            "a run that no other process is training",
            found=f"{writer.told if writer else 'another process'} in {str(path)!r}",
            fix="Wait until it has ended or stop it, or train into another --out.",
        ) from None
    try:
        _require_ours(path)
        now = datetime.now().isoformat(sep=" ", timespec="seconds")
        write_atomically(path / WRITER, json.dumps(asdict(Writer(os.getpid(), platform.node(), now))))
        try:
            yield
        finally:
            with suppress(OSError):
                (path / WRITER).unlink(missing_ok=True)
    finally:
        # Removed while it is held: who opened it before finds a file without a name, and no lock on that counts.
        with suppress(OSError):
            (path / LOCK).unlink(missing_ok=True)
        lock.release()


def require_no_writer(path: Path) -> None:
    """RunError where a process trains in a run folder; one that nobody ever trained in is not touched."""
    if (path / WRITER).exists():
        with only_writer(path):
            pass


def _require_ours(path: Path) -> None:
    """RunError for the file of a process on another machine, which may still run."""
    writer = _read(path)
    if writer is not None and writer.host != platform.node():
        raise RunError(
            "a run that no other process is training",
            found=f"{writer.told} in {str(path)!r}, and from here it can't be seen whether that still runs",
            fix=f"If it does not, remove {path / WRITER} and run this command again.",
        )


def _read(path: Path) -> Writer | None:
    """What the file says; None where there is none that is whole."""
    try:
        writer = Writer(**json.loads((path / WRITER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    whole = isinstance(writer.pid, int) and isinstance(writer.host, str) and isinstance(writer.since, str)
    return writer if whole else None
