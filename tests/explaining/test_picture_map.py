from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictaxa
from pictaxa.cli.main import main
from pictaxa.explaining.picture_map import CELLS, class_colours, spread

Trained = tuple[Path, Path]


def test_the_map_is_drawn(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By the command and from Python, alike; with validation pictures on it in their colours."""
    _, run = trained
    assert main(["nearest", str(run), "--map", str(tmp_path / "map.png")]) == 0
    assert "validation pictures" in capsys.readouterr().out
    preview = pictaxa.picture_map(run, tmp_path / "again.png")
    with Image.open(preview.picture) as again, Image.open(tmp_path / "map.png") as first:
        pixels = np.asarray(again.convert("RGB")).astype(int)
        assert np.array_equal(pixels, np.asarray(first.convert("RGB")))
    reds = (abs(pixels - (200, 40, 40)).sum(axis=2) < 90).sum()
    assert reds > 300  # pictures that are nearly red


def test_only_a_png(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Another suffix is told before the work."""
    _, run = trained
    assert main(["nearest", str(run), "--map", str(tmp_path / "map.svg")]) == 2
    assert ".png" in capsys.readouterr().err


def test_thumbnails_do_not_cover_each_other():
    """Of each cell of the map the point nearest to its middle is shown, and every cell with points has one."""
    places = np.random.default_rng(0).random((2000, 2))
    shown = spread(places)
    cells = np.floor(places * CELLS).astype(int)
    assert len({tuple(cell) for cell in cells[shown]}) == len(shown) == len({tuple(cell) for cell in cells})
    assert np.array_equal(spread(np.array([[0.5, 0.5], [1.0, 1.0]])), [0, 1])


@pytest.mark.parametrize("count", [1, 2, 10, 11, 20, 1000])
def test_classes_have_colours_of_their_own(count: int):
    """However many there are."""
    colours = class_colours(count)
    assert colours.shape == (count, 4) and len(np.unique(colours, axis=0)) == count
