from __future__ import annotations

import ast
import inspect
import json
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import pictaxa
from pictaxa.cli.looking import PlanArguments
from pictaxa.config.by_name import config_fields, from_json, to_json, training_like, with_words
from pictaxa.config.data import PicturesConfig
from pictaxa.config.training import TrainConfig, usual_for
from pictaxa.config.usual import FROM_KNOWN, FROM_NOTHING, Usual, resolved
from pictaxa.errors import ConfigError

BASE = TrainConfig(data=Path("photos"))


def test_a_config_comes_back_from_json():
    """What is saved and read again is the same config, groups, paths and lists included."""
    config = with_words(
        BASE, {"epochs": 3, "augment": ["rotation=5"], "out": "x", "threads": 2, "clip_grad_norm": None}
    )
    assert from_json(json.loads(json.dumps(to_json(config)))) == config
    assert config.out == Path("x") and config.augmentation.augment == ("rotation=5",)


def test_a_new_length_replaces_the_old_one():
    """--minutes beside a saved --epochs wins, and the other way round."""
    config = with_words(with_words(BASE, {"epochs": 3}), {"minutes": 2})
    assert (config.schedule.epochs, config.schedule.minutes) == (None, 2)
    assert with_words(config, {"epochs": 4}).schedule.minutes is None


KNOWN, NOTHING = {"weights": "runs/a"}, {"weights": "none"}


@pytest.mark.parametrize(
    ("words", "usual"),
    [({}, FROM_NOTHING), (NOTHING, FROM_NOTHING), (KNOWN, FROM_KNOWN), (KNOWN | {"tune": "last:2"}, FROM_KNOWN)],
)
def test_what_is_left_open_is_as_usual(words: dict[str, object], usual: Usual):
    """By whether a training starts from known weights; --weights none is from nothing."""
    config = with_words(BASE, words).resolved()
    schedule = config.schedule
    assert (config.transfer.backbone_lr_scale, config.augmentation.policy) == (usual.backbone_lr_scale, usual.policy)
    assert (config.pictures.view, config.optimization.label_smoothing) == (usual.view, usual.label_smoothing)
    assert (config.optimization.optimizer, config.optimization.weight_decay) == (usual.optimizer, usual.weight_decay)
    assert (schedule.minutes, schedule.epochs, schedule.steps) == (usual.minutes, None, None)
    found = (schedule.batch_size, schedule.warmup, schedule.progressive_resizing)
    assert found == (usual.batch_size, usual.warmup, usual.progressive_resizing)
    assert usual_for(config) is usual and config.resolved() == config


@pytest.mark.parametrize("weights", [KNOWN, NOTHING])
def test_what_is_asked_for_stays(weights: dict[str, object]):
    """Whatever is usual where the training starts, zeros too."""
    asked = {
        "batch_size": 7, "warmup": 0.0, "progressive_resizing": 0.0, "epochs": 3, "optimizer": "adam",
        "weight_decay": 0.0,
        "policy": "light", "backbone_lr_scale": 0.5, "view": "fit", "label_smoothing": 0.0,
    }  # fmt: skip
    config = with_words(BASE, asked | weights)
    assert config.resolved() == config


def test_usual_settings_differ_by_where_a_training_starts():
    """From known weights: half the time, AdamW, smaller batches, milder changes and pictures that keep their shape."""
    told = [
        (c.schedule.minutes, c.optimization.optimizer, c.schedule.batch_size, c.augmentation.policy, c.pictures.view)
        for c in (with_words(BASE, weights).resolved() for weights in (NOTHING, KNOWN))
    ]
    assert told == [(10, "sgd", 64, "strong", "squash"), (5, "adamw", 32, "standard", "centre")]


def test_a_setting_that_is_open_is_not_settled():
    """resolved() gives what is there, and stops where nobody has filled it in."""
    assert resolved(0) == 0 and resolved(BASE.resolved().schedule.minutes) == 10
    with pytest.raises(AssertionError, match="not resolved"):
        resolved(BASE.schedule.batch_size)


