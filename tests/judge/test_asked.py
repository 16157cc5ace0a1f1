from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import ConfigError, RunError
from pictaxa.judge.asked import abstaining_line, answering_of, set_lines, temperature_of
from pictaxa.judge.judging import judgement_of
from pictaxa.metrics import softmax
from pictaxa.runs.folder import open_run
from pictaxa.runs.judgement import Abstaining, Figure, SetRule
from pictaxa.runs.names import JUDGEMENT, MANIFEST, PREDICTIONS


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_photos: object) -> Path:
    """A run of two colours, with many validation pictures that are easy to tell apart."""
    folder = tmp_path_factory.mktemp("asked")
    assert callable(make_photos)
    data = make_photos(folder / "photos" / "train", {"red": 10, "green": 10}).parent
    make_photos(data / "val", {"red": 40, "green": 40}, first=100)
    words = ["--model", "lenet5", "--size", "28", "--epochs", "4", "--lr", "0.02", "--policy", "light"]
    assert main(["train", str(data), *words, "--cache", str(folder / "cache"), "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_probabilities_are_calibrated_by_default(run: Path):
    """By the run's temperature, in Python as on the command line; --raw has the model's own."""
    pictures = run.parent / "photos" / "val" / "red"
    temperature = judgement_of(run).temperature
    assert temperature_of(open_run(run)) == temperature and answering_of(run, raw=True).temperature == 1
    for answer in pictaxa.predict(run, pictures)[:3]:
        assert answer.probabilities == pytest.approx(softmax(answer.logits[None] / temperature)[0], abs=1e-6)
    raw = pictaxa.load(run, calibrated=False).predict(pictures)[0]
    assert raw.probabilities == pytest.approx(softmax(raw.logits[None])[0])


def test_an_answering_of_any_share(run: Path):
    """One that is kept, and one that is computed now, between its neighbours; both tell what they come to."""
    kept = {wanted: answering_of(run, abstain=wanted, sets=wanted) for wanted in (0.8, 0.85, 0.9)}
    thresholds = [one.threshold for one in kept.values()]
    assert thresholds == sorted(thresholds)  # type: ignore[type-var]
    leasts = [one.least or () for one in kept.values()]
    assert leasts == sorted(leasts, reverse=True)
    assert all(len(one.told) == 2 for one in kept.values())
    assert len(answering_of(run, sets=0.9, per_class=True).least or ()) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--abstain", "95"], "above 0 and below 1"), (["--sets", "0"], "above 0 and below 1"),
        (["--abstain", "0.9999"], "vouch for"), (["--raw", "--abstain", "0.9"], "--raw"),
        (["--per-class"], "--sets"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_to_is_one_line(run: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    """With what to do, status 2, and before anything is predicted."""
    assert main(["predict", str(run), str(run.parent / "photos" / "val"), *words]) == 2
    said = capsys.readouterr()
    assert told in said.err and said.err.count("\n") == 1 and not said.out


def test_a_run_without_validation_predictions(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """An older one: the model's own probabilities, with a note; what needs more is refused."""
    import shutil

    shutil.copytree(run, tmp_path / "run")
    for name in (MANIFEST, PREDICTIONS, JUDGEMENT):
        (tmp_path / "run" / name).unlink()
    assert answering_of(tmp_path / "run").temperature == 1 and "not calibrated" in capsys.readouterr().err
    with pytest.raises(RunError, match=PREDICTIONS):
        answering_of(tmp_path / "run", abstain=0.9)


def test_a_predictor_can_be_asked_for_more(run: Path):
    """Without being loaded again; what it was asked for at first stays with it."""
    classifier = pictaxa.load(run, sets=0.9)
    pictures = np.zeros((2, 48, 48, 3), dtype=np.uint8)
    assert classifier.predict(pictures)[0].possible is not None
    asked = pictaxa.predict(classifier, pictures, abstain=0.8)[0]
    assert asked.abstained is not None and asked.possible is None
    assert pictaxa.predict(classifier, pictures)[0].possible is not None
    with pytest.raises(ConfigError, match="--abstain"):
        pictaxa.load(run, abstain=1.5)


def test_the_lines_by_hand():
    """Shares with their intervals; sets that hold all classes, or some always, are told."""
    figure = Figure(0.5, 0.25, 0.75, 20)
    line = abstaining_line(Abstaining(0.9, 0.7, accuracy=figure, coverage=figure))
    assert line == (
        "abstain   below 70.0%: 50.0% (25.0-75.0) of 20 validation pictures get an answer, 50.0% (25.0-75.0) of these "
        "are right"
    )
    told = {
        (False, (0.25,)): 1, (False, (0.0,)): "every class is in every set", (True, (0.2, 0.0)): "of 1 classes",
    }  # fmt: skip
    for (per_class, least), note in told.items():
        lines = set_lines(SetRule(0.9, per_class, least, coverage=figure, size=figure, empty=figure), ("cat", "dog"))
        assert len(lines) == 1 if note == 1 else str(note) in lines[1]
