"""interrupts.py: Ctrl-C sets a flag; whoever had it before has it again afterwards."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from pictaxa.runs.folder import Run
from pictaxa.training.interrupts import Interrupted, interrupt_flag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_sets_the_flag_and_the_second_stops(number: signal.Signals):
    """Ctrl-C and a polite kill alike, each by itself; afterwards both do what they did before."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with interrupt_flag() as flag:
        assert not flag.is_set()
        os.kill(os.getpid(), number)
        assert flag.wait(1)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            threading.Event().wait(1)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
    with pytest.raises(RuntimeError), interrupt_flag():
        raise RuntimeError
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_leaves_signals_alone():
    """Only the main thread may change them: a training in another one has a flag that nothing sets."""
    before, found = signal.getsignal(signal.SIGINT), []

    def train() -> None:
        with interrupt_flag() as flag:
            found.append((signal.getsignal(signal.SIGINT), flag.is_set()))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [(before, False)]


def test_what_is_said_goes_on():
    """The message is a call that can be pasted; no `except Exception` takes it for a failure."""
    told = Interrupted(Run(Path("my run")))
    assert "pictaxa.train(resume='my run')" in str(told) and not isinstance(told, Exception)
