from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import ConfigError
from pictaxa.explaining.nearest import MAX_ROWS, NearestGrid, find_nearest
from pictaxa.inference.inputs import named_pictures
from pictaxa.inference.loading import load
from pictaxa.runs.names import VECTORS

Trained = tuple[Path, Path]


def side_of(path: Path) -> int:
    """The height of a drawing, pixels."""
    with Image.open(path) as image:
        return image.height


def test_a_training_picture_is_most_like_itself(trained: Trained):
    """With a similarity of 1 to rounding, its own label and path; the next are less and less like it."""
    data, run = trained
    picture = data / "red" / "0.png"
    predictor = load(run, device="cpu")
    (found,) = find_nearest(predictor, named_pictures([picture]), count=4)
    assert found.neighbours[0].similarity == pytest.approx(1, abs=0.02)
    assert found.neighbours[0].path == str(picture) and found.neighbours[0].label == "red"
    similarities = [near.similarity for near in found.neighbours]
    assert len(similarities) == 4 and similarities == sorted(similarities, reverse=True)


def test_text_and_json(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The command names each picture with its answer and neighbours, and what could not be read with the reason."""
    data, run = trained
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    files = [str(data / "blue" / "3.png"), str(tmp_path / "torn.png")]
    capsys.readouterr()
    assert main(["nearest", str(run), *files, "--count", "2", "--json", str(tmp_path / "near.json")]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith(f"{files[0]}: ") and said.out.count("\n    ") == 2
    assert "torn.png: not read: " in said.out and "1 of 2 files could not be read" in said.err
    first, second = json.loads((tmp_path / "near.json").read_text())["pictures"]
    assert first["nearest"][0].keys() == {"path", "label", "similarity"} and len(first["nearest"]) == 2
    assert second["problem_kind"] and "nearest" not in second


def test_a_drawing_has_a_row_for_each(trained: Trained, tmp_path: Path):
    """Python gives the list and draws; pictures that can't be read have no row, and only the first ones have."""
    data, run = trained
    out = tmp_path / "near.png"
    found = pictaxa.nearest(run, [data / "red" / "0.png", b"no picture", data / "green" / "1.png"], count=3, grid=out)
    assert [len(one.neighbours) for one in found] == [3, 0, 3]
    two = side_of(out)
    assert "<img" in found._repr_html_()
    many = pictaxa.nearest(run, data, count=3, grid=out)
    assert len(many) == 36 and side_of(out) > (MAX_ROWS - 1) * two / 2
    grid = NearestGrid(load(run, device="cpu"), out)
    assert "no grid is drawn" in grid.draw()


def test_pictures_that_are_gone_leave_a_blank(trained: Trained, tmp_path: Path, own_cache: Path):
    """Without the training pictures and their cache the labels are told and drawn all the same."""
    data, run = trained
    new = tmp_path / "new.png"
    (data / "red" / "0.png").rename(new)
    for kind in ("red", "green", "blue"):
        for path in (data / kind).iterdir():
            path.unlink()
    own_cache.rename(own_cache.with_name("hidden"))
    try:
        (found,) = pictaxa.nearest(run, new, grid=tmp_path / "near.png")
        assert len(found.neighbours) == 5 and (tmp_path / "near.png").exists()
    finally:
        own_cache.with_name("hidden").rename(own_cache)


@pytest.mark.parametrize(
    "words", [["--count", "0"], ["--grid", "near.jpg"], []], ids=["no neighbours", "no PNG", "no pictures"]
)
def test_mistakes_are_one_line(trained: Trained, words: list[str], capsys: pytest.CaptureFixture[str]):
    """What can't be meant ends with status 2."""
    data, run = trained
    capsys.readouterr()
    files = [str(data / "red" / "0.png")] if words else []
    assert main(["nearest", str(run), *files, *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_older_run_gets_its_vectors(trained: Trained):
    """A run that keeps none computes them, and keeps them."""
    data, run = trained
    (run / VECTORS).unlink()
    (found,) = pictaxa.nearest(run, data / "red" / "0.png", count=100)
    assert (run / VECTORS).exists() and 0 < len(found.neighbours) < 36
    assert "red" in repr(found)


def test_count_is_checked_in_python(trained: Trained):
    """As on the command line."""
    _, run = trained
    with pytest.raises(ConfigError, match="count"):
        pictaxa.nearest(run, np.zeros((20, 20, 3), np.uint8), count=0)


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_picture_of_one_colour(trained: Trained, colour: int, make_photos: Callable[..., Path]):
    """Has neighbours and an answer as any other."""
    _, run = trained
    (found,) = pictaxa.nearest(run, np.full((20, 30, 3), colour, np.uint8))
    assert len(found.neighbours) == 5 and all(-1.01 <= near.similarity <= 1.01 for near in found.neighbours)
