from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pictaxa.errors import RunError
from pictaxa.runs.writer import LOCK, WRITER, only_writer, require_no_writer

HOLD = """
import sys, time
from pathlib import Path
from pictaxa.runs.writer import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that writes in a run folder until it is told to end."""
    words = [sys.executable, "-c", HOLD, str(path)]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    return child


def test_the_second_is_told_who_writes_and_a_dead_process_does_not(tmp_path: Path):
    """At once, with the pid and the machine; once that process is killed its files are recognised as left behind."""
    child = hold(tmp_path)
    told = f"process {child.pid} on this machine, since .* in '{re.escape(str(tmp_path))}'"
    with pytest.raises(RunError, match=told), only_writer(tmp_path):
        pass
    with pytest.raises(RunError, match=told):
        require_no_writer(tmp_path)
    child.kill()
    child.communicate()
    assert (tmp_path / WRITER).exists() and (tmp_path / LOCK).exists()
    require_no_writer(tmp_path)
    with only_writer(tmp_path):
        assert json.loads((tmp_path / WRITER).read_text())["pid"] == os.getpid()
        with pytest.raises(RunError, match=str(os.getpid())), only_writer(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_process_on_another_machine_may_still_run(tmp_path: Path):
    """Only a person can know: the message says which machine, and what to remove; after that it goes on."""
    left = json.dumps({"pid": 7, "host": "elsewhere", "since": "2026-01-02 03:04:05"})
    (tmp_path / WRITER).write_text(left)
    with pytest.raises(RunError, match="process 7 on the machine 'elsewhere', since 2026-01-02 03:04:05") as raised:
        require_no_writer(tmp_path)
    assert (tmp_path / WRITER).read_text() == left and f"remove {tmp_path / WRITER} and run" in str(raised.value)
    (tmp_path / WRITER).unlink()
    with only_writer(tmp_path):
        pass


@pytest.mark.parametrize("left", ["", "{", "[]", "3", '{"pid": "x", "host": 1, "since": null}', '{"pid": 1}'])
def test_a_file_that_says_nothing_stops_nobody(tmp_path: Path, left: str):
    """Torn by a power cut, or of another kind: the lock alone decides."""
    (tmp_path / WRITER).write_text(left)
    with only_writer(tmp_path):
        assert json.loads((tmp_path / WRITER).read_text())["host"] == platform.node()


def test_a_folder_in_which_nobody_trained_is_not_touched(tmp_path: Path):
    """Looking leaves no file behind."""
    require_no_writer(tmp_path)
    assert list(tmp_path.iterdir()) == []
