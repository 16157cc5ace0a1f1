"""The pages as a reader has them: in a browser, at a desk and on a phone, in light and dark, by keyboard."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictaxa.cli.main import main
from pictaxa.reporting.page import write_report

pytestmark = pytest.mark.browser
Make = Callable[..., Path]
Faults = Callable[[], list[str]]
Shot = Callable[[str], None]
NAMES = ("daisy", "玫瑰", "زهرة", "<script>alert(1)</script>", "sun & moon")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, judged_run: Make) -> Path:
    """The page of a run with classes of any script."""
    run = judged_run(tmp_path_factory.mktemp("report"), NAMES, pictures=12, wrong=0.4)
    assert main(["report", str(run)]) == 0
    return run / "report" / "index.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
def test_the_report_has_no_serious_fault(report: Path, page: Any, faults: Faults, shot: Shot, width: int, dark: bool):
    """Neither axe-core nor the console complains, and nothing is wider than the window."""
    page.resize(width, 900, dark=dark, phone=width < 500)
    page.open(report)
    shot(f"report-{width}-{'dark' if dark else 'light'}")
    assert faults() == []
    assert page.run("document.documentElement.scrollWidth") <= width


def test_a_cell_of_the_matrix_opens_its_pictures(report: Path, page: Any):
    """Exactly those: as many as the number says, of that class and that answer, and the keyboard goes there."""
    page.open(report)
    cells = page.run(
        "[...document.querySelectorAll('#matrix button')].map(b => [b.dataset.true, b.dataset.answer, b.textContent])"
    )
    assert len(cells) > len(NAMES)
    for true, answer, count in cells:
        cell = f"#matrix button[data-true='{true}'][data-answer='{answer}']"
        page.run(f'document.querySelector("{cell}").click()')
        said = page.run("[...document.querySelectorAll('#gallery figcaption b bdi')].map(one => one.textContent)")
        assert said == [NAMES[int(answer)]] * min(24, int(count))
        paths = page.run("[...document.querySelectorAll('#gallery .path')].map(one => one.textContent)")
        assert all(path.startswith(f"{true}/") for path in paths)
    assert page.run("document.activeElement.id") == "pictures-title"
    assert page.run("[...document.querySelectorAll('#gallery img')].every(one => one.src.startsWith('data:image/'))")


def test_filters_choose_among_the_pictures(report: Path, page: Any):
    """By answer, class, name and order, in any combination; reset shows the mistakes again."""
    page.open(report)
    count = "document.querySelector('#count').textContent"
    shares = (
        "[...document.querySelectorAll('#gallery figcaption b')]"
        ".map(one => parseFloat(one.textContent.split(' ').at(-1)))"
    )

    def choose(name: str, value: str) -> None:
        page.run(
            f"(() => {{ const one = document.getElementById('filters').elements['{name}']; one.value = '{value}';"
            "one.dispatchEvent(new Event('input', {bubbles: true})) })()"
        )

    first = page.run(count)
    choose("kind", "all")
    assert page.run(count).startswith("60 pictures")
    choose("true", "1")
    assert page.run(count).startswith("12 pictures")
    choose("text", "-11")
    assert page.run(count) == "1 pictures, 1 shown"
    choose("text", "")
    sure = page.run(shares)
    choose("order", "unsure")
    assert sure == sorted(sure, reverse=True) and page.run(shares) == sure[::-1]
    page.run("document.querySelector('#filters button[type=reset]').click()")
    page.wait(f"{count} === {first!r}")
    choose("kind", "all")
    page.run("document.getElementById('more').click()")
    assert page.run("document.querySelectorAll('#gallery figure').length") == 48


def test_tables_are_sorted_by_their_heads(report: Path, page: Any):
    """By number, in both directions, and a screen reader is told."""
    page.open(report)
    table = "document.getElementById('class-table')"
    for direction in ("descending", "ascending"):
        page.run(f"{table}.tHead.rows[0].cells[3].querySelector('button').click()")
        assert page.run(f"{table}.tHead.rows[0].cells[3].getAttribute('aria-sort')") == direction
        values = page.run(f"[...{table}.tBodies[0].rows].map(row => Number(row.cells[3].dataset.value))")
        assert values == sorted(values, reverse=direction == "descending") and len(set(values)) > 1


def test_names_are_text(report: Path, page: Any):
    """A class called like a script runs nothing and is read as it is spelled."""
    page.open(report)
    assert page.run("document.querySelectorAll('script').length") == 2
    heads = page.run("[...document.querySelectorAll('#matrix tbody th')].map(one => one.textContent)")
    assert heads == list(NAMES)


def test_light_and_dark_are_switched(report: Path, page: Any):
    """By the button, whatever the system has."""
    page.resize(1280, 900, dark=True)
    page.open(report)
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.run(paper)
    page.run("document.getElementById('theme').click()")
    light = page.run(paper)
    page.run("document.getElementById('theme').click()")
    assert page.run(paper) == dark != light


def test_the_keyboard_reaches_everything(report: Path, page: Any):
    """Tab goes to the link that skips first, and Enter on a number of the matrix opens its pictures."""
    page.open(report)
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    page.run("document.querySelector('#matrix button').focus()")
    page.press("Enter")
    assert page.run("document.activeElement.id") == "pictures-title"


def test_a_thousand_classes_can_be_used(tmp_path: Path, judged_run: Make, page: Any, faults: Faults, shot: Shot):
    """Instead of a matrix there is a list of mistakes, which is searched and opens pictures."""
    names = [f"class {number}" for number in range(1000)]
    page.open(write_report(judged_run(tmp_path, names, pictures=2, wrong=0.3, drawn=False)))
    assert page.run("document.getElementById('matrix')") is None
    rows = "[...document.querySelectorAll('#pair-table tbody tr')].filter(row => !row.hidden)"
    every = page.run(f"{rows}.length")
    first = page.run(f"{rows}[0].cells[0].textContent")
    page.run(
        f"(() => {{ const one = document.querySelector('[data-filters=pair-table]'); one.value = '{first}';"
        "one.dispatchEvent(new Event('input')) })()"
    )
    assert 1 <= page.run(f"{rows}.length") < every
    page.run(f"{rows}[0].querySelector('button').click()")
    assert page.run("document.querySelectorAll('#gallery figure').length") >= 1
    shot("report-1000")
    assert faults() == []


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> tuple[Path, Path]:
    """A data set with a wrong label and a copy, and the folder with the pages about it."""
    folder = tmp_path_factory.mktemp("inspected")
    data = make_photos(folder / "photos", {"red": 14, "green": 14, "كحلي": 14})
    (data / "red" / "13.png").rename(data / "green" / "wrong.png")
    (data / "green" / "copy.png").write_bytes((data / "green" / "0.png").read_bytes())
    pages = ["--html", str(folder / "found.html"), "--review", str(folder / "review.html")]
    words = [
        "inspect",
        str(data),
        "--folds",
        "2",
        "--fold-epochs",
        "2",
        "--size",
        "32",
        "--cache",
        str(folder / "cache"),
    ]
    assert main([*words, *pages]) == 0
    return data, folder


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("name", ["found", "review"])
def test_other_pages_have_no_serious_fault(
    inspected: tuple[Path, Path], page: Any, faults: Faults, shot: Shot, name: str, width: int
):
    """Those of an inspection, too."""
    for dark in (False, True):
        page.resize(width, 900, dark=dark, phone=width < 500)
        page.open(inspected[1] / f"{name}.html")
        shot(f"{name}-{width}-{'dark' if dark else 'light'}")
        assert faults() == []
        assert page.run("document.documentElement.scrollWidth") <= width


def test_labels_are_reviewed_by_keyboard(inspected: tuple[Path, Path], page: Any, tmp_path: Path):
    """What the keys decide is saved, and what is saved becomes the labels of a manifest."""
    data, folder = inspected
    page.save_downloads(tmp_path)
    page.open(folder / "review.html")
    doubts = page.run("JSON.parse(document.getElementById('review-data').textContent).pictures")
    assert doubts[0]["path"] == "green/wrong.png"
    page.run("localStorage.clear()")
    page.open(folder / "review.html")
    page.run("document.querySelector('#list li').focus()")
    page.press("a")
    page.press("k")
    page.press("s")
    saved = tmp_path / "reviewed.json"
    end = time.monotonic() + 20
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.05)
    manifest = tmp_path / "good.csv"
    words = ["inspect", str(data), "--reviewed", str(saved), "--fix", str(manifest), "--cache", str(folder / "cache")]
    assert main(words) == 0
    rows = list(csv.DictReader(manifest.read_text(encoding="utf-8").splitlines()))
    assert [row["label"] for row in rows if row["path"].endswith("wrong.png")] == ["red"]
    assert not any(row["path"].endswith("copy.png") for row in rows)
    page.open(folder / "review.html")
    assert page.run("document.querySelector('#list li').className") == "decided"  # kept where the reader left off