@pytest.mark.parametrize(
    ("words", "policy"),
    [
        ({}, "mirror"),
        ({"policy": "strong"}, "mirror"),
        ({"policy": "light"}, "none"),
        ({"policy": "none"}, "none"),
        ({"feature_views": 3}, "standard"),
        ({"feature_views": 3, "policy": "light"}, "light"),
    ],
)
def test_a_head_alone_sees_pictures_as_prediction_does(words: dict[str, object], policy: str):
    """One view: as they are and, unless the policy mirrors nothing, mirrored; several: varied as asked. One size."""
    config = with_words(BASE, {"tune": "head", "progressive_resizing": 0.5} | KNOWN | words).resolved()
    assert config.augmentation.policy == policy
    assert (config.schedule.epochs, config.schedule.minutes, config.schedule.progressive_resizing) == (20, None, 0.0)
    assert config.optimization.label_smoothing == 0


def test_one_view_is_not_varied():
    """--augment beside a single view is an error that says so."""
    with pytest.raises(ConfigError, match="--feature-views of 2 or more with --augment"):
        with_words(BASE, {"tune": "head", "augment": ["rotation=5"]} | KNOWN).resolved()


@pytest.mark.parametrize(
    ("words", "keeps"),
    [
        (KNOWN, True),
        (NOTHING, False),
        ({}, False),
        (KNOWN | {"norm_statistics": "update"}, False),
        (NOTHING | {"norm_statistics": "keep"}, True),
    ],
)
def test_which_statistics_stay(words: dict[str, object], keeps: bool):
    """Batch norms keep those that came with known weights; what is asked for wins."""
    assert with_words(BASE, words).transfer.keeps_statistics == keeps


@pytest.mark.parametrize("tune", ["head", "last:2", "head,all"])
def test_nothing_has_no_frozen_part(tune: str):
    """--weights none with a part of the network frozen is refused at once."""
    with pytest.raises(ConfigError, match=f"--weights with --tune {tune}"):
        with_words(BASE, NOTHING | {"tune": tune})


def test_settings_have_one_name():
    """No two groups share a setting's name, so flags can stand side by side; each has its help."""
    groups = [type(group) for group in vars(BASE).values() if is_dataclass(group)]
    single = [name for name, value in vars(BASE).items() if not is_dataclass(value)]
    names = [*single, *(entry.name for kind in groups for entry in fields(kind))]
    assert groups and len(names) == len(set(names))
    assert set(config_fields(TrainConfig)) == set(names)
    for kind in (TrainConfig, *groups):
        (body,) = (node.body for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef))
        for setting, after in pairwise(body):
            own = single if kind is TrainConfig else config_fields(kind)
            if isinstance(setting, ast.AnnAssign) and setting.target.id in own:
                assert isinstance(after, ast.Expr) and len(after.value.value.split()) > 2, setting.target.id


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"epcohs": 3}, "epochs"),
        ({"epochs": 0}, "1 or more"),
        ({"minutes": -1}, "above 0"),
        ({"momentum": 1.5}, "below 1"),
        ({"label_smoothing": 1.0}, "below 1"),
        ({"size": 0}, "--size"),
        ({"batch_size": 1}, "2 or more"),
        ({"warmup": 1.0}, "below 1"),
        ({"progressive_resizing": 1.5}, "from 0 to 1"),
        ({"weight_decay": -0.1}, "--weight-decay"),
        ({"solve_head": "maybe"}, "auto"),
        ({"norm_statistics": "freeze"}, "keep"),
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
    predictor = pictaxa.train(data, **settings, epochs=4, lr=0.03, out=tmp_path / "run")
    assert predictor.predict(data / "red" / "1.png")[0].label == "red"
    assert pictaxa.report(tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="epochs"):
        pictaxa.train(data, epcohs=4)
    assert pictaxa.create_model("lenet5", 3).num_classes == 3


def test_arguments_of_other_commands_become_a_training():
    """By equal names, in groups or not; what a training has no setting for is left out."""
    arguments = PlanArguments(
        Path("photos"), minutes=3.0, weights=Path("none"), seed=4, pictures=PicturesConfig(size=64), json=Path("a.json")
    )
    config = training_like(arguments)
    assert config == with_words(
        TrainConfig(data=Path("photos")), {"minutes": 3.0, "weights": "none", "seed": 4, "size": 64}
    )
