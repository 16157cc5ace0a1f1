"""api/: what stands in `pictaxa.` itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import pictaxa
from pictaxa import errors
from pictaxa.api import data, given, models, runs
from pictaxa.errors import ConfigError, WeightsError

Trained = tuple[Path, Path]


def test_the_public_names_are_those_of_the_face():
    """Each is found, and is the function of api/ where it has one."""
    for name in pictaxa.__all__:
        assert callable(getattr(pictaxa, name))
    for name, module in (("train", runs), ("evaluate", runs), ("report", runs), ("probe", data), ("look", models)):
        assert getattr(pictaxa, name) is getattr(module, name)
    assert given.data_of("photos") == Path("photos")
    tree = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert tree <= set(pictaxa.__all__) and all(getattr(pictaxa, name) is getattr(errors, name) for name in tree)
    with pytest.raises(AttributeError, match="no_such_name"):
        pictaxa.no_such_name  # noqa: B018


def test_what_was_trained_is_judged_reported_and_loaded(trained: Trained):
    """The same figures by evaluate as in the run, and a page."""
    data, path = trained
    predictor = pictaxa.load(path)
    answers = predictor.predict(sorted((data / "red").iterdir()))
    assert np.mean([answer.label == "red" for answer in answers]) > 0.8
    assert pictaxa.evaluate(path).metrics["confusion"] == predictor.run.metrics["confusion"]
    assert runs.report(path).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_weights_of_a_run_by_its_folder(trained: Trained):
    """A model of the same entry gives the run's logits; one of another does not take them."""
    _, path = trained
    predictor = pictaxa.load(path)
    model = pictaxa.create_model("lenet5", 3).eval()
    pictaxa.load_weights(model, path, source="pictaxa")
    squares, aspects, logits = predictor.run.probe()
    assert np.allclose(predictor.logits(squares, aspects), logits, atol=1e-4)
    kept = predictor.run.existing("model.safetensors")
    assert kept.exists() and torch.isfinite(model(torch.rand(2, 3, 28, 28))).all()
    with pytest.raises(WeightsError):
        pictaxa.load_weights(pictaxa.create_model("alexnet", 3), path, source="pictaxa")


def test_settings_are_the_flags_of_the_command(tmp_path: Path):
    """An unknown one is told with the nearest; neither data nor a config is a programmer's mistake."""
    with pytest.raises(ConfigError, match="epochs"):
        pictaxa.train(tmp_path, epoch=3)
    with pytest.raises(TypeError, match="folder of pictures"):
        pictaxa.train()


def test_resuming_takes_nothing_else(trained: Trained):
    """Data or a setting beside it is told, and not passed over."""
    data, path = trained
    for beside in ({"data": data}, {"epochs": 9}):
        with pytest.raises(ConfigError, match="resume=RUN without other arguments"):
            pictaxa.train(resume=path, **beside)


def test_a_recipe_may_say_which_weights_are_probed(tmp_path: Path, make_photos: Callable[..., Path]):
    """Nothing asked for wins over nothing: the recipe's model is what is probed."""
    probe = pictaxa.probe(make_photos(tmp_path / "photos", {"a": 6, "b": 6}), recipe="mnist-simple-cnn")
    assert probe.model == "simple_cnn"
