from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from pictaxa.cli.inputs import pictures_of
from pictaxa.errors import ConfigError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder one is in, with pictures (nobody decodes them here) and a folder of others."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").mkdir()
    for name in ("a.jpg", "b b.jpg", "@c.jpg", "-d.jpg", "more/e.jpg"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def found(*words: str) -> list[str]:
    return [name for name, _ in pictures_of([Path(word) for word in words])]


def test_files_folders_and_lists(place: Path):
    """In their order; a line is a path whatever is in it, blank lines and Notepad's mark are passed over."""
    (place / "list.txt").write_bytes("\ufeffb b.jpg\r\n\r\nmore\n-d.jpg\nnot-there.jpg\n花.jpg".encode())
    (place / "long.txt").write_text("x" * 300 + "\n")
    listed = ["b b.jpg", "more/e.jpg", "-d.jpg", "not-there.jpg", "花.jpg"]
    assert found("@long.txt") == ["x" * 300], "no name that the system takes: it gets its row with the reason"
    assert found("a.jpg", "@list.txt", "more") == ["a.jpg", *listed, "more/e.jpg"]
    assert found("@c.jpg") == ["@c.jpg"], "a file that is there is meant itself"


def test_any_bytes_are_a_path(place: Path):
    """A name that is no UTF-8 is found as the system has it."""
    name = b"f\xff.jpg"
    (place / os.fsdecode(name)).write_bytes(b"its bytes")
    (place / "list.txt").write_bytes(name + b"\n")
    assert [fetch() for _, fetch in pictures_of([Path("@list.txt")])] == [b"its bytes"]


def test_standard_input_is_read_as_it_comes(place: Path, monkeypatch: pytest.MonkeyPatch):
    """A line is handed on before the next is asked for."""

    class Lines(io.BytesIO):
        asked = 0

        def __next__(self) -> bytes:
            self.asked += 1
            return super().__next__()

    lines = Lines(b"a.jpg\nmore\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(lines))
    pictures = pictures_of([Path("-")])
    assert lines.asked == 0 and next(pictures)[0] == "a.jpg" and lines.asked == 1
    assert [name for name, _ in pictures] == ["more/e.jpg"]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("no.jpg", "'no.jpg'"),
        ("@no.txt", "'no.txt'"),
        ("@more", "a folder at 'more'"),
        ("x" * 300, "nothing at 'xxx"),
        ("a\0b", "nothing at 'a"),
    ],
)
def test_what_is_not_there_is_told_at_once(place: Path, word: str, told: str):
    """Before the first file is looked at, by the name of what is missing."""
    with pytest.raises(ConfigError, match=told):
        pictures_of([Path("a.jpg"), Path(word)])
