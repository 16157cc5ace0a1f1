"""predict: what it is given, and names of any kind, in every command that prints them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pictaxa.cli.main import main

Make = Callable[..., Path]
Say = pytest.CaptureFixture[str]
Trained = tuple[Path, Path]


@pytest.fixture
def place(trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> Path:
    """A folder to stand in, with a run and pictures whose names a command line could take for something else."""
    data, run = trained
    monkeypatch.chdir(run.parent)
    for name in ("-x.jpg", "=1+1.jpg", "--quiet"):
        shutil.copyfile(data / "red" / "0.png", name)
    capsys.readouterr()
    return run


def test_names_that_begin_with_a_hyphen(place: Path, capsys: Say):
    """After -- all words are files, before it flags."""
    assert main(["predict", str(place), "--top", "1", "--", "-x.jpg", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["-x.jpg", "red"], ["--quiet", "red"]]
    assert main(["predict", str(place), "-x.jpg"]) == 2
    assert "Unknown option" in capsys.readouterr().err


def test_a_list_and_standard_input(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say):
    """A path a line; one that is not there has its row with the reason, and the rest goes on."""
    Path("list.txt").write_text("photos/green/1.png\nnowhere.jpg\n-x.jpg\n", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"photos/blue/1.png\n")))
    assert main(["predict", str(place), "@list.txt", "-", "--out", "a.csv", "--top", "1"]) == 0
    assert "1 of 4 files could not be read" in capsys.readouterr().err
    with Path("a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["photos/green/1.png", "nowhere.jpg", "'-x.jpg", "photos/blue/1.png"]
    assert [row["label"] for row in rows] == ["green", "", "red", "blue"]
    assert "No such file" in rows[1]["problem"] and set(rows[0]) == {"path", "label", "probability", "problem"}


def test_the_two_kinds_of_csv(place: Path):
    """By default one for spreadsheets; --csv plain has the names as they are."""
    assert main(["predict", str(place), "=1+1.jpg", "--out", "a.csv"]) == 0
    assert main(["predict", str(place), "=1+1.jpg", "--out", "b.csv", "--csv", "plain"]) == 0
    assert Path("a.csv").read_bytes().startswith(b"\xef\xbb\xbf") and "'=1+1.jpg" in Path("a.csv").read_text("utf-8")
    assert Path("b.csv").read_bytes().startswith(b"path,") and "\n=1+1.jpg,red" in Path("b.csv").read_text("utf-8")


# What a terminal obeys, or would break a table; a file system takes all but "/" and zero.
NAME = st.binary(min_size=1, max_size=8).filter(lambda name: not {0, ord("/")} & {*name} and name.strip(b".\n\r"))
UGLY = [b"a\nb", b"\x1b[31mred", b"\xff\xfe", b"\t=1", "\u202egnp".encode(), "玫瑰".encode(), b"[red]", b"{x}", b"%s"]


def harmless(said: str) -> bool:
    """Nothing that a terminal obeys, but for ends of lines; and it can be written down."""
    codes = {ord(letter) for letter in said.encode("utf-8").decode("utf-8")}
    return not codes & {*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x202E}


@settings(derandomize=True, deadline=None, database=None, max_examples=12)
@given(st.lists(st.sampled_from(UGLY) | NAME, min_size=3, max_size=6, unique=True))
def test_names_of_any_bytes_are_inspected(names: list[bytes]):
    """As folders and as files: no traceback, no code for the terminal, and the page and the JSON can be read."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root, out, err = Path(folder), io.StringIO(), io.StringIO()
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        for label in (*names[:2], b"plain"):
            (root / "data" / os.fsdecode(label)).mkdir(parents=True, exist_ok=True)
            for number, name in enumerate(names):
                path = root / "data" / os.fsdecode(label) / os.fsdecode(name + b".png")
                Image.new("RGB", (8, 8), (number * 40, len(label) * 20, 90)).save(path, "PNG")
            path.write_bytes(b"broken")
        files = ["--html", str(root / "a.html"), "--json", str(root / "a.json"), "--fix", str(root / "a.csv")]
        status = main(["inspect", str(root / "data"), *files, "--cache", str(root / "cache")])
        assert status in (0, 2) and harmless(out.getvalue()) and harmless(err.getvalue()), (
            out.getvalue(),
            err.getvalue(),
        )
        if status == 0:
            assert json.loads((root / "a.json").read_text(encoding="utf-8"))
            assert harmless((root / "a.html").read_text(encoding="utf-8"))
        else:
            assert err.getvalue().count("\n") == 1


def test_names_of_any_bytes_from_training_to_report(tmp_path: Path, tiny: tuple[str, ...], draw: Make, capsys: Say):
    """Every command that prints names: train, evaluate, predict, report, classes, preview and probe."""
    data = tmp_path / "photos\x1b[2J"
    for kind, label in enumerate((b"a\nb", b"\x1b[31mred", "$\\frac{$\u202e花".encode())):
        (data / os.fsdecode(label)).mkdir(parents=True)
        for number in range(10):
            name = os.fsdecode(UGLY[number % len(UGLY)] + str(number).encode())
            draw(kind, number).save(data / os.fsdecode(label) / f"{name}.png", "PNG")
        (data / os.fsdecode(label) / "bro\x07ken.png").write_bytes(b"broken")
    run = tmp_path / "run\nof"
    commands = [
        ["train", str(data), *tiny, "--epochs", "1", "--out", str(run)],
        ["evaluate", str(run)],
        ["evaluate", str(run), str(data)],
        ["predict", str(run), str(data)],
        ["predict", str(run), str(data), "--top", "2"],
        ["report", str(run)],
        ["classes", str(run)],
        ["preview", str(data), "--out", str(tmp_path / "preview.png")],
        ["probe", str(data), "--model", "resnet_lite", "--size", "32"],
        ["cache"],
    ]
    for words in commands:
        assert main(words) == 0, (words, capsys.readouterr())
        said = capsys.readouterr()
        assert harmless(said.out) and harmless(said.err), (words, said)
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert harmless(page) and r"bro\x07ken.png" in page and r"a\nb" in page
    for words in (["predict", str(run), "no\x1b[31m\udcff"], ["evaluate", "no\n\udcff"], ["\x1b[31m\udcff"]):
        assert main(words) == 2
        said = capsys.readouterr()
        assert harmless(said.err) and said.err.count("\n") == 1 and said.out == ""


def test_places_that_are_no_utf8_are_refused(trained: Trained, tmp_path: Path, tiny: tuple[str, ...], capsys: Say):
    """A run or a file to write: one line, and nothing is left; data sets and pictures may lie anywhere."""
    data, run = trained
    bad = tmp_path / os.fsdecode(b"b\xffd")
    shutil.copytree(data, bad)
    moved = run.rename(tmp_path / os.fsdecode(b"r\xffn"))
    capsys.readouterr()
    for words in (
        ["evaluate", str(moved)],
        ["train", str(data), *tiny, "--out", str(tmp_path / os.fsdecode(b"o\xff"))],
        ["inspect", str(data), "--html", str(tmp_path / os.fsdecode(b"o\xff.html"))],
        ["data", "convert", str(data), str(tmp_path / os.fsdecode(b"o\xff")), "--to", "folders"],
    ):
        assert main(words) == 2, words
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "valid UTF-8" in said, said
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("o")]
    run = moved.rename(run)
    assert main(["evaluate", str(run), str(bad)]) == 0
    assert main(["predict", str(run), str(bad / "red" / "1.png"), "--out", str(tmp_path / "a.csv")]) == 0
    assert "red/1.png" in (tmp_path / "a.csv").read_text(encoding="utf-8-sig")
