from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictaxa.data.index import Index, index_from_columns
from pictaxa.images.decoding import PLAIN
from pictaxa.metrics import Predictions
from pictaxa.reporting.surest import heat_layer, nearest_training, surest_errors
from pictaxa.reporting.vector_map import map_of
from pictaxa.runs.folder import open_run
from pictaxa.runs.heatmaps import HeatMaps
from pictaxa.runs.records import read_index, read_predictions
from pictaxa.runs.vectors import Vectors

INDEX = index_from_columns(
    {
        "path": ["a.png", "b.png", "c.png", "v.png"], "label": [0, 1, 1, 0], "split": ["train"] * 3 + ["val"],
        "bytes": [1] * 4, "mtime_ns": [1] * 4, "width": [40, 40, 40, 40], "height": [20, 20, 20, 20],
    },
    root=Path("nowhere"), classes=("x", "y"),
)  # fmt: skip
VECTORS = Vectors(
    rows=np.arange(4),
    val=np.array([False, False, False, True]),
    units=np.array([[1, 0], [0.6, 0.8], [0, 1], [0.8, 0.6]], np.float16),
    axes=np.eye(2, dtype=np.float16),
    closeness=np.ones(1, np.float32),
    places=np.array([[0.5, 0.25]], np.float32),
)
MAPS = HeatMaps(
    "grad-cam", {}, np.array([3]), np.array([1]), np.array([[[0, 1], [0.5, 0]]], np.float16),
    np.array([[0.25, 0, 0.75, 1]], np.float32),
)  # fmt: skip


def test_the_nearest_are_training_pictures():
    """By cosine similarity, the most alike first; a picture without a vector has none."""
    found = nearest_training(VECTORS, [3, 99])
    assert [row for row, _ in found[3]] == [1, 0, 2] and list(found) == [3]
    assert found[3][0][1] == pytest.approx(0.96, abs=1e-3)


def test_a_heat_map_lies_over_its_picture():
    """A picture twice as wide as high stands in the middle of a square, and the map covers the middle of it."""
    layer = heat_layer(MAPS, INDEX, 3, 1)
    assert layer is not None and layer["style"] == "left: 25.00%; top: 25.00%; width: 50.00%; height: 50.00%"
    with Image.open(io.BytesIO(base64.b64decode(layer["image"].partition(",")[2]))) as image:
        alpha = np.asarray(image)[..., 3]
    assert image.size == (28, 28) and alpha[0, 0] == 0 and alpha[0, -1] == alpha.max() > 100
    assert heat_layer(MAPS, INDEX, 3, 0) is None and heat_layer(None, INDEX, 3, 1) is None


def test_errors_have_what_there_is(tmp_path: Path, judged_run: Callable[..., Path]):
    """Without heat maps and vectors the picture and the names alone; with them all three."""
    run = open_run(judged_run(tmp_path, ["a", "b", "c"], pictures=6, wrong=0.6))
    index, predictions = read_index(run), read_predictions(run)
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    (first, *_) = surest_errors(predictions, index, wrong, decoding=PLAIN, heatmaps=None, vectors=None)
    assert first["image"].startswith("data:image/webp") and first["nearest"] == [] and first["heat"]["answer"] is None
    assert first["answer"] == run.classes[predictions.predicted[wrong[0]]]


def said(index: Index) -> Predictions:
    """Of the one validation picture, wrong."""
    return Predictions(index.rows("val"), np.array([0]), np.array([[0.2, 0.8]], np.float32))


def test_the_map_has_a_dot_for_each_validation_picture():
    """Where its vector lies, in its class's colour, and a ring where the answer is wrong."""
    found = map_of(VECTORS, INDEX, said(INDEX), decoding=PLAIN)
    (dot,) = found["dots"]
    assert (dot["x"], dot["y"], dot["kind"], dot["wrong"], dot["told"]) == ("350", "185", "c0", True, "x → y")
    assert found["thumbnails"] == [] and found["names"] == ("x", "y")  # the file is not there
