from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.errors import RunError
from pictaxa.judge.judging import judge_run, judgement_of
from pictaxa.runs.folder import open_run
from pictaxa.runs.names import JUDGEMENT, PREDICTIONS

Trained = tuple[Path, Path]


def test_an_older_run_is_judged_when_it_is_needed(trained: Trained):
    """What a training finds and what is found later are the same, and are kept."""
    _, run = trained
    then = judgement_of(run)
    (run / JUDGEMENT).unlink()
    assert judgement_of(run) == then == judge_run(open_run(run)) and (run / JUDGEMENT).exists()
    assert then.pictures == open_run(run).metrics["pictures"] and then.chose_epoch


def test_a_run_without_predictions_says_what_to_do(trained: Trained):
    """An error of one line that names the file."""
    _, run = trained
    (run / JUDGEMENT).unlink()
    (run / PREDICTIONS).unlink()
    with pytest.raises(RunError, match=PREDICTIONS):
        judgement_of(run)
