from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.data.index import index_from_columns
from pictaxa.metrics import Predictions, summarise
from pictaxa.reporting import figures
from pictaxa.reporting.page import split_counts, write_report
from pictaxa.runs.folder import open_run
from pictaxa.runs.records import read_index, write_predictions
from pictaxa.runs.slices import Slice, Slices, keep_slices
from pictaxa.runs.test_looks import add_test_look

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


class Texts(HTMLParser):
    """Collects the texts of a page, without code, paths and names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "img", "input", "line", "circle", "polyline", "rect"):
            self.within.append(tag)
        self.found += [value for name, value in attrs if name == "aria-label" and value and "{" not in value]

    def handle_endtag(self, tag: str) -> None:
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"script", "style", "code", "bdi", "title"} & set(self.within):
            self.found.append(data.strip())


def data_of(page: str) -> Any:
    """What the script of a report reads."""
    return json.loads(page.partition('id="report-data">')[2].partition("</script>")[0])


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
    pictures = data_of(page)["pictures"]
    assert len(pictures) == 6 and all(one[5].startswith("data:image/webp;base64,") for one in pictures)
    assert '<span class="downwards"><bdi>玫瑰</bdi>' in page
    assert '<span class="across"><bdi>&lt;b&gt;tulip' in page
    assert f"pictaxa train --config {chinese_run}/config.json" in page and "--epochs 2" in page
    for name in ("curves.png", "confusion.png"):
        with Image.open(chinese_run / "report" / name) as image:
            assert image.width > 300


def test_the_data_end_no_element(chinese_run: Path):
    """Whatever classes are called, the page has the two scripts that are ours, and what they read is JSON."""
    assert main(["report", str(chinese_run)]) == 0
    page = (chinese_run / "report" / "index.html").read_text(encoding="utf-8")
    assert page.count("</script>") == page.count("<script") == 2
    assert data_of(page)["classes"] == list(open_run(chinese_run).classes)


def test_a_page_in_chinese(chinese_run: Path):
    """Every text of ours is Chinese: what stays in Latin letters are names, numbers, commands and files."""
    assert main(["report", str(chinese_run), "--language", "zh"]) == 0
    page = (chinese_run / "report" / "index.html").read_text(encoding="utf-8")
    assert '<html lang="zh">' in page
    texts = Texts()
    texts.feed(page)
    known = re.compile(
        r"(F1|ROC|Brier|Cohen|kappa|Matthews|WebP|pictaxa|predict|config|json|parquet|cpu|float32|lenet5)"
    )
    for text in texts.found:
        words = re.findall(r"[A-Za-z]{3,} [a-z]{3,}", known.sub("", text))
        assert not words, text


def test_a_report_needs_no_torch(chinese_run: Path):
    """The report is written without importing torch."""
    code = (
        "import sys; from pictaxa.reporting.page import write_report; "
        f"write_report({str(chinese_run)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_errors_with_heat_and_neighbours(chinese_run: Path):
    """The first report makes the heat maps; after it a report needs the run folder alone, and no torch."""
    assert main(["report", str(chinese_run)]) == 0
    page = (chinese_run / "report" / "index.html").read_text(encoding="utf-8")
    wrong = sum(one[1] != one[2] for one in data_of(page)["pictures"])
    assert wrong and page.count('class="heat answer"') == page.count('class="heat label"') == wrong
    assert page.count("Training pictures that look like it:") == wrong and 'class="map"' in page
    assert all(-1000 <= one[6] <= 1000 for one in data_of(page)["pictures"]) and 'value="strange"' in page
    code = (
        "import sys; from pictaxa.cli.main import main; "
        f"assert main(['report', {str(chinese_run)!r}]) == 0; assert 'torch' not in sys.modules"
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


def test_ten_thousand_pictures_take_less_than_five_megabytes(tmp_path: Path, judged_run: Make):
    """The wrong ones have their pictures, and as many of the others as there is room for; the rest is listed."""
    run = judged_run(tmp_path, [f"class {number}" for number in range(10)], pictures=1000, wrong=0.04, drawn=False)
    for label in range(10):
        (tmp_path / "photos" / str(label)).mkdir(parents=True)
    coarse = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    first = tmp_path / "photos" / "0" / "class 0-0.png"
    Image.fromarray(coarse).resize((160, 160), Image.Resampling.BICUBIC).save(first)
    for name in read_index(open_run(run)).column("path"):
        path = tmp_path / "photos" / name
        if path != first:
            path.hardlink_to(first)
    written = write_report(run)
    assert written.stat().st_size < 5_000_000
    pictures = data_of(written.read_text(encoding="utf-8"))["pictures"]
    wrong = [one for one in pictures if one[1] != one[2]]
    assert len(pictures) == 10_000 and len(wrong) > 200 and all(one[5] for one in wrong)
    shown = sum(bool(one[5]) for one in pictures)
    assert 300 < shown < 10_000 and {one[1] for one in pictures[len(wrong) : shown]} == set(range(10))


def test_classes_that_are_odd(tmp_path: Path, judged_run: Make):
    """One validation picture of a class, a class that nobody answers, pictures of one colour: a page all the same."""
    run = open_run(judged_run(tmp_path, ["a", "b", "c"], pictures=1, wrong=0.0, side=4))
    index = read_index(run)
    answers = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.0, 0.3, 0.7]], np.float32)
    predictions = Predictions(np.arange(3), index.labels, answers)
    write_predictions(run, predictions, index=index)
    run.write_metrics(summarise(predictions, run.classes))
    Image.new("RGB", (5, 5), (7, 7, 7)).save(tmp_path / "photos" / "0" / "a-0.png")
    page = write_report(run.path).read_text(encoding="utf-8")
    assert "never answered" in page and "the model never answers <bdi>b</bdi>" in page


def test_a_run_without_validation_predictions(trained: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    """One line with what to do, as for runs that were never validated."""
    _, run = trained
    (run / "predictions-val.parquet").unlink()
    assert main(["report", str(run)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert "predictions-val.parquet" in told[-1] and "make it again" in told[-1]


def test_a_matrix_of_a_thousand_classes_is_drawn():
    """Without names, for which there is no room, and soon."""
    figure = figures.confusion(np.eye(1000, dtype=int), tuple(f"class {number}" for number in range(1000)))
    assert "class 3" not in {label.get_text() for label in figure.axes[0].get_xticklabels()}


def test_a_run_of_folds(tmp_path: Path, judged_run: Make):
    """It has no model and no curves of its own, and nothing is told to be missing that it can't have."""
    run = judged_run(tmp_path, ["a", "b"], epochs=0)
    config = json.loads((run / "config.json").read_text())
    config["asked"]["folds"] = 3
    (run / "config.json").write_text(json.dumps(config))
    page = write_report(run).read_text(encoding="utf-8")
    assert "one of 3 trainings" in page and "The head was solved" not in page
    assert "pictaxa nearest" not in page and "pictaxa explain" not in page


