"""setup.py: what is decided when little is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.errors import ConfigError, ModelError
from pictaxa.runs.places import create_run
from pictaxa.training.job import Job
from pictaxa.training.setup import prepare, setup

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
        return prepare(setup(with_words(base, settings)), create_run(tmp_path / "run"))[0]

    return make


NOTHING, KNOWN = {"weights": "none"}, {}


def test_photographs_from_nothing(decide: Callable[..., Job]):
    """Large pictures: the model's own size in training, squares with room for crops, colour, mirrored twice, whole."""
    job = decide(400, 300, **NOTHING)
    assert (job.config.model, job.size, job.geometry.square, job.geometry.channels) == ("resnet_lite", 128, 160, 3)
    assert job.geometry.tta == "flip" and job.cache.side == 160 and job.geometry.view == "squash"
    assert job.size_at(0.0) == 64 and job.size_at(0.99) == 128 and job.peak_lr == 0.15
    assert not job.config.transfer.knows


def test_photographs_from_known_weights(decide: Callable[..., Job]):
    """The size that the network knows them at, less at first, more in prediction, the centred square, small steps."""
    job = decide(400, 300, **KNOWN)
    found = (job.config.model, job.size, job.geometry.size, job.geometry.square, job.geometry.channels)
    assert found == ("efficientnet_lite0", 224, 288, 360, 3)
    assert job.geometry.tta == "flip" and job.geometry.view == "centre"
    assert (job.size_at(0.0), job.size_at(0.4), job.size_at(0.99)) == (160, 192, 224)
    assert job.peak_lr == 3e-4 and job.new_head and job.config.transfer.knows


@pytest.mark.parametrize(
    ("side", "size", "test_size", "square"),
    [
        (28, 160, 160, 28),
        (60, 160, 160, 60),
        (100, 192, 192, 100),
        (112, 224, 224, 112),
        (260, 224, 256, 260),
        (300, 224, 288, 300),
        (450, 224, 288, 360),
    ],
)
def test_small_pictures_are_enlarged_to_what_a_network_knows(
    decide: Callable[..., Job], side: int, size: int, test_size: int, square: int
):
    """Twice their size, no less than five sevenths of the network's own and no more than that; cached as they are.

    Prediction looks closer, up to nine sevenths of that, where there is more to be seen.
    """
    job = decide(side, side, **KNOWN)
    assert (job.size, job.geometry.size, job.geometry.square) == (size, test_size, square)


@pytest.mark.parametrize("words", [{"size": 96}, {"test_size": 224}, {"size": 96, "test_size": 128}])
def test_a_size_that_was_said_is_predictions_too(decide: Callable[..., Job], words: dict[str, int]):
    """Who says one of the two sizes has it in prediction, and both where both are said."""
    job = decide(400, 400, **words, **KNOWN)
    assert job.geometry.size == words.get("test_size", job.size) and job.size == words.get("size", 224)


def test_small_pictures_are_not_enlarged_for_nothing(decide: Callable[..., Job]):
    """28 px grey pictures are cached as they are and seen at the least size that the model takes."""
    job = decide(28, 28, grey=True, policy="light", **NOTHING)
    assert (job.geometry.square, job.size, job.geometry.size) == (28, 32, 32)
    assert job.geometry.channels == 1 and job.geometry.tta == "none"


def test_grey_pictures_with_imagenets_weights(decide: Callable[..., Job]):
    """They have one channel all the same."""
    job = decide(60, 60, grey=True, **KNOWN)
    assert job.config.model == "efficientnet_lite0" and job.geometry.channels == 1


def test_a_model_of_one_size(decide: Callable[..., Job]):
    """simple_cnn is built for the size that is asked for, and no other is used in its training."""
    job = decide(60, 60, model="simple_cnn", size=40)
    assert job.size == job.geometry.size == job.size_at(0.0) == 40
    assert job.run.config["chosen"]["model_options"] == ["size=40"]


def test_what_is_asked_for_wins(decide: Callable[..., Job]):
    """Sizes, squares, channels, view and the average over mirror images as asked."""
    asked = {"size": 64, "test_size": 96, "square": 100, "channels": "1", "view": "fit", "tta": "none"}
    geometry = decide(300, 300, **asked).geometry
    assert (geometry.square, geometry.channels, geometry.view, geometry.size) == (100, 1, "fit", 96)
    assert geometry.tta == "none"


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
