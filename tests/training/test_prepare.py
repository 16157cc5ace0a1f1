"""prepare.py: what is decided when little is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.config import TrainConfig
from pictaxa.errors import ConfigError, ModelError
from pictaxa.settings import with_words
from pictaxa.training.prepare import Job, prepare

Make = Callable[..., Path]


@pytest.fixture
def decide(tmp_path: Path, draw: Callable[..., object]) -> Callable[..., Job]:
    """Decides for pictures of one size."""

    def make(width: int, height: int, *, grey: bool = False, **settings: object) -> Job:
        for kind, name in enumerate("ab"):
            (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
            for number in range(4):
                image = draw(kind, number, width=width, height=height)
                (image.convert("L") if grey else image).save(tmp_path / "photos" / name / f"{number}.png")
        base = TrainConfig(data=tmp_path / "photos", out=tmp_path / "run")
        return prepare(with_words(base, settings))[0]

    return make


def test_photographs(decide: Callable[..., Job]):
    """Large pictures: the model's own size in training, squares with room for crops, colour, mirrored twice."""
    job = decide(400, 300)
    assert job.size == 128 and job.geometry.square == 160 and job.geometry.channels == 3
    assert job.geometry.flip_average and job.cache.side == 160
    assert job.size_at(0.0) == 64 and job.size_at(0.99) == 128


def test_small_pictures_are_not_enlarged_for_nothing(decide: Callable[..., Job]):
    """28 px grey pictures are cached as they are and seen at the least size that the model takes."""
    job = decide(28, 28, grey=True, policy="light")
    assert (job.geometry.square, job.size, job.geometry.size) == (28, 32, 32)
    assert job.geometry.channels == 1 and not job.geometry.flip_average


def test_a_model_of_one_size(decide: Callable[..., Job]):
    """simple_cnn is built for the size that is asked for, and no other is used in its training."""
    job = decide(60, 60, model="simple_cnn", size=40)
    assert job.size == job.geometry.size == job.size_at(0.0) == 40
    assert job.run.config["chosen"]["model_options"] == ["size=40"]


def test_what_is_asked_for_wins(decide: Callable[..., Job]):
    """Sizes, squares, channels, view and the average over mirror images as asked."""
    asked = {"size": 64, "test_size": 96, "square": 100, "channels": "1", "view": "fit", "flip_average": "no"}
    geometry = decide(300, 300, **asked).geometry
    assert (geometry.square, geometry.channels, geometry.view, geometry.size) == (100, 1, "fit", 96)
    assert not geometry.flip_average


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"model": "simple_cnn", "size": 28, "test_size": 32}, ConfigError),
        ({"model": "lenet5", "size": 64}, ModelError),
        ({"size": 16}, ModelError),
        ({"test_size": 16}, ModelError),
    ],
)
def test_sizes_that_cannot_be(decide: Callable[..., Job], tmp_path: Path, settings: dict[str, object], kind: type):
    """What the model can't take is told before a run folder is made."""
    with pytest.raises(kind):
        decide(100, 100, **settings)
    assert not (tmp_path / "run").exists()
