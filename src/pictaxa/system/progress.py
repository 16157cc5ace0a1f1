"""Progress messages: a bar on a terminal and in a notebook, plain lines elsewhere, or logging records.

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
from typing import Any, TextIO

from ..errors import printable
from .language import shown
from .notebook import NotebookBar, in_notebook
from .printing import encodable, print_line

LINE_SECONDS = 10.0  # between two plain lines


LOG = logging.getLogger("pictaxa")


def say(text: str) -> None:
    """Tell how the work goes: one plain line on standard output, unless a handler takes it.

    Args:
        text: what can't be shown of it becomes escapes.
    """
    _tell(logging.INFO, text, file=sys.stdout)


def warn(text: str) -> None:
    """Tell what is amiss: one plain line on standard error, unless a handler takes it.

    Args:
        text: what can't be shown of it becomes escapes.
    """
    _tell(logging.WARNING, text, file=sys.stderr)


def _tell(level: int, text: str, *, file: TextIO) -> None:
    if not LOG.handlers:
        print_line(text, file=file)
        return
    # By the handlers' own levels: the logger's is the root's until somebody sets it, which keeps all but warnings back.
    record = LOG.makeRecord(LOG.name, level, "", 0, printable(text), (), None)
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
    """Write a time as a clock does.

    Args:
        seconds: a time; below 0 counts as 0.

    Returns:
        m:ss, or h:mm:ss from an hour on.

    Example:
        clock(3661)  # "1:01:01"
    """
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class _Display:
    """A rich bar when standard output is a terminal, one of HTML in a notebook, else a line now and then."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._notebook: NotebookBar | None = None
        self._started = self._last_line = time.monotonic()
        if LOG.handlers:
            return
        if in_notebook():
            self._notebook = NotebookBar()
        elif sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TaskProgressColumn(),
                TextColumn("{task.fields[text]}", markup=False),
            )  # fmt: skip
            self._task = self._bar.add_task("", total=1.0, text="")

    def __enter__(self) -> Any:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        if self._notebook:
            self._notebook.close()

    def show(self, what: str, text: str, *, progress: float) -> None:
        """Where it stands."""
        if self._bar:
            self._bar.update(self._task, completed=progress, description=shown(what), text=_as_shown(text))
        elif self._notebook:
            self._notebook.show(shown(what), printable(shown(text)), progress=progress)
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            say(f"{what} {progress:4.0%}  {text}")

    def line(self, text: str) -> None:
        """A line that stays."""
        if self._bar:
            self._bar.console.print(_as_shown(text), highlight=False, markup=False)
        else:
            self._last_line = time.monotonic()
            say(text)

    @property
    def seconds(self) -> float:
        """Since the work began; never 0, so that it divides."""
        return max(time.monotonic() - self._started, 1e-9)

    def took(self, what: str, count: int, of: str) -> None:
        """A line that stays: so many are done, how long it took, how many a second."""
        self.line(f"{what:9s} {count} {of} in {self.seconds:.1f} s, {count / self.seconds:.0f}/s")


def _as_shown(text: str) -> str:
    """In its language, as the terminal can show it."""
    return encodable(printable(shown(text)), sys.stdout)


class DecodeProgress(_Display):
    """Shows how far decoding is; called as data/cache.py's Progress."""

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` pictures are decoded."""
        self.show("decode", f"{done} of {total}  {done / self.seconds:.0f} pictures/s", progress=done / total)
        if done == total:
            self.took("decoded", total, "pictures")


class CountProgress(_Display):
    """Shows how many of a known number of things are done."""

    def __init__(self, what: str, *, total: int) -> None:
        super().__init__()
        self._what = what
        self._total = total
        self._done = 0

    def count(self, more: int = 1) -> None:
        """So many more are done."""
        self._done += more
        self.show(self._what, f"{self._done} of {self._total}", progress=self._done / max(self._total, 1))

    def finished(self, of: str = "pictures") -> None:
        """A line that says how long all of them took."""
        self.took(self._what, self._total, of)


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
        """After a validation: a line of at most 100 columns; log.csv has the same in full."""
        self.line(
            f"epoch {row['epoch']:3d}  loss {row['train_loss']:.3f}  val {row['val_loss']:.3f}"
            f"  accuracy {row['train_accuracy']:.1%}  val {row['val_accuracy']:.1%}  lr {row['lr']:.2g}"
            f"  {row['pictures_per_second']:.0f}/s  {clock(row['seconds'])}{'  best' if best else ''}"
        )
