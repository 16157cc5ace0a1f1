from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pictaxa.runs.folder import Run
from pictaxa.runs.heatmaps import HeatMaps, keep_heatmaps, read_heatmaps
from pictaxa.runs.names import HEATMAPS, MODEL

MAPS = np.linspace(0, 1, 24).reshape(2, 3, 4)
HEAT = HeatMaps(
    "grad-cam", {}, rows=np.array([5, 7]), labels=np.array([1, 0]), maps=MAPS.astype(np.float16),
    boxes=np.array([[0.25, 0, 0.75, 1], [0, -0.5, 1, 1.5]], dtype=np.float32),
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A folder with two classes, which is enough to be asked for heat maps."""
    run = Run(tmp_path)
    run.write_classes(("a", "b"))
    return run


def test_what_is_written_is_read(run: Run):
    """Maps and boxes come back by row and class; without a file there is nothing, and not a word."""
    assert read_heatmaps(run) is None
    assert keep_heatmaps(run, HEAT)
    read = read_heatmaps(run)
    assert read is not None and read.method == "grad-cam"
    found = read.find(7, 0)
    assert found is not None and np.array_equal(found[0], HEAT.maps[1]) and np.array_equal(found[1], HEAT.boxes[1])
    assert read.find(7, 1) is None and read.find(6, 0) is None
    assert read.has(np.array([5, 7]), np.array([1, 0])) and not read.has(np.array([5]), np.array([0]))


def test_those_of_other_weights_are_none(run: Run, capsys: pytest.CaptureFixture[str]):
    """After the training went on the weights are others: what they saw is not believed any more."""
    (run.path / MODEL).write_bytes(b"new")
    keep_heatmaps(run, replace(HEAT, made_from={MODEL: "0" * 64}))
    assert read_heatmaps(run) is None and "made again" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"rows": np.array([5])}, {"labels": np.array([1, 2])}, {"labels": np.array([[1, 0]])},
        {"maps": (2 * MAPS).astype(np.float16)}, {"maps": MAPS.astype(np.float16)[0]}, {"maps": MAPS},
        {"boxes": HEAT.boxes[:, ::-1].copy()}, {"boxes": HEAT.boxes[:, :2].copy()}, {"method": 3},
        {"boxes": np.full_like(HEAT.boxes, np.nan)},
    ],
)  # fmt: skip
def test_nonsense_is_none(run: Run, change: dict[str, object], capsys: pytest.CaptureFixture[str]):
    """Shapes and values that don't fit each other, and half a file: told, and made again."""
    keep_heatmaps(run, replace(HEAT, **change))
    assert read_heatmaps(run) is None and "made again" in capsys.readouterr().err
    path = run.path / HEATMAPS
    path.write_bytes(path.read_bytes()[:-60])
    assert read_heatmaps(run) is None
