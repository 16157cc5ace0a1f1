from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pictaxa.cli.completion import install_completion, whole_app
from pictaxa.cli.main import commands

TAKES = {name: command.takes for name, command in commands().items()}


def test_every_command_is_completed():
    """Those of the table, by their first words."""
    known = {name for name in whole_app(TAKES) if not name.startswith("-")}
    assert known == {name.partition(" ")[0] for name in TAKES}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shells_script_knows_commands_flags_and_values(shell: str):
    """train, one of its flags, the values of a choice, and the second word of data convert."""
    script = whole_app(TAKES).generate_completion(shell=shell)
    for word in ("train", "evaluate", "ema-decay", "bfloat16", "convert", "per-file"):
        assert word in script, word


def test_it_is_installed_in_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where bash looks for it; the command, from bash, says where."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = install_completion(TAKES, "bash")
    assert path.is_relative_to(tmp_path) and "pictaxa" in path.read_text(encoding="utf-8")
    path.unlink()
    words = f"{sys.executable} -m pictaxa --install-completion; exit $?"  # with exit, bash stays the parent
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
    assert done.returncode == 0 and path.exists() and f"completion  {path};" in done.stdout, done
