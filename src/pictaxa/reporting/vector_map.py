"""The map of validation pictures: those that the network sees as alike lie beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.fetching import Fetcher
from ..data.index import Index
from ..images.decoding import Decoding
from ..metrics import Predictions
from ..runs.vectors import Vectors
from .thumbnails import thumbnails

MOST = 2000  # dots
SIDE, EDGE = 700, 20  # of the map, pixels, and its margin
CELLS, THUMBNAIL = 11, 44  # cells each way, of which each has one picture, and its side in pixels
COLOURS = 8  # of classes, in the style sheet; beyond them dots only tell right from wrong


def map_of(vectors: Vectors, index: Index, predictions: Predictions, *, decoding: Decoding) -> dict[str, Any]:
    """Place the validation pictures on a map.

    Args:
        vectors: of the run's pictures, with their places.
        index: the same pictures.
        predictions: of the validation pictures.
        decoding: how pictures are decoded.

    Returns:
        `dots` and `thumbnails` with where they are in pixels, and the `names` of the classes that have a colour.
    """
    rows = vectors.rows[vectors.val]
    at = {int(row): place for place, row in enumerate(predictions.rows)}
    known = np.array([int(row) in at for row in rows], dtype=bool)
    rows, places = rows[known], vectors.places[known]
    spots = EDGE + places * (SIDE - 2 * EDGE)
    coloured = len(index.classes) <= COLOURS
    dots = []
    for row, (x, y) in list(zip(rows.tolist(), spots.tolist(), strict=True))[:: max(1, -(-len(rows) // MOST))]:
        place = at[row]
        label, answer = int(predictions.labels[place]), int(predictions.predicted[place])
        told = index.classes[label] if label == answer else f"{index.classes[label]} → {index.classes[answer]}"
        kind = f"c{label}" if coloured else "good"
        dots.append({"x": f"{x:.0f}", "y": f"{y:.0f}", "kind": kind, "wrong": label != answer, "told": told})
    chosen = _one_each(places)
    with Fetcher(index) as fetcher:
        images = thumbnails(fetcher, rows[chosen].tolist(), decoding=decoding, side=THUMBNAIL)
    shown = [
        {"x": f"{spots[place, 0] - THUMBNAIL / 2:.0f}", "y": f"{spots[place, 1] - THUMBNAIL / 2:.0f}",
         "image": images[int(rows[place])]}
        for place in chosen if images.get(int(rows[place]))
    ]  # fmt: skip
    return {"dots": dots, "thumbnails": shown, "names": index.classes if coloured else ()}


def closeness_of(vectors: Vectors) -> dict[int, int]:
    """How close each validation picture comes to a training picture, in thousandths, by its row."""
    rows = vectors.rows[vectors.val].tolist()
    return {row: round(1000 * close) for row, close in zip(rows, vectors.closeness.tolist(), strict=True)}


def _one_each(places: np.ndarray) -> list[int]:
    """Of (n, 2) places in [0, 1] the one nearest the middle of each cell that has some."""
    cells = np.minimum((places * CELLS).astype(int), CELLS - 1)
    away = ((places * CELLS - cells - 0.5) ** 2).sum(axis=1)
    nearest: dict[tuple[int, int], int] = {}
    for place in np.argsort(away, kind="stable").tolist():
        nearest.setdefault((int(cells[place, 0]), int(cells[place, 1])), place)
    return sorted(nearest.values())
