from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.data.index import index_from_columns
from pictaxa.reporting import figures
from pictaxa.reporting.page import split_counts

Make = Callable[..., Path]


class Links(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith(("data:", "#")):
                self.outside.append(value)


@pytest.fixture
def chinese_run(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]) -> Path:
    """A run on classes with Chinese names, one bad picture, and a name that looks like HTML."""
    data = make_photos(tmp_path / "花", {"玫瑰": 10, "雏菊": 10, "<b>tulip</b>": 10})
    (data / "玫瑰" / "坏的.png").write_bytes(b"broken")
    words = ["train", str(data), *tiny, "--epochs", "2", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    return tmp_path / "run"


def test_the_page_is_whole_and_self_contained(chinese_run: Path):
    """Curves, table, confusion, pictures right and wrong, what was set aside: all in one file, names as they are."""
    assert main(["report", str(chinese_run)]) == 0
    page = (chinese_run / "report" / "index.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert links.outside == []
    for words in ("玫瑰", "雏菊", "坏的.png", "not a picture of a known format", "95% interval", "<svg"):
        assert words in page, words
    assert "&lt;b&gt;tulip&lt;/b&gt;" in page and "<b>tulip</b>" not in page
    assert len(re.findall(r"data:image/jpeg;base64,", page)) == 6
    assert '<th class="downwards">玫瑰</th>' in page and '<th class="across">&lt;b&gt;tulip' in page
    for name in ("curves.png", "confusion.png"):
        with Image.open(chinese_run / "report" / name) as image:
            assert image.width > 300


def test_a_report_needs_no_torch(chinese_run: Path):
    """The report is written without importing torch."""
    code = (
        "import sys; from pictaxa.reporting.page import write_report; "
        f"write_report({str(chinese_run)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_report_when_the_pictures_are_gone(chinese_run: Path, tmp_path: Path):
    """Pictures that were moved away leave a word in their place, not an error."""
    (tmp_path / "花").rename(tmp_path / "moved")
    assert main(["report", str(chinese_run)]) == 0
    assert "file not found" in (chinese_run / "report" / "index.html").read_text(encoding="utf-8")


def test_the_confusion_matrix_is_drawn_for_many_classes():
    """Forty classes give a drawing too, without numbers in the cells."""
    names = tuple(f"class {number}" for number in range(40))
    figure = figures.confusion(np.eye(40, dtype=int) * 5, names)
    assert len(figure.axes[0].texts) == 0
    assert len(figures.confusion(np.eye(4, dtype=int), names[:4]).axes[0].texts) == 4


def test_the_table_of_splits_by_hand():
    """Usable pictures alone, a column for each split that there is."""
    columns = {
        "path": list("uvwxyz"), "label": [0, 0, 1, 1, 1, 0], "split": ["train", "train", "train", "val", "val", "val"],
        "bytes": [1] * 6, "mtime_ns": [1] * 6,
        "problem": ["", "damaged: x", "", "", "", ""], "problem_kind": ["", "damaged", "", "", "", ""],
    }  # fmt: skip
    index = index_from_columns(columns, root=Path("/photos"), classes=("a", "b"))
    assert split_counts(index) == [{"name": "a", "train": 1, "val": 1}, {"name": "b", "train": 1, "val": 2}]


def test_a_file_in_the_reports_place(trained: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    """It is told in one line, and stays."""
    _, run = trained
    (run / "report").write_text("mine")
    assert main(["report", str(run)]) == 2
    assert "Move it elsewhere" in capsys.readouterr().err and (run / "report").read_text() == "mine"


def test_names_are_text_and_never_formulas():
    """A class called like broken TeX, or with what a terminal obeys, is drawn as it is spelled."""
    names = (r"$\frac{$", "$x^2$", "a\x1b[31m\u202eb")
    for drawing in (
        figures.confusion(np.eye(3, dtype=int), names),
        figures.grid([[figures.Tile(np.zeros((4, 4, 3), np.uint8), title=name) for name in names]]),
    ):
        shown = figures.svg(drawing)
        assert r"$\frac{$" in shown and "$x^2$" in shown and r"a\x1b[31m\u202eb" in shown
        assert "\x1b" not in shown and "\u202e" not in shown
