"""reporting/answers.py: pictures with what a run says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictaxa
from pictaxa.cli.main import main
from pictaxa.images.decode import Square
from pictaxa.inference.prediction import Prediction
from pictaxa.reporting import figures
from pictaxa.reporting.answers import MAX_PICTURES, Gallery, known_label

Trained = tuple[Path, Path]
CLASSES = ("daisy", "rose")


def square(number: int) -> Square:
    return Square(np.full((8, 8, 3), number % 256, dtype=np.uint8), width=40, height=20)


def prediction(path: str, probability: float = 0.8) -> Prediction:
    values = np.array([probability, 1 - probability], dtype=np.float32)
    return Prediction(path, CLASSES, probabilities=values, logits=None)


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[figures.Tile]:
    """The tiles of the last drawing."""
    drawn: list[figures.Tile] = []
    grid, bars = figures.grid, figures.bars

    def of_grid(rows: list[list[figures.Tile]], **words: float) -> figures.Figure:
        drawn[:] = [tile for row in rows for tile in row]
        return grid(rows, **words)

    def of_bars(tile: figures.Tile, top: list[tuple[str, float]], **words: int) -> figures.Figure:
        drawn[:] = [tile]
        return bars(tile, top, **words)

    monkeypatch.setattr(figures, "grid", of_grid)
    monkeypatch.setattr(figures, "bars", of_bars)
    return drawn


def test_right_is_green_and_wrong_is_red_where_the_label_is_known(tmp_path: Path, tiles: list[figures.Tile]):
    """By the picture's folder, in archives too; a picture that nothing is known of has neither colour."""
    gallery = Gallery(tmp_path / "a.png")
    for number, path in enumerate(("x/daisy/1.jpg", "x/rose/2.jpg", "a.zip#rose/3.jpg", "x/4.jpg")):
        gallery.look(square(number))
        gallery.write(prediction(path))
    gallery.write(Prediction("bad.jpg", CLASSES, probabilities=None, logits=None, problem="damaged"))
    assert gallery.draw() == f"{tmp_path / 'a.png'}: 4 pictures; 1 of 3 with a known label are right"
    assert [tile.colour for tile in tiles] == [figures.RIGHT, figures.BAD, figures.BAD, figures.INK]
    assert [tile.lines for tile in tiles[:2]] == [("daisy 80%",), ("daisy 80%", "labelled rose")]
    assert [int(tile.pixels[0, 0, 0]) for tile in tiles] == [0, 1, 2, 3]
    assert tiles[0].pixels.shape == (4, 8, 3)  # as wide as the picture was


def test_of_many_a_random_few_are_drawn(tmp_path: Path, tiles: list[figures.Tile]):
    """At most 24, in their order, the same for the same seed; the words count all."""
    drawn = []
    for seed in (0, 0, 1):
        gallery = Gallery(tmp_path / "a.png", seed=seed)
        for number in range(200):
            gallery.look(square(number))
            gallery.write(prediction(f"daisy/{number}.jpg"))
        told = gallery.draw()
        drawn.append([int(tile.pixels[0, 0, 0]) for tile in tiles])
    assert "24 of 200 pictures, drawn at random; 200 of 200" in told
    assert len(drawn[0]) == MAX_PICTURES and drawn[0] == sorted(drawn[0]) == drawn[1] != drawn[2]
    assert max(drawn[0]) > 100


def test_one_picture_has_its_bars(tmp_path: Path, tiles: list[figures.Tile]):
    """The picture beside a bar for each class, the rest of many counted."""
    gallery = Gallery(tmp_path / "a.png")
    gallery.look(square(7))
    gallery.write(prediction("x.jpg"))
    assert gallery.draw().endswith("1 picture") and len(tiles) == 1
    text = figures.svg(figures.bars(tiles[0], [("daisy", 0.8), ("$x^2$", 0.15)], others=3))
    for words in ("80.0%", "15.0%", "daisy", "$x^2$", "3 more classes have less"):
        assert words in text, words


def test_a_grid_by_command(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """predict of a folder of classes and of one file, evaluate of a data set; a wrong place before the work."""
    data, run = trained
    assert main(["predict", str(run), str(data), "--grid", str(tmp_path / "a.png")]) == 0
    assert "24 of 36 pictures, drawn at random; " in capsys.readouterr().out
    one = data / "red" / "0.png"
    assert main(["predict", str(run), str(one), "--grid", str(tmp_path / "new" / "b.png"), "--top", "1"]) == 0
    assert main(["evaluate", str(run), "--grid", str(tmp_path / "c.png")]) == 0
    assert f"grid      {tmp_path / 'c.png'}: " in capsys.readouterr().out
    for name in ("a.png", "new/b.png", "c.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 500
    assert main(["predict", str(run), str(data), "--grid", str(tmp_path / "a.jpg")]) == 2
    assert "End the file's name in .png." in capsys.readouterr().err


def test_a_grid_from_python(trained: Trained, tmp_path: Path):
    """The list and the evaluation keep where it is, and a notebook shows it with them."""
    data, run = trained
    picture = Image.new("RGB", (30, 20), (200, 40, 40))
    predictions = pictaxa.predict(run, [data / "red", picture], grid=tmp_path / "a.png")
    assert len(predictions) == 13 and predictions.grid == tmp_path / "a.png"
    assert predictions._repr_html_().startswith('<img src="data:image/png;base64,')
    plain = pictaxa.predict(run, data / "red")
    assert plain.grid is None and plain == predictions[:12]
    evaluation = pictaxa.evaluate(run, data, grid=tmp_path / "b.png")
    assert evaluation.grid == tmp_path / "b.png" and "<img" in evaluation._repr_html_()


def test_the_label_of_a_folder():
    """The nearest folder alone, as it is written on any disk; none for another name."""
    assert known_label("a/daisy/1.jpg", CLASSES) == known_label(r"a\daisy\1.jpg", CLASSES) == "daisy"
    assert known_label("daisy/new/1.jpg", CLASSES) == known_label("1.jpg", CLASSES) == ""