def test_slices_and_looks_at_test_pictures(tmp_path: Path, judged_run: Make):
    """The parts that do worse, a significant one in the summary; and how often test pictures were judged."""
    run = open_run(judged_run(tmp_path, ["a", "b"], pictures=40))
    part = Slice("camera", "X100", 30, 15, low=0.33, high=0.67, p_value=0.001, p_holm=0.004)
    other = Slice("brightness", "12% to 31%", 50, 45, low=0.79, high=0.96, p_value=0.5, p_holm=0.5)
    keep_slices(run, Slices({}, 80, 60, (part, other), ("no month is known",)))
    add_test_look(run, "more photos", ["1", "2"], right=1)
    page = write_report(run.path).read_text(encoding="utf-8")
    assert "of <bdi>30</bdi> pictures (<bdi>camera</bdi>: <bdi>X100</bdi>) only <bdi>50.0%</bdi> are right" in page
    assert "brightness: <bdi>12% to 31%</bdi>" in page and "no month is known" in page
    assert "judged <bdi>1</bdi> times" in page and "<bdi>more photos</bdi>" in page


def test_pictures_of_none_of_the_classes_are_counted():
    """As predict counts them: below the fifth least of 100, which is the limit that accepts 95%."""
    from types import SimpleNamespace

    from pictaxa.reporting.reliability import refused

    closeness = np.linspace(0, 1, 100, dtype=np.float32)
    assert refused(SimpleNamespace(closeness=closeness)) == (4, 100)  # the fifth least is the limit: k = 5 of 101
    assert refused(SimpleNamespace(closeness=closeness[:18])) is None and refused(None) is None
