from __future__ import annotations

import json
from pathlib import Path

import pytest

import pictaxa
from pictaxa.config import TrainConfig
from pictaxa.errors import ConfigError
from pictaxa.settings import config_fields, from_json, to_json, with_words

BASE = TrainConfig(data=Path("photos"))


def test_a_config_comes_back_from_json():
    """What is saved and read again is the same config, groups, paths and lists included."""
    config = with_words(BASE, {"epochs": 3, "augment": ["rotation=5"], "out": "x", "threads": 2, "clip_norm": None})
    assert from_json(json.loads(json.dumps(to_json(config)))) == config
    assert config.out == Path("x") and config.augmentation.augment == ("rotation=5",)


def test_a_new_length_replaces_the_old_one():
    """--minutes beside a saved --epochs wins, and the other way round."""
    config = with_words(with_words(BASE, {"epochs": 3}), {"minutes": 2})
    assert (config.schedule.epochs, config.schedule.minutes) == (None, 2)
    assert with_words(config, {"epochs": 4}).schedule.minutes is None


def test_small_pictures_come_first_unless_a_head_is_fitted_or_trained_on_features():
    """The default is by what is trained; what is asked for stays, but on features, which have one size."""
    runs = {"weights": "runs/a"}
    assert with_words(BASE, {}).resolved().schedule.small_first == 0.65
    assert with_words(BASE, {"tune": "all"} | runs).resolved().schedule.small_first == 0.65
    assert with_words(BASE, {"tune": "head,all"} | runs).resolved().schedule.small_first == 0
    assert with_words(BASE, {"tune": "head,all", "small_first": 0.5} | runs).resolved().schedule.small_first == 0.5
    assert with_words(BASE, {"tune": "head", "small_first": 0.5} | runs).resolved().schedule.small_first == 0


def test_settings_have_one_name():
    """No two groups share a setting's name, so flags can stand side by side; each has its help."""
    names = list(config_fields(TrainConfig))
    assert len(names) == len(set(names)) > 25


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"epcohs": 3}, "epochs"),
        ({"epochs": 0}, "from 1 on"),
        ({"minutes": -1}, "above 0"),
        ({"momentum": 1.5}, "below 1"),
        ({"label_smoothing": 1.0}, "below 1"),
        ({"size": 0}, "--size"),
        ({"seed": -1}, "--seed"),
        ({"view": "center"}, "centre"),
        ({"epochs": "three"}, "epochs"),
    ],
)
def test_bad_settings_are_told(words: dict[str, object], said: str):
    """Unknown names, values out of range, of the wrong type and outside the choices are ConfigErrors."""
    with pytest.raises(ConfigError, match=said):
        with_words(BASE, words)


def test_python_takes_the_same_words(tmp_path: Path, make_photos: object):
    """pictaxa.train takes the command's flags as arguments and gives the run ready to predict."""
    data = make_photos(tmp_path / "photos", {"red": 8, "green": 8})
    settings = {"model": "lenet5", "size": 28, "batch_size": 8, "precision": "float32", "policy": "light"}
    predictor = pictaxa.train(data, **settings, epochs=4, rate=0.03, out=tmp_path / "run")
    assert predictor.predict(data / "red" / "1.png")[0].label == "red"
    assert pictaxa.report(tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="epochs"):
        pictaxa.train(data, epcohs=4)
    assert pictaxa.create_model("lenet5", 3).num_classes == 3
