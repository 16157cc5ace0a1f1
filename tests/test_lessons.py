"""The lessons: every figure is computed again, every command is one, every picture is made by the command beside it."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictaxa.cli.main import commands, main
from pictaxa.cli.parse import parse
from pictaxa.config.training import TrainConfig
from pictaxa.models.zoo import ZOO, parse_options

LESSONS = Path(__file__).parent.parent / "docs" / "lessons"
PAGES = tuple(sorted(page.stem for page in LESSONS.glob("*.md")))
SHOWS = ("models", "recipes", "docs", "weights", "formulas")  # what these do takes no data and a second at most
HEAVY = re.compile(r"--(compare|diagram|block) |1202|1001")  # it measures, writes a file, or has a thousand layers
NEEDS_CONNECTION = re.compile(r"(--model|--recipe|look) (?!.*efficientnet_lite0).*--weights imagenet")


def blocks(name: str, language: str) -> list[str]:
    """The text of a page's blocks in a language, in order."""
    text = (LESSONS / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.M)


def lines(name: str) -> list[str]:
    """The commands of a page."""
    return [line for block in blocks(name, "sh") for line in block.splitlines() if line.strip()]


def index_lines() -> list[str]:
    """The commands in the table of the index, each once."""
    return list(dict.fromkeys(re.findall(r"`(pictaxa [^`]+)`", "\n".join(here for _, here in index_rows()))))


def split(line: str) -> tuple[str, list[str]]:
    """The command of a line, such as "weights list", and the words after it."""
    program, *words = shlex.split(line)
    assert program == "pictaxa", line
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in commands())
    return name, words[name.count(" ") + 1 :]


def parsed(line: str) -> Any:
    """The arguments of a line, as its command takes them; an error where it would not take them."""
    name, words = split(line)
    command = commands()[name]
    return parse(command.takes, words, name, common=command.common, fill=command.fill)


def check(line: str) -> None:
    """A line parses; its architecture exists and has the options; one that only shows something is run."""
    name, _ = split(line)
    taken = parsed(line)
    config = getattr(taken, "training", taken)
    model = getattr(config, "model", None)
    if model in ZOO:
        parse_options(model, config.model_options)
    if isinstance(config, TrainConfig) and "--resume" not in line:
        config.resolved()
    if name.split()[0] in SHOWS and not HEAVY.search(line):
        assert main(shlex.split(line)[1:]) == 0, line


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_is_computed_again(name: str):
    """The page's Python sessions, from top to bottom, give what stands below each line."""
    session = doctest.DocTestParser().get_doctest("\n".join(blocks(name, "pycon")), {}, name, f"{name}.md", 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    runner.run(session, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_is_one(name: str, capsys: pytest.CaptureFixture[str]):
    """Each line parses whole, recipes included; those that show a network or a recipe are run."""
    for line in lines(name):
        check(line)
    assert not capsys.readouterr().err


def test_every_lesson_is_in_chinese():
    """And none is there alone."""
    assert {page.stem for page in (LESSONS.parent / "zh" / "lessons").glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_is_made_by_a_command_beside_it(name: str):
    """A command of the page writes a file of that name; pictures are small."""
    text = (LESSONS / f"{name}.md").read_text(encoding="utf-8")
    written = {Path(word).name for line in lines(name) for word in shlex.split(line)}
    for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        assert Path(link).name in written, f"{name}: {link}"
        assert (LESSONS / link).stat().st_size < 60_000, link


MISSING = {104, 105, 106}  # of the index: said plainly there


def index_rows() -> list[tuple[int, str]]:
    """(number, what stands in the last column) of each row of the index."""
    text = (LESSONS / "index.md").read_text(encoding="utf-8")
    return [(int(number), here) for number, here in re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", text, flags=re.M)]


def test_the_index_has_every_item_once():
    """176 in order; each with a line to type or a page to read, or said not to be there yet."""
    rows = index_rows()
    assert [number for number, _ in rows] == list(range(1, 177))
    assert {number for number, here in rows if here == "not yet"} == MISSING
    assert all(
        re.search(r"`.+`|\]\(|^(always|printed by|the line of each epoch)", here)
        for number, here in rows
        if number not in MISSING
    )


@pytest.mark.parametrize("part", range(4))
def test_every_line_of_the_index_holds(part: int, capsys: pytest.CaptureFixture[str]):
    """Commands parse, or are run where they show something; Python gives what it says."""
    known: dict[str, Any] = {}
    for block in blocks("index", "pycon"):
        exec(re.sub(r"^(>>>|\.\.\.) ?", "", block, flags=re.M), known)
    for number, here in index_rows()[part::4]:
        for line in re.findall(r"`([^`]+)`", here):
            if line.startswith("pictaxa "):
                check(line)
            else:
                assert eval(line, known) is not False, f"{number}: {line}"
    assert not capsys.readouterr().err


def inputs(line: str) -> list[Path]:
    """What a line reads: its data, runs and pictures, and the file of its weights."""
    command, words = split(line)
    given = words[: next((place for place, word in enumerate(words) if word.startswith("--")), len(words))]
    if command.split()[0] in SHOWS:
        given = []
    if command == "look":
        given = given[1:]  # behind the architecture
    return [*map(Path, given), *map(Path, re.findall(r"--weights (\S*[/.]\S*)", line))]


def shortened(line: str) -> list[str]:
    """A command's words; a training of tiny pictures and two steps."""
    name, words = split(line)
    if name == "train":
        for flag in ("--minutes", "--epochs", "--steps-per-epoch"):
            if flag in words:
                del words[words.index(flag) : words.index(flag) + 2]
        words += ["--steps", "2", "--batch-size", "4", "--device", "cpu"]
    return [*name.split(), *words]


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_every_line_works(
    name: str, tmp_path: Path, make_photos: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """From top to bottom on drawn pictures, trainings cut to two steps; what needs a connection is left out."""
    for folder in ("photos", "more-photos", "hotdogs"):
        make_photos(tmp_path / folder, {"daisy": 10, "rose": 10}, first=10 * ("-" in folder))
    make_photos(tmp_path / "birds", {"Black Skimmer": 20, "Cockatoo": 20})
    make_photos(tmp_path / "photos" / "test", {"daisy": 2, "rose": 2}, first=50)
    monkeypatch.chdir(tmp_path)
    tiny = ["--model", "resnet18", "--steps", "2", "--size", "32", "--square", "32", "--batch-size", "8"]
    shutil.copy("photos/daisy/0.png", "holiday.jpg")
    for run, data in (("birds-resnet50-1", "birds"), ("birds-1", "birds"), ("photos-1", "photos")):
        assert main(["train", data, *tiny, "--out", f"runs/{run}"]) == 0
    for line in index_lines() if name == "index" else lines(name):
        if all(file.exists() for file in inputs(line)) and not NEEDS_CONNECTION.search(line):
            status = 2 if "--size 225" in line else 0  # no multiple of the patch, as the index says
            assert main(shortened(line)) == status, f"{line}: {capsys.readouterr().err}"
    for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", (LESSONS / f"{name}.md").read_text(encoding="utf-8")):
        assert Path(Path(link).name).exists(), link
