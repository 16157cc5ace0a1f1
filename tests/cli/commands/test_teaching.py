from __future__ import annotations

import time

import pytest

from pictaxa.cli.commands import COMMANDS, teaching
from pictaxa.cli.teaching import BlocksArguments, FieldArguments


def test_each_is_a_command():
    """The functions are those of commands whose names begin with formulas or look."""
    own = {name: command.run for name, command in COMMANDS.items() if name.partition(" ")[0] in ("formulas", "look")}
    assert own["formulas field"] is teaching.field and own["look"] is teaching.look and len(own) == 6


def test_their_arguments_are_handed_on(capsys: pytest.CaptureFixture[str]):
    """Layers as words, channels as a number."""
    assert teaching.field(FieldArguments(("3", "3/2")), time.monotonic()) == 0
    assert "field     5 x 5 pixels" in capsys.readouterr().out
    assert teaching.blocks(BlocksArguments(channels=32), time.monotonic()) == 0
    assert "basic block of 32" in capsys.readouterr().out
