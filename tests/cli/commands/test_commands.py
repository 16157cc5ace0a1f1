from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from pictaxa.cli import exit_codes
from pictaxa.cli.commands import COMMANDS, data, docs, explaining, models, runs, teaching
from pictaxa.cli.main import main
from pictaxa.errors import ConfigError


def test_every_command_is_in_the_table():
    """What the modules of commands offer is what the command line knows, and help tells of each."""
    offered = {
        value
        for module in (runs, data, models, docs, explaining, teaching)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert offered == {command.run for command in COMMANDS.values()}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]):
    """COMMAND --help ends well and tells how it is used."""
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*name.split(), "--help"])
    said = capsys.readouterr().out
    assert f"pictaxa {name}" in said and COMMANDS[name].example in said


def test_json_that_cannot_be_written_is_a_mistake(tmp_path: Path):
    """--json into a folder that isn't there is told by its name."""
    exit_codes.write_json(None, {})
    exit_codes.write_json(tmp_path / "a.json", {"花": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "花": 1\n}\n'
    with pytest.raises(ConfigError, match="--json"):
        exit_codes.write_json(tmp_path / "none" / "a.json", {})
