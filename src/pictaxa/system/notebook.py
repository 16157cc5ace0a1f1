"""A line of progress in a notebook: one output that is shown anew, through IPython's own messages."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

SECONDS = 0.2  # between two updates: each is a message to the browser
WIDTH = 24  # of the bar as text, characters


def in_notebook() -> bool:
    """Whether this is a kernel, whose output a notebook shows; IPython on a terminal is none."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class NotebookBar:
    """A bar with its words, taken away at the end as a terminal's is not: what stays is said in lines.

    Example:
        bar = NotebookBar()
        bar.show("epoch   3", "loss 0.61", progress=0.25)
        bar.close()
    """

    def __init__(self) -> None:
        from IPython.display import display

        self._display: Any = display
        self._handle: Any = None
        self._shown = 0.0

    def show(self, what: str, text: str, *, progress: float) -> None:
        """Show how far it is, at most five times a second.

        Args:
            what: the work.
            text: what there is to say of it.
            progress: from 0 to 1.
        """
        now = time.monotonic()
        if now - self._shown < SECONDS and progress < 1:
            return
        self._shown = now
        done = round(WIDTH * min(max(progress, 0.0), 1.0))
        plain = f"{what} [{'#' * done}{'.' * (WIDTH - done)}] {progress:4.0%}  {text}"
        html = (
            f'<pre style="margin:0">{escape(what)} <progress max="1" value="{progress:.4f}"></progress> '
            f"{progress:4.0%}  {escape(text)}</pre>"
        )
        self._send({"text/plain": plain, "text/html": html})

    def close(self) -> None:
        """Leave nothing of it."""
        if self._handle is not None:
            self._send({"text/plain": "", "text/html": ""})

    def _send(self, bundle: dict[str, str]) -> None:
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
