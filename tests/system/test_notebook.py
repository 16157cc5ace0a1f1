"""system/notebook.py: progress through IPython's messages. The kernel here is a made one; it keeps what it is sent."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from pictaxa.system.notebook import NotebookBar, in_notebook
from pictaxa.system.progress import CountProgress


class Kernel(types.ModuleType):
    """What IPython is to a cell: display(..., display_id=True) gives a handle, whose updates replace what is shown."""

    def __init__(self, *, kernel: bool = True) -> None:
        super().__init__("IPython")
        self.shown: list[dict[str, str]] = []
        self.displays = 0
        shell = types.SimpleNamespace(kernel=object()) if kernel else types.SimpleNamespace()
        self.get_ipython = lambda: shell
        self.display = types.ModuleType("IPython.display")
        self.display.display = self.take

    def take(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw and display_id
        self.displays += 1
        self.shown.append(bundle)
        return types.SimpleNamespace(update=lambda bundle, raw: self.shown.append(bundle))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setitem(sys.modules, "IPython", made)
    monkeypatch.setitem(sys.modules, "IPython.display", made.display)
    return made


def test_only_a_kernel_is_a_notebook(monkeypatch: pytest.MonkeyPatch):
    """Neither plain Python nor IPython on a terminal."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", Kernel(kernel=False))
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", Kernel())
    assert in_notebook()


def test_a_bar_is_one_output_that_changes(kernel: Kernel):
    """Not more than five times a second, the end in any case; names are text; nothing of it stays."""
    bar = NotebookBar()
    for step in range(1000):
        bar.show("epoch <1>", f"loss {step}", progress=step / 1000)
    bar.show("epoch <1>", "loss 0", progress=1)
    bar.close()
    assert kernel.displays == 1 and 3 <= len(kernel.shown) < 20
    assert kernel.shown[0]["text/plain"].startswith("epoch <1> [....") and "&lt;1&gt;" in kernel.shown[0]["text/html"]
    assert "[########################] 100%  loss 0" in kernel.shown[-2]["text/plain"]
    assert kernel.shown[-1] == {"text/plain": "", "text/html": ""}


def test_progress_writes_no_terminal_codes_there(kernel: Kernel, capsys: pytest.CaptureFixture[str]):
    """Lines that stay are printed, and the bar goes through the kernel."""
    with CountProgress("measure", total=2) as progress:
        progress.count(2)
        progress.finished()
    said = capsys.readouterr().out
    assert said.startswith("measure   2 pictures in") and "\x1b" not in said and "\r" not in said
    assert kernel.displays == 1 and kernel.shown[-1]["text/plain"] == ""


def test_a_bar_that_was_never_shown_sends_nothing(kernel: Kernel):
    """Work that takes no time leaves no empty output."""
    NotebookBar().close()
    assert kernel.shown == []
