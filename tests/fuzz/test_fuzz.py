from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parent / "fuzz.py"


def fuzz(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FUZZ), *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=300)


def test_some_hundred_damaged_files(tmp_path: Path):
    """Of every format and layout: each is answered or refused by one named error, soon and in little memory."""
    told = fuzz("--count", "400", "--out", str(tmp_path))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "0 failed" in told.stdout.splitlines()[-1]


def test_a_decoder_that_kills_its_process_is_a_failed_case(tmp_path: Path):
    """The case is named and its file kept, the next one goes on, and the same case can be tried again alone."""
    # Four whole GIFs come first; whatever follows them ends the worker.
    code = "import os, pictaxa.images.decode as p\nseen = []\n"
    code += "p.examine = lambda data: seen.append(1) or seen[4:] and os.abort()"
    (tmp_path / "sitecustomize.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    told = fuzz("--kind", "GIF", "--count", "2", "--out", str(tmp_path / "out"), PYTHONPATH=path)
    assert told.returncode == 1 and "2 damaged files" in told.stdout and "2 failed" in told.stdout
    assert told.stdout.count("its worker ended (-6)") == 2
    kept = (tmp_path / "out" / "GIF-0-1-picture").read_bytes()
    again = fuzz("--kind", "GIF", "--case", "1", "--out", str(tmp_path / "again"), PYTHONPATH=path)
    assert again.returncode == 1 and (tmp_path / "again" / "GIF-0-1-picture").read_bytes() == kept
