from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pictaxa.runs.folder import open_run
from pictaxa.runs.names import SLICES
from pictaxa.runs.slices import Slice, Slices, keep_slices, read_slices

Trained = tuple[Path, Path]
DARK = Slice("brightness", "0% to 9%", 20, 10, 0.3, 0.7, 0.01, 0.02)
FOUND = Slices({}, 40, 28, (DARK, replace(DARK, name="9% to 80%", right=18, low=0.7, high=0.97)), ("a note",))


def test_slices_are_kept_as_they_are(trained: Trained):
    """With the worst first, which has its accuracy; none is the worst of none."""
    run = open_run(trained[1])
    assert keep_slices(run, FOUND) and read_slices(run) == FOUND
    assert FOUND.worst is not None and FOUND.worst.accuracy == 0.5
    assert replace(FOUND, slices=()).worst is None


@pytest.mark.parametrize(
    "change",
    [
        {"pictures": 10}, {"right": 41}, {"notes": [1]}, {"slices": [1]}, {"more": 1},
        {"slices": [asdict(replace(DARK, low=2.0))]}, {"slices": [asdict(replace(DARK, right=21))]},
        {"slices": [asdict(replace(DARK, right=20)), asdict(DARK)]},
    ],
)  # fmt: skip
def test_others_are_made_again(trained: Trained, capsys: pytest.CaptureFixture[str], change: dict[str, object]):
    """What does not fit is no slice of this run, which is said: counts, shares, the order, and what is unknown."""
    run = open_run(trained[1])
    (run.path / "manifest.json").unlink()
    (run.path / SLICES).write_text(json.dumps(asdict(FOUND) | change))
    assert read_slices(run) is None and "is made again" in capsys.readouterr().err
