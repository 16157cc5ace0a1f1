from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pictaxa.runs.folder import Run
from pictaxa.runs.judgement import Judgement, keep_judgement, read_judgement
from pictaxa.runs.names import JUDGEMENT, PREDICTIONS

JUDGED = Judgement(made_from={}, pictures=20, units=12, chose_epoch=True, temperature=1.5)


def test_what_is_written_is_read(tmp_path: Path):
    """Every field comes back as it was; without a file there is nothing, and not a word."""
    run = Run(tmp_path)
    assert read_judgement(run) is None
    assert keep_judgement(run, JUDGED)
    assert read_judgement(run) == JUDGED


def test_one_of_other_predictions_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """After the training went on the predictions are others: what was judged is not believed any more."""
    run = Run(tmp_path)
    (tmp_path / PREDICTIONS).write_bytes(b"new")
    keep_judgement(run, replace(JUDGED, made_from={PREDICTIONS: "0" * 64}))
    assert read_judgement(run) is None and "made again" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change", [{"temperature": 0}, {"temperature": 1e9}, {"temperature": "1"}, {"pictures": 0}, {"units": 21}, {"x": 1}]
)
def test_nonsense_is_none(tmp_path: Path, change: dict[str, object], capsys: pytest.CaptureFixture[str]):
    """A value of another type, out of its range or unknown, and half a file: told, and made again."""
    run = Run(tmp_path)
    keep_judgement(run, JUDGED)
    path = tmp_path / JUDGEMENT
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | change))
    assert read_judgement(run) is None and "made again" in capsys.readouterr().err
    path.write_text(whole[:-20])
    assert read_judgement(run) is None
