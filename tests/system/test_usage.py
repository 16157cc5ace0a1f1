"""usage.py: what the system counts as busy, and what of it others use."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pictaxa.system import usage as module
from pictaxa.system.usage import Usage, busy_ticks, read_usage

STAT = """cpu  300 50 120 9000 10 6 4 77 0 0
cpu0 100 20 40 4000 5 2 1 70 0 0
cpu1 200 30 80 5000 5 4 3 7 0 0
intr 336078 0 0
ctxt 587144
"""


@pytest.mark.parametrize(
    ("cores", "busy", "niced"),
    [
        ({0}, 100 + 20 + 40 + 2 + 1, 20),
        ({1}, 200 + 30 + 80 + 4 + 3, 30),
        ({0, 1}, 163 + 317, 50),
        ({0, 7}, 300 + 50 + 120 + 6 + 4, 50),
    ],
)
def test_busy_is_what_keeps_this_process_from_its_cores(cores: set[int], busy: int, niced: int):
    """Only cores that may be used, without idle and stolen time; all where the container renumbered its own."""
    assert busy_ticks(STAT, cores=cores) == (busy, niced)


@pytest.mark.parametrize("text", ["", "intr 3\n", "cpu0 1 2\ncpu 1 2 3\n", "cpu0 1 2 3 4 5 six 7 8\n"])
def test_another_text_is_no_count(text: str):
    """A file that looks different is an error, not a number."""
    with pytest.raises(ValueError, match=r"no counts|invalid literal"):
        busy_ticks(text, cores={0})


def test_others_are_what_is_not_our_own():
    """Busy minus own, in cores; counts that contradict each other are no negative use, and no time is no use."""
    before = Usage(10.0, busy=5.0, own=4.0)
    assert Usage(12.0, busy=8.0, own=5.0).others_since(before) == 1.0
    assert Usage(12.0, busy=6.0, own=8.0).others_since(before) == 0.0
    assert before.others_since(before) == 0.0
    after = Usage(12.0, busy=9.0, own=5.0, niced=2.0)
    assert (after.others_since(before), after.others_since(before, niced=False)) == (1.5, 0.5)


@pytest.mark.parametrize("error", [OSError("none"), ValueError("odd"), AttributeError("no such function")])
def test_a_system_that_tells_nothing_gives_none(monkeypatch: pytest.MonkeyPatch, error: Exception):
    """No file, another file and a missing function of the system are no errors of a training."""

    def fail() -> float:
        raise error

    monkeypatch.setattr(module, "_busy_seconds", fail)
    assert read_usage() is None


def test_an_unknown_system_gives_none(monkeypatch: pytest.MonkeyPatch):
    """Neither Linux, macOS nor Windows."""
    monkeypatch.setattr(sys, "platform", "plan9")
    assert read_usage() is None


def test_a_busy_process_is_seen():
    """A program that runs in a loop is others' use, our own loop is not; half a second of each, the best of five."""
    before = read_usage()
    if before is None:
        pytest.skip("this system does not tell")
    seen = []
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as neighbour:
            before = read_usage()
            time.sleep(0.3)
            after = read_usage()
            neighbour.kill()
        assert before and after
        seen.append(after.others_since(before))
        if seen[-1] > 0.3:
            return
    raise AssertionError(seen)
