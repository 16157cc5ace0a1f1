from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictaxa.errors import PictureError, ProblemKind, printable
from pictaxa.system.printing import print_line, print_lines

repeatable = settings(derandomize=True, deadline=None, database=None, max_examples=300)
UGLY = st.binary(max_size=20).map(os.fsdecode) | st.text(st.characters(), max_size=20)  # surrogates are among them


@repeatable
@given(UGLY, st.sampled_from(["ascii", "latin-1", "gbk", "utf-8"]))
def test_any_name_is_one_line_on_any_terminal(name: str, encoding: str):
    """Printed, it is one line without a code that a terminal obeys, whatever the terminal can show."""
    out = io.BytesIO()
    file = io.TextIOWrapper(out, encoding=encoding, newline="\n")
    print_line(f"[{name}]", file=file)
    line = out.getvalue().decode(encoding)
    assert line.startswith("[") and line.endswith("]\n")
    # C0 and C1 codes, breaks of lines, and what turns the direction of writing
    told = {ord(letter) for letter in line[:-1]}
    assert not told & {*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)}


@repeatable
@given(UGLY)
def test_any_name_in_an_error_is_one_line(name: str):
    """A picture's error can be printed and written down, whatever its name and the decoder's words are."""
    told = str(PictureError(name, ProblemKind.TRUNCATED.told(name)))
    assert told == printable(told) and told.encode("utf-8")


def test_what_can_be_read_stays():
    """Names in any script, with joined emoji, are printed as they are; what can't be shown is spelt out."""
    for name in ("玫瑰 é.jpg", "👩‍🔬", "می‌خواهم", "a b"):
        assert printable(name) == name
    assert printable("a\nb\t\x1b[31m\x9b\u202e\udcff\ud800") == r"a\nb\t\x1b[31m\x9b\u202e\xff\ud800"


def test_lines_come_one_by_one(capsys: pytest.CaptureFixture[str]):
    """Each as soon as it is known, on standard output."""

    def lines() -> Iterator[str]:
        yield "first"
        assert capsys.readouterr().out == "first\n"
        yield "se\ncond"

    print_lines(lines())
    assert capsys.readouterr().out == "se\\ncond\n"
