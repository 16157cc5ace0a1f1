from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pictaxa.runs.folder import Run
from pictaxa.runs.judgement import (
    Abstaining,
    Bin,
    Calibration,
    ClassJudgement,
    Curve,
    Figure,
    Figures,
    Judgement,
    SetRule,
    keep_judgement,
    read_judgement,
    rounded,
)
from pictaxa.runs.names import JUDGEMENT, PREDICTIONS

RUN = {
    "config.json": '{"format": 2, "asked": {}, "chosen": {}}',
    "classes.json": '{"0": "cat", "1": "dog"}',
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of two classes, without results."""
    for name, text in RUN.items():
        (tmp_path / name).write_text(text)
    return Run(tmp_path)


ONE = Figure(0.5, 0.25, 0.75, 20)
NONE = Figure(None, None, None, 0, "no picture of this class")
FAITH = Calibration(ONE, ONE, ONE, bins=(Bin(20, 0.9, 0.8, low=0.6, high=0.9),))
CLASSES = (
    ClassJudgement("cat", 20, ONE, ONE, ONE, ONE, ONE, roc=Curve((0, 1), (0.5, 1)), precision_recall=None),
    ClassJudgement("dog", 0, NONE, NONE, NONE, NONE, NONE, roc=None, precision_recall=None),
)
JUDGED = Judgement(
    made_from={}, pictures=20, units=12, chose_epoch=True, temperature=1.5, folds=5, before=FAITH, after=FAITH,
    figures=Figures(ONE, ONE, {"3": ONE}, ONE, ONE, ONE, ONE, ONE, ONE, classes=CLASSES),
    abstaining=(Abstaining(0.9, 0.7, accuracy=ONE, coverage=ONE), Abstaining(0.99, None, accuracy=NONE, coverage=NONE)),
    sets=(
        SetRule(0.9, False, (0.25,), coverage=ONE, size=ONE, empty=ONE),
        SetRule(0.9, True, (0.25, 0.0), coverage=ONE, size=ONE, empty=ONE),
    ),
)  # fmt: skip


def test_what_is_written_is_read(run: Run):
    """Every field comes back as it was; without a file there is nothing, and not a word."""
    assert read_judgement(run) is None
    assert keep_judgement(run, JUDGED)
    assert read_judgement(run) == JUDGED


def test_one_of_other_predictions_is_none(run: Run, capsys: pytest.CaptureFixture[str]):
    """After the training went on the predictions are others: what was judged is not believed any more."""
    (run.path / PREDICTIONS).write_bytes(b"new")
    keep_judgement(run, replace(JUDGED, made_from={PREDICTIONS: "0" * 64}))
    assert read_judgement(run) is None and "made again" in capsys.readouterr().err


NONSENSE: dict[str, Callable[[dict[str, Any]], object]] = {
    "temperature 0": lambda d: d.update(temperature=0),
    "temperature without end": lambda d: d.update(temperature=1e9),
    "text": lambda d: d.update(temperature="1"),
    "no pictures": lambda d: d.update(pictures=0),
    "more units than pictures": lambda d: d.update(units=21),
    "unknown": lambda d: d.update(x=1),
    "missing": lambda d: d.pop("figures"),
    "another class": lambda d: d["figures"]["classes"][0].update(name="cow"),
    "a class less": lambda d: d["figures"]["classes"].pop(),
    "threshold beyond 1": lambda d: d["abstaining"][0].update(threshold=1.5),
    "sets of other classes": lambda d: d["sets"][1].update(least=[0.5]),
    "sets below 0": lambda d: d["sets"][0].update(least=[-0.5]),
}


@pytest.mark.parametrize("change", NONSENSE)
def test_nonsense_is_none(run: Run, change: str, capsys: pytest.CaptureFixture[str]):
    """A value of another type, out of its range or unknown, and half a file: told, and made again."""
    keep_judgement(run, JUDGED)
    path = run.path / JUDGEMENT
    whole = path.read_text()
    document = json.loads(whole)
    NONSENSE[change](document)
    path.write_text(json.dumps(document))
    assert read_judgement(run) is None and "made again" in capsys.readouterr().err
    path.write_text(whole[:-20])
    assert read_judgement(run) is None


def test_numbers_are_rounded_wherever_they_stand():
    """Six digits, in records, tuples and dictionaries; what is no float stays."""
    assert rounded(Curve((1 / 3, 1.0), (2e-9 / 3, 1.0))) == Curve((0.333333, 1.0), (6.66667e-10, 1.0))
    assert rounded(({"a": 2 / 3}, "0.66666666", 7, None, True)) == ({"a": 0.666667}, "0.66666666", 7, None, True)
    assert rounded(JUDGED) == JUDGED


def test_a_figure_tells_its_interval():
    """As a share and as a number; a dash for what is not defined, no brackets where there is no interval."""
    figure = Figure(0.928, 0.8891, 0.954, 250)
    assert (figure.percent, figure.number) == ("92.8% (88.9-95.4)", "0.928 (0.889-0.954)")
    certain = Figure(1.0, None, None, 5, "all right")
    assert (certain.percent, certain.number) == ("100.0%", "1.000") and NONE.percent == NONE.number == "-"
