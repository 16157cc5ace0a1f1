"""The two READMEs say the same, and what they tell a reader to type works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pictaxa.cli.main import main
from pictaxa.config import training as config

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(name: str) -> list[str]:
    return [line for block in blocks(name, "sh") for line in block.splitlines() if line.strip()]


def test_both_tell_the_same_commands():
    """The Chinese README has the same commands, code and documents, some in Chinese, as the English one."""
    assert commands(READMES[0]) == commands(READMES[1])
    assert blocks(READMES[0], "python") == blocks(READMES[1], "python")
    links = [re.findall(r"\]\((docs/[^)]+)\)", (ROOT / name).read_text(encoding="utf-8")) for name in READMES]
    assert links[0] == [link.replace("docs/zh/", "docs/") for link in links[1]]
    assert all((ROOT / link).exists() for link in (*links[0], *links[1]))


def test_the_first_two_commands_are_targets_of_the_makefile():
    """make demo and make test stand first, and the Makefile has them."""
    assert commands("README.md")[:2] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo:", makefile, re.M) and re.search(r"^test:", makefile, re.M)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training to which nobody gives a length takes six seconds."""
    for name in ("FROM_KNOWN", "FROM_NOTHING"):
        monkeypatch.setattr(config, name, replace(getattr(config, name), minutes=0.1))


@pytest.mark.usefixtures("seconds")
def test_the_tour_works(tmp_path: Path, make_photos: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    """Each command of the tour runs as it stands, on made pictures, with minutes cut to seconds.

    A person's first ten minutes are: what is wrong, what to expect, training, the report.
    """
    make_photos(tmp_path / "photos", {"daisy": 12, "roses": 12, "tulips": 12})
    monkeypatch.chdir(tmp_path)
    tour = commands("README.md")[2:]
    for line in tour:
        words = shlex.split(re.sub(r"--minutes [\d.]+", "--minutes 0.1", line))
        assert words[0] == "pictaxa" and main(words[1:]) == 0, line
    told = [line.split()[1] for line in tour]
    places = [told.index(command) for command in ("inspect", "probe", "train", "report")]
    assert places == sorted(places)
    assert (tmp_path / "runs" / "photos-efficientnet_lite0-1" / "report" / "index.html").exists()


@pytest.mark.usefixtures("seconds")
def test_the_python_works(
    tmp_path: Path,
    make_photos: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """The Python of the README runs as it stands, with minutes cut to seconds."""
    make_photos(tmp_path / "photos", {"daisy": 12, "roses": 12})
    make_photos(tmp_path, {"more-photos": 2})
    (tmp_path / "more-photos" / "0.png").rename(tmp_path / "holiday.jpg")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("README.md", "python")
    exec(compile(re.sub(r"minutes=[\d.]+", "minutes=0.1", code), "README.md", "exec"), {})
    assert "holiday.jpg" in capsys.readouterr().out


def test_no_placeholder_is_left():
    """Every figure and output has been put in."""
    for name in (*READMES, "docs/measured.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"\b(TOUR_[A-Z]+|FIGURES|MEASURED)\b", text), name
