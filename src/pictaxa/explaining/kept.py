"""Heat maps that a run keeps, so that its page shows them without torch: of surest errors and a few right answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..images.decode import Square
from ..inference.loading import load
from ..inference.own_squares import squares_of
from ..inference.predictor import Predictor
from ..metrics import Predictions
from ..runs.folder import open_run
from ..runs.heatmaps import HeatMaps, keep_heatmaps, made_from, read_heatmaps
from ..runs.records import read_predictions
from .frame import frame_of
from .methods import DEFAULT, find_method
from .network import heat_maps, network_for

ERRORS, RIGHT = 48, 12  # pictures that are explained where nobody says which


def keep_heat(
    path: str | Path, *, rows: Sequence[int] | np.ndarray | None = None, device: str = "auto",
    predictor: Predictor | None = None,
) -> HeatMaps:  # fmt: skip
    """Make sure that a run keeps heat maps of some validation pictures: what speaks for the answer, and for the label.

    Nothing is computed where they are there already. A picture that can't be read any more has none.

    Args:
        path: the run's folder.
        rows: of the run's index, those of validation pictures; None for the surest errors and a few right answers.
        device: "auto" (the fastest available), "cpu", "cuda", "cuda:1" or "mps".
        predictor: of the run, where there is one; else it is loaded on `device`.

    Returns:
        The HeatMaps, of which `find(row, label)` gives one.

    Raises:
        RunError: the folder is not a run, or has not been validated.
        ConfigError: this machine does not have the device.

    Example:
        heatmaps = keep_heat("runs/photos-resnet18-1")
    """
    run = open_run(path)
    predictions = read_predictions(run)
    chosen = chosen_rows(predictions) if rows is None else np.asarray(rows, dtype=np.int64)
    places = np.nonzero(np.isin(predictions.rows, chosen))[0]
    pairs = [
        (int(predictions.rows[place]), int(label))
        for place in places
        for label in dict.fromkeys((predictions.predicted[place], predictions.labels[place]))
    ]
    kept = read_heatmaps(run)
    if kept is not None and all(kept.find(row, label) is not None for row, label in pairs):
        return kept
    predictor = predictor or load(path, device=device)
    made = _computed(predictor, pairs)
    keep_heatmaps(run, made)
    return made


def chosen_rows(predictions: Predictions) -> np.ndarray:
    """Choose pictures that are worth explaining.

    Args:
        predictions: of the validation pictures.

    Returns:
        Rows: the ERRORS surest errors, and RIGHT right answers from the surest to the least sure.
    """
    order = np.argsort(-predictions.probabilities.max(axis=1), kind="stable")
    right = (predictions.predicted == predictions.labels)[order]
    wrong, good = order[~right][:ERRORS], order[right]
    if len(good) > RIGHT:
        good = good[np.linspace(0, len(good) - 1, RIGHT).round().astype(int)]
    return predictions.rows[np.concatenate([wrong, good])]


def _computed(predictor: Predictor, pairs: Sequence[tuple[int, int]]) -> HeatMaps:
    """Maps of (row, label) pairs, without those of pictures that can't be read."""
    run, method = predictor.run, find_method(DEFAULT)
    squares = _squares(predictor, sorted({row for row, _ in pairs}))
    known = [(row, label) for row, label in pairs if row in squares]
    rows, labels = np.array(known, dtype=np.int64).reshape(-1, 2).T
    maps = np.zeros((0, 1, 1), dtype=np.float16)
    if known:
        found = [squares[row] for row in rows]
        maps = heat_maps(
            predictor, network_for(predictor, method), method, squares=np.stack([one.pixels for one in found]),
            aspects=np.array([one.aspect for one in found], dtype=np.float32), labels=labels[:, None],
        )[:, 0].astype(np.float16)  # fmt: skip
    boxes = [frame_of(squares[row].aspect, view=predictor.geometry.view) for row in rows]
    return HeatMaps(
        DEFAULT, made_from(run), rows=np.ascontiguousarray(rows), labels=np.ascontiguousarray(labels), maps=maps,
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
    )  # fmt: skip


def _squares(predictor: Predictor, rows: Sequence[int]) -> dict[int, Square]:
    """The squares of rows that can be read."""
    return dict(squares_of(predictor.run, rows))
