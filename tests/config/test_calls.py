from __future__ import annotations

from pathlib import Path
from typing import Unpack

import pytest

import pictaxa
from pictaxa.config.calls import given, given_path, says_what_it_takes
from pictaxa.config.keywords import MachineKeywords
from pictaxa.errors import ConfigError, SettingError


@says_what_it_takes
def work(data: str, *, speed: int = 1, **settings: Unpack[MachineKeywords]) -> tuple[object, ...]:
    """Works."""
    return data, speed, settings


def test_a_right_call_goes_through():
    """With its name and what it is for, too."""
    assert work("a", speed=2, threads=3) == ("a", 2, {"threads": 3})
    assert work.__name__ == "work" and work.__doc__ == "Works."


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: work("a", sped=2), r"an argument of work\(\); found 'sped'. Did you mean speed"),
        (lambda: work("a", thread=2), "'thread'. Did you mean threads"),
        (lambda: work("a", save_seconds=2), "'save_seconds'. It is called checkpoint_seconds now"),
        (lambda: work(), r"'data'. It is work\(data, speed\)"),
        (lambda: work("a", 2), "too many.*work"),
        (lambda: given(3, str, "device", what="a name"), "device to be a name; found int 3"),
        (lambda: given_path(None, "run", what="a run folder"), "run to be the path of a run folder; found NoneType"),
        (lambda: pictaxa.train("photos", epohcs=3), "'epohcs'. Did you mean epochs"),
        (lambda: pictaxa.train("photos", epochs="ten"), "epochs to be a whole number or nothing; found 'ten'"),
        (lambda: pictaxa.train("photos", augment="rotation=30"), "augment to be a list of words; found 'rotation=30'"),
        (lambda: pictaxa.train("photos", optimizer="sdg"), "sgd, adam, adamw"),
        (lambda: pictaxa.train(5), "data to be the path of a data set, or its name; found int 5"),
        (lambda: pictaxa.train("photos", "resnet18"), "config to be a TrainConfig.*found str 'resnet18'"),
        (lambda: pictaxa.evaluate("run", devise="cpu"), "Did you mean device"),
        (lambda: pictaxa.evaluate("run", label_colum="a"), "Did you mean label_column"),
        (lambda: pictaxa.evaluate("run", reading="csv"), "reading to be a ReadingConfig"),
        (lambda: pictaxa.load(None), "run to be the path of a run folder"),
        (lambda: pictaxa.load("run", device=0), "device to be"),
        (lambda: pictaxa.predict("run"), "'pictures'"),
        (lambda: pictaxa.report([]), "run to be"),
        (lambda: pictaxa.inspect("photos", folds="five"), "folds to be a whole number"),
        (lambda: pictaxa.preview("photos", polcy="light"), "Did you mean policy"),
        (lambda: pictaxa.plan("photos", minuts=3), "Did you mean minutes"),
        (lambda: pictaxa.embed("photos", weights=3), "weights to be a path or nothing; found 3"),
        (lambda: pictaxa.probe(), "'data'"),
    ],
)
def test_a_wrong_call_says_what_is_taken(call: object, told: str):
    """As a TypeError, and as one of ours: with the argument, what was given and what to give."""
    with pytest.raises(TypeError, match=told) as error:
        call()
    assert isinstance(error.value, SettingError) and isinstance(error.value, ConfigError)
    assert "\n" not in str(error.value)


def test_a_path_may_be_text_or_a_path():
    """Both are the same."""
    assert given_path("a/b", "data", what="a file") == given_path(Path("a/b"), "data", what="a file") == Path("a/b")
