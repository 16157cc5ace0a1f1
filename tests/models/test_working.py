from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pictaxa.cli.main import main
from pictaxa.models.formulas import Layer
from pictaxa.models.working import block_lines, conv_lines, field_lines, size_lines

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = (DOCS / "formulas.md", DOCS / "zh" / "formulas.md")


def found(lines: list[str], word: str) -> str:
    """What follows the last = of the line that begins with a word."""
    line = next(line for line in lines if line.strip().startswith(word))
    return line.rpartition("= ")[2]


def test_sizes():
    """Each padding by its own formula."""
    lines = [*size_lines(224, kernel=7, stride=2, padding=3)]
    assert [found(lines, word) for word in ("valid", "same", "padding 3")] == ["109", "112", "112"]
    assert next(size_lines(2, kernel=3)).startswith("valid      nothing")


def test_fields_from_the_last_layer_back():
    """Each line takes up the one before it; the first layer's is the field."""
    lines = [*field_lines([Layer(7, 2), Layer(3, 2), Layer(3)])]
    assert [line.rpartition("= ")[2] for line in lines[1:4]] == ["3", "7", "19"]
    assert lines[4] == "field     19 x 19 pixels" and "= 4 pixels" in lines[5] and "7, 11, 19" in lines[6]


def test_convolutions():
    """Plain, grouped and separable, with their ratio."""
    lines = [*conv_lines(256, 256, kernel=3, size=14, groups=32, bias=True)]
    assert "589,824 + 256 = 590,080 weights; 589,824 * 14 * 14 = 115,605,504 multiply-adds" in lines[0]
    assert "3 * 3 * (256 / 32) * 256 = 18,432" in lines[1] and "8.69 times fewer" in lines[4]


def test_blocks_are_the_papers():
    """73,728 and 69,632; 27 C^2 and 49 C^2; ResNeXt's 70,144; 12 D^2 of an encoder block."""
    lines = [*block_lines(64)]
    assert found(lines, "basic block of 64") == "73,728" and found(lines, "bottleneck 256-64-256") == "69,632"
    assert found(lines, "three 3x3") == f"{27 * 64**2:,}" and found(lines, "one 7x7") == f"{49 * 64**2:,}"
    assert found(lines, "ResNeXt 256") == "70,144" and found(lines, "times cheaper").startswith("7.89")
    encoder = [found(lines, word).replace(",", "") for word in ("queries", "MLP")]
    assert sum(map(int, encoder)) == 12 * 64**2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_page_says_what_the_commands_print(page: Path, capsys: pytest.CaptureFixture[str]):
    """Each command is followed by its output, and the Python runs."""
    text = page.read_text(encoding="utf-8")
    printed = re.findall(r"```sh\n(.+?)\n```\n\n```text\n(.*?)```", text, flags=re.DOTALL)
    assert len(printed) == text.count("```sh") == 6
    for command, output in printed:
        assert main(shlex.split(command)[1:]) == 0
        assert capsys.readouterr().out == output, command
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(code, page.name, "exec"), {})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["size", "3", "--kernel", "7", "--padding", "0"], "at most 3 pixels"),
        (["field", "7/"], "KERNEL/STRIDE"),
        (["field", "0"], "KERNEL/STRIDE"),
        (["conv", "6", "8", "--groups", "4"], "multiple of 4"),
        (["blocks", "--channels", "20"], "multiple of 16"),
    ],
)
def test_mistakes_are_one_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    """Numbers that don't fit end in one line and exit status 2."""
    assert main(["formulas", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_the_formulas_are_listed(capsys: pytest.CaptureFixture[str]):
    """pictaxa formulas lists them, and commands that run."""
    assert main(["formulas"]) == 0
    commands = re.findall(r"pictaxa (formulas .+)", capsys.readouterr().out)
    assert len(commands) == 4
    assert all(main(shlex.split(command)) == 0 for command in commands)
