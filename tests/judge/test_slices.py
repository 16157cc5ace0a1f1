from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pictaxa.cli.main import main
from pictaxa.images.decode import Square
from pictaxa.judge.evaluate import Selection, evaluate_run
from pictaxa.judge.intervals import Units
from pictaxa.judge.slices import Measures, find_slices, slice_lines, slices_of, worst_line
from pictaxa.metrics import wilson_interval
from pictaxa.runs.folder import open_run
from pictaxa.runs.names import SLICES
from pictaxa.runs.slices import Slices, read_slices

Make = Callable[..., Path]


def sliced(columns: dict[str, np.ndarray], right: np.ndarray) -> Slices:
    return find_slices(columns, right, Units(np.arange(len(right))))


def test_the_worst_slice_by_hand():
    """Of two folders the one with 15 of 30 right is named, with Wilson's interval and Fisher's test, counted twice."""
    folders = np.array(["north"] * 30 + ["south"] * 70 + [""] * 5 + ["few"] * 5)
    right = np.array([True] * 15 + [False] * 15 + [True] * 70 + [True] * 10)
    slices = sliced({"folder": folders}, right)
    worst = slices.worst
    assert worst is not None and (worst.by, worst.name, worst.pictures, worst.right) == ("folder", "north", 30, 15)
    assert (worst.low, worst.high) == pytest.approx(wilson_interval(15, 30))
    assert worst.p_value < 1e-9 and worst.p_holm == pytest.approx(2 * worst.p_value)
    assert [one.name for one in slices.slices] == ["north", "south"]
    line = worst_line(slices)
    assert "folder north: accuracy 50.0%" in line and "100.0% on all others; more than chance" in line


def test_numbers_are_cut_into_parts_of_equal_size():
    """Five of a hundred pictures; unknown ones are in none; of 40 pictures two, and of a constant none."""
    values = np.concatenate([np.linspace(0, 1, 100), [np.nan] * 3])
    slices = sliced({"brightness": values}, np.arange(103) % 2 == 0)
    assert sorted(one.pictures for one in slices.slices) == [20] * 5
    assert {one.name for one in slices.slices} >= {"0% to 19%", "81% to 100%"}
    assert len(sliced({"size": np.arange(40.0)}, np.ones(40, dtype=bool)).slices) == 2
    assert not sliced({"size": np.full(100, 7.0)}, np.ones(100, dtype=bool)).slices


def test_chance_is_told_as_chance():
    """Where a picture's folder has nothing to do with the answer, no slice of forty is called more than chance."""
    random = np.random.default_rng(0)
    columns = {f"group {number}": random.integers(0, 8, 400).astype(str) for number in range(5)}
    slices = sliced(columns, random.random(400) < 0.9)
    assert len(slices.slices) == 40 and slices.worst is not None
    assert min(one.p_value for one in slices.slices) < 0.2 and "which may be chance" in worst_line(slices)


def test_too_few_pictures_for_any_slice():
    """It is said, and nothing is named."""
    slices = sliced({"folder": np.array(["a", "b"] * 9)}, np.ones(18, dtype=bool))
    assert slices.worst is None and slice_lines(slices) == ["slices    no slice has enough pictures (20)"]


def test_squares_are_measured_as_they_come():
    """A dark picture is darker, and a softened one less sharp; a digit's sharpness is not measured."""
    noise = Image.effect_noise((64, 64), 90)
    soft = noise.filter(ImageFilter.GaussianBlur(3))
    measures = Measures()
    for image, factor in ((noise, 1.0), (noise, 0.3), (soft, 1.0)):
        pixels = (np.asarray(image)[..., None] * factor).astype(np.uint8)
        measures.add(Square(np.repeat(pixels, 3, axis=2), width=100, height=50))
    found = measures.columns()
    assert found["brightness"][1] < 0.5 * found["brightness"][0] and found["sharpness"][2] < found["sharpness"][0]
    assert found["size"].tolist() == [100] * 3 and found["aspect"].tolist() == [2] * 3
    small = Measures()
    small.add(Square(np.zeros((28, 28, 1), dtype=np.uint8), width=28, height=28))
    assert set(small.columns()) == {"size", "aspect", "brightness"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> Path:
    """A run with 48 validation pictures, of which half are dark; its pictures lie beside it."""
    folder = tmp_path_factory.mktemp("slices")
    for part in ("train", "val"):
        make_photos(folder / "photos" / part, {"red": 24, "green": 24}, first=0 if part == "train" else 100)
    for path in sorted((folder / "photos" / "val").rglob("*.png"))[::2]:
        with Image.open(path) as image:
            dark = image.point(lambda value: value // 5)
        dark.save(path)
    words = ["--model", "lenet5", "--size", "28", "--square", "36", "--batch-size", "8", "--precision", "float32"]
    words += ["--policy", "light", "--epochs", "2", "--cache", str(folder / "cache"), "--out", str(folder / "run")]
    assert main(["train", str(folder / "photos"), *words]) == 0
    return folder / "run"


def test_a_run_keeps_its_slices(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """They are made after the training, found again by `evaluate --slices`, and made anew where the file is torn."""
    kept = read_slices(open_run(run))
    assert kept is not None and {one.by for one in kept.slices} == {"brightness", "sharpness"}
    assert kept.pictures == 48 and max(one.pictures for one in kept.slices) == 24
    assert main(["evaluate", str(run), "--slices", "--json", str(tmp_path / "a.json")]) == 0
    assert "slices    the worst of 4 is" in capsys.readouterr().out
    document = json.loads((tmp_path / "a.json").read_text())["slices"]
    assert [(one["by"], one["name"], one["right"]) for one in document["slices"]] == [
        (one.by, one.name, one.right) for one in kept.slices
    ]
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / SLICES).write_text("{")
    assert slices_of(copy) == kept
    assert "is made again" in capsys.readouterr().err


def test_pictures_that_are_gone_leave_what_is_known(run: Path, tmp_path: Path):
    """Brightness and sharpness are skipped with a note; the size that the index has is not."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / SLICES).unlink()
    config = json.loads((copy / "config.json").read_text())
    config["chosen"]["root"], config["asked"]["cache"] = str(tmp_path / "none"), str(tmp_path / "cache")
    (copy / "manifest.json").unlink()
    (copy / "config.json").write_text(json.dumps(config))
    slices = slices_of(copy)
    assert not slices.slices and any("gone" in note or "not measured" in note for note in slices.notes)


def test_slices_of_other_pictures(run: Path, tmp_path: Path, make_photos: Make):
    """By the folders that they lie in, but for those that are called like a split or the class."""
    for number, place in enumerate(("north", "south")):
        make_photos(tmp_path / "new" / "red" / place, {"x": 22}, first=300 * (number + 1))
    make_photos(tmp_path / "new", {"x": 1, "green": 12}, first=900)
    shutil.rmtree(tmp_path / "new" / "x")
    evaluation = evaluate_run(run, tmp_path / "new", select=Selection(), slices=True)
    assert evaluation.slices is not None
    assert {one.name for one in evaluation.slices.slices if one.by == "folder"} == {"north/x", "south/x"}
