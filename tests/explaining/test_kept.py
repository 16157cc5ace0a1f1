from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pictaxa.explaining.kept import ERRORS, RIGHT, chosen_rows, keep_heat
from pictaxa.metrics import Predictions
from pictaxa.runs.folder import open_run
from pictaxa.runs.heatmaps import read_heatmaps
from pictaxa.runs.names import HEATMAPS
from pictaxa.runs.records import read_predictions


@pytest.fixture
def run(backbone: Path, tmp_path: Path) -> Path:
    """A run that a test may change."""
    return Path(shutil.copytree(backbone, tmp_path / "run"))


def test_the_surest_errors_and_some_right_answers_are_chosen():
    """Errors first, the surest of them; right answers from the surest to the least sure."""
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, 400)
    labels = (generator.random(400) < 0.3).astype(int)  # 0: right
    predictions = Predictions(np.arange(400) + 1000, labels, np.stack([sure, 1 - sure], axis=1))
    rows = chosen_rows(predictions) - 1000
    wrong, right = rows[:ERRORS], rows[ERRORS:]
    assert (labels[wrong] == 1).all() and (labels[right] == 0).all() and len(right) == RIGHT
    assert (np.diff(sure[wrong]) <= 0).all() and sure[wrong[0]] == sure[labels == 1].max()
    assert sure[right[0]] == sure[labels == 0].max() and sure[right[-1]] == sure[labels == 0].min()


def test_heat_is_kept_and_read_again(run: Path):
    """Each chosen picture has a map for its answer and one for its label; a second time nothing is computed."""
    made = keep_heat(run, device="cpu")
    predictions = read_predictions(open_run(run))
    assert made.has(predictions.rows, predictions.predicted) and made.has(predictions.rows, predictions.labels)
    assert made.maps.max() == 1 and made.boxes.shape == (len(made.rows), 4)
    before = (run / HEATMAPS).stat().st_mtime_ns
    again = keep_heat(run, device="cpu")
    assert np.array_equal(again.maps, made.maps) and (run / HEATMAPS).stat().st_mtime_ns == before


def test_rows_that_are_asked_for_are_explained(run: Path):
    """Those and no others, and what is kept is replaced where it lacks one."""
    rows = read_predictions(open_run(run)).rows
    assert set(keep_heat(run, rows=rows[:1], device="cpu").rows) == {rows[0]}
    assert set(keep_heat(run, rows=rows[:3], device="cpu").rows) == set(rows[:3])
    kept = read_heatmaps(open_run(run))
    assert kept is not None and set(kept.rows) == set(rows[:3])


def test_pictures_that_are_gone_have_no_map(run: Path):
    """The others have theirs."""
    index = Path(open_run(run).chosen.root)
    moved = index.rename(index.with_name("moved"))
    try:
        assert len(keep_heat(run, device="cpu").rows) == 0
    finally:
        moved.rename(index)
