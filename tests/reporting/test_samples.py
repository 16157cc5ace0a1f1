"""reporting/samples.py: plain samples with their labels."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictaxa
from pictaxa.cli.main import main
from pictaxa.data.reading import read_data
from pictaxa.errors import ConfigError
from pictaxa.reporting import figures
from pictaxa.reporting.samples import Wanted, class_after_class, draw_samples, read_grid

Make = Callable[..., Path]


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[list[list[figures.Tile]]]:
    """What grids are drawn of, one after the other."""
    drawn: list[list[list[figures.Tile]]] = []
    grid = figures.grid

    def kept(rows: list[list[figures.Tile]], **words: float) -> figures.Figure:
        drawn.append(rows)
        return grid(rows, **words)

    monkeypatch.setattr(figures, "grid", kept)
    return drawn


def test_a_grid_has_different_pictures_of_all_classes(
    tmp_path: Path, make_photos: Make, tiles: list[list[list[figures.Tile]]], capsys: pytest.CaptureFixture[str]
):
    """Classes in turns, each picture once though its file is there twice; another seed shows others."""
    data = make_photos(tmp_path / "photos", {"red": 6, "green": 6, "玫瑰": 6})
    shutil.copy(data / "red" / "0.png", data / "red" / "copy.png")
    (data / "green" / "bad.png").write_bytes(b"broken")
    out = tmp_path / "new" / "a.png"
    for seed in (0, 0, 1):
        assert main(["preview", str(data), "--grid", "3x4", "--out", str(out), "--seed", str(seed)]) == 0
    assert f"{out}: 12 pictures" in capsys.readouterr().out
    first, again, other = tiles
    assert [len(row) for row in first] == [4, 4, 4]
    assert Counter(tile.title for row in first for tile in row) == {"red": 4, "green": 4, "玫瑰": 4}
    pixels = [[tile.pixels.tobytes() for row in grid for tile in row] for grid in (first, again, other)]
    assert len(set(pixels[0])) == 12 and pixels[0] == pixels[1] != pixels[2]
    with Image.open(out) as image:
        assert image.width > 600


def test_one_class_and_one_split(tmp_path: Path, make_photos: Make, tiles: list[list[list[figures.Tile]]]):
    """--class shows nothing else, --split only its pictures; fewer than asked for are told, in Python too."""
    make_photos(tmp_path / "photos" / "train", {"red": 5, "green": 5})
    make_photos(tmp_path / "photos" / "val", {"red": 2, "green": 2}, first=10)
    data, out = tmp_path / "photos", tmp_path / "a.png"
    path, count = draw_samples(data, out, wanted=Wanted(rows=3, columns=3, class_name="green", split="val"))
    assert (path, count) == (out, 2) and [tile.title for tile in tiles[0][0]] == ["green", "green"]
    preview = pictaxa.preview(data, out, grid="1x3", class_="red")
    assert preview.picture == out and preview.operations is None and "<img" in preview._repr_html_()
    assert [tile.title for tile in tiles[1][0]] == ["red"] * 3


def test_more_classes_than_places(tmp_path: Path, make_photos: Make, tiles: list[list[list[figures.Tile]]]):
    """A random choice of classes, one picture of each."""
    data = make_photos(tmp_path / "photos", {f"class {number}": 2 for number in range(12)})
    for seed in (0, 1):
        draw_samples(data, tmp_path / "a.png", wanted=Wanted(rows=2, columns=2, seed=seed))
    titles = [{tile.title for row in grid for tile in row} for grid in tiles]
    assert len(titles[0]) == len(titles[1]) == 4 and titles[0] != titles[1]


def test_class_after_class_takes_all(tmp_path: Path, make_photos: Make):
    """Every row once; a class that has run out is passed over."""
    index = read_data(make_photos(tmp_path / "photos", {"a": 4, "b": 1}))
    rows = class_after_class(index, np.arange(5), seed=3)
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert [index.classes[index.labels[row]] for row in rows] == ["a", "b", "a", "a", "a"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--grid", "3"), "rows x columns for --grid; found '3'"),
        (("--grid", "0x4"), "a grid of 1 to 100 pictures"),
        (("--grid", "50x50"), "a grid of 1 to 100 pictures"),
        (("--grid", "2x2", "--class", "gren"), "Did you mean green"),
        (("--grid", "2x2", "--split", "val"), "not split yet"),
        (("--class", "red"), "Use --grid 3x4 --class"),
        (("--split", "val"), "Use --grid 3x4 --split"),
        (("--grid", "2x2", "--batch"), "--grid or --batch"),
    ],
)
def test_mistakes_are_one_line(
    words: tuple[str, ...], told: str, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]
):
    """What is no grid, no class and no split is told with what to do."""
    data = make_photos(tmp_path / "photos", {"red": 2, "green": 2})
    assert main(["preview", str(data), "--out", str(tmp_path / "a.png"), *words]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


def test_a_grid_in_words():
    """Rows x columns, with any sign between them."""
    assert read_grid("3x4") == read_grid("3 X 4") == read_grid("3×4") == (3, 4)
    with pytest.raises(ConfigError, match="--split"):
        Wanted(rows=1, columns=1, split="validation")
