"""Ctrl-C in a training: handled between two steps, so that the saved state is complete."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..runs.folder import Run


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or a notebook's interrupt: everything is saved in `run`.

    A KeyboardInterrupt, so that no `except Exception` of a caller's loop takes it for one training that failed.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"stopped; nothing is lost. Continue with pictaxa.train(resume={str(run.path)!r})")


@contextmanager
def interrupt_flag() -> Iterator[threading.Event]:
    """Ctrl-C (and a polite kill) set a flag that the loop looks at between steps; a second one stops at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag  # signals are the main thread's
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
