"""Progress messages: a bar on a terminal, plain lines elsewhere, or logging records.

Who gives the logger `pictaxa` a handler of its own takes all of it: a server its log, a notebook nothing.

    logging.getLogger("pictaxa").addHandler(handler)         # records of the levels INFO and WARNING
    logging.getLogger("pictaxa").addHandler(logging.NullHandler())      # silence
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

LINE_SECONDS = 10.0  # between two plain lines


LOG = logging.getLogger("pictaxa")


def say(text: str) -> None:
    """One plain line, on standard output unless a handler takes it."""
    if LOG.handlers:
        _log(logging.INFO, text)
    else:
        print(text, flush=True)


def warn(text: str) -> None:
    """One plain line on standard error, unless a handler takes it."""
    if LOG.handlers:
        _log(logging.WARNING, text)
    else:
        print(text, file=sys.stderr, flush=True)


def _log(level: int, text: str) -> None:
    # By the handlers' own levels: the logger's is the root's until somebody sets it, which keeps all but warnings back.
    record = LOG.makeRecord(LOG.name, level, "", 0, text, (), None)
    for handler in LOG.handlers:
        if level >= handler.level:
            handler.handle(record)


@contextmanager
def silence() -> Iterator[None]:
    """Nothing is said within."""
    nothing = logging.NullHandler()
    LOG.addHandler(nothing)
    try:
        yield
    finally:
        LOG.removeHandler(nothing)


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class _Display:
    """A rich bar when standard output is a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._last_line = time.monotonic()
        if sys.stdout.isatty() and not LOG.handlers:
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(),
                TextColumn("{task.fields[text]}"),
            )  # fmt: skip
            self._task = self._bar.add_task("", total=1.0, text="")

    def __enter__(self) -> Any:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, what: str, text: str, *, progress: float) -> None:
        """Where it stands."""
        if self._bar:
            self._bar.update(self._task, completed=progress, description=what, text=text)
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            say(f"{what} {progress:4.0%}  {text}")

    def line(self, text: str) -> None:
        """A line that stays."""
        if self._bar:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            self._last_line = time.monotonic()
            say(text)


class DecodeProgress(_Display):
    """Shows how far decoding is; called as data/cache.py's Progress."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` pictures are decoded."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        self.show("decode", f"{done} of {total}  {done / seconds:.0f} pictures/s", progress=done / total)
        if done == total:
            self.line(f"decoded   {total} pictures in {seconds:.1f} s, {total / seconds:.0f}/s")


class CountProgress(_Display):
    """Shows how many of a known number of things are done."""

    def __init__(self, what: str, *, total: int) -> None:
        super().__init__()
        self._what = what
        self._total = total
        self._done = 0
        self._started = time.monotonic()

    def count(self, more: int = 1) -> None:
        """So many more are done."""
        self._done += more
        self.show(self._what, f"{self._done} of {self._total}", progress=self._done / max(self._total, 1))

    def finished(self, of: str = "pictures") -> None:
        """A line that says how long all of them took."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        self.line(f"{self._what:9s} {self._total} {of} in {seconds:.1f} s, {self._total / seconds:.0f}/s")


class StageProgress(_Display):
    """Shows how far work of several stages is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` in this stage."""
        self.show(stage, f"{done} of {total}", progress=done / max(total, 1))


class DownloadProgress(_Display):
    """Shows how much of a file has come."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def received(self, done_bytes: int, total_bytes: int | None) -> None:
        """Show the bytes received; None: the total is unknown."""
        megabytes = f"{done_bytes / 1e6:.1f}" + (f" of {total_bytes / 1e6:.1f} MB" if total_bytes else " MB")
        self.show("download", f"{self._name}  {megabytes}", progress=done_bytes / total_bytes if total_bytes else 0.0)


class TrainProgress(_Display):
    """Shows steps as they come, and a line for each validated epoch."""

    def step(self, row: dict[str, Any], *, progress: float, seconds_left: float) -> None:
        """After a step; `row` has the epoch's figures so far."""
        text = (
            f"loss {row['train_loss']:.3f}  accuracy {row['train_accuracy']:.1%}"
            f"  {row['pictures_per_second']:.0f} pictures/s  {clock(seconds_left)} left"
        )
        self.show(f"epoch {row['epoch']:3d}", text, progress=progress)

    def epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """After a validation."""
        self.line(
            f"epoch {row['epoch']:3d}  loss {row['train_loss']:.3f}  accuracy {row['train_accuracy']:.1%}"
            f"  validation {row['val_accuracy']:.1%}  {row['pictures_per_second']:.0f} pictures/s"
            f"{'  best' if best else ''}"
        )
