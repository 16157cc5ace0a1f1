"""cli/commands/docs.py, and what every command prints on consoles of other encodings and without colours."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.cli.commands import docs as docs_command
from pictaxa.cli.help import help_console
from pictaxa.cli.main import commands, main


def test_pages_are_listed_and_shown(capsys: pytest.CaptureFixture[str]):
    """In English and in Chinese; a pipe gets the page as it is written."""
    assert callable(docs_command.docs) and main(["docs"]) == 0
    assert "from-keras" in capsys.readouterr().out
    assert main(["docs", "--language", "zh"]) == 0 and main(["docs", "python"]) == 0
    assert "\n# " in "\n" + capsys.readouterr().out
    assert main(["docs", "from-keras", "--language", "zh"]) == 0
    assert any("\u4e00" <= letter <= "\u9fff" for letter in capsys.readouterr().out)
    assert main(["docs", "from-kears"]) == 2 and "from-keras" in capsys.readouterr().err


class Console(io.TextIOWrapper):
    """A console or pipe of some encoding, strict as Python makes it; maybe a terminal."""

    def __init__(self, encoding: str, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def on_console(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs a command with its output on such a console: its status, and all that it printed."""

    def run(words: list[str], encoding: str, *, terminal: bool = False) -> tuple[int, str]:
        console = Console(encoding, terminal=terminal)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", console)
            patched.setattr(sys, "stderr", console)
            try:
                status = main(words)
            except SystemExit as end:  # after help
                status = int(end.code or 0)
        return status, console.text

    return run


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "gbk"])
def test_help_and_pages_on_any_console(encoding: str, on_console: Callable[..., tuple[int, str]]):
    """Every help, every list and every page, in Chinese too: what the console lacks is spelt out."""
    for name in commands():
        status, said = on_console([*name.split(), "--help"], encoding)
        assert status == 0 and said
    for words in (["--help"], ["models"], ["recipes"], ["weights", "list"], ["docs"], ["docs", "--language", "zh"]):
        assert on_console(words, encoding)[0] == 0
    for name in ("python", "from-keras"):
        assert on_console(["docs", name, "--language", "zh"], encoding)[0] == 0
        assert on_console(["docs", name, "--language", "zh"], encoding, terminal=True)[0] == 0
    assert on_console(["无"], encoding)[0] == 2


def test_a_run_with_chinese_names_on_any_console(
    tmp_path: Path, make_photos: Callable[..., Path], tiny: tuple[str, ...], on_console: Callable[..., tuple[int, str]]
):
    """Training, judging and predicting with a bar and without."""
    data = make_photos(tmp_path / "照片", {"花": 8, "rosé": 8})
    run = str(tmp_path / "运行")
    assert on_console(["train", str(data), *tiny, "--epochs", "1", "--out", run], "ascii", terminal=True)[0] == 0
    for encoding in ("cp1252", "ascii"):
        for words in (["evaluate", run], ["predict", run, str(data)], ["classes", run], ["inspect", str(data)]):
            status, said = on_console(words, encoding, terminal=encoding == "ascii")
            assert status == 0 and "\\u82b1" in said, said


def test_no_color_is_obeyed_in_help(on_console: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch):
    """On a terminal help has colours; with NO_COLOR it has no escape codes at all."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert help_console().no_color is False
    _, coloured = on_console(["plan", "--help"], "utf-8", terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    _, plain = on_console(["plan", "--help"], "utf-8", terminal=True)
    assert "\x1b[" in coloured and "\x1b" not in plain and "--minutes" in plain
