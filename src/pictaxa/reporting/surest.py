"""The surest errors of a run, each with where the network looked and the training pictures that are most like it."""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from ..data.fetching import Fetcher
from ..data.index import Index
from ..images.decoding import Decoding
from ..metrics import Predictions
from ..runs.heatmaps import HeatMaps
from ..runs.vectors import Vectors
from .judged import SUREST, SUREST_SIDE
from .thumbnails import thumbnails

NEAREST, NEAREST_SIDE = 3, 96  # training pictures beside each, and their side in pixels
SMOOTH = 28  # pixels of a heat map at least: a browser would show the edges of fewer
OPACITY = 0.6  # of a heat map where it is strongest


def surest_errors(
    predictions: Predictions,
    index: Index,
    wrong: np.ndarray,
    *,
    decoding: Decoding,
    heatmaps: HeatMaps | None,
    vectors: Vectors | None,
) -> list[dict[str, Any]]:
    """Gather what the page shows of each of the surest errors.

    Args:
        predictions: of the validation pictures.
        index: with their names.
        wrong: (n,) int64 places of the wrong ones among the predictions, the surest first.
        decoding: how pictures are decoded.
        heatmaps: of the run, where it has some.
        vectors: of the run's pictures, where it has some.

    Returns:
        Of each its picture, names and probabilities; `heat` of the answer and of the label; `nearest`.
    """
    places = wrong[:SUREST].tolist()
    rows = [int(predictions.rows[place]) for place in places]
    like = {} if vectors is None else nearest_training(vectors, rows)
    others = list(dict.fromkeys(row for near in like.values() for row, _ in near))
    with Fetcher(index) as fetcher:
        images = thumbnails(fetcher, rows, decoding=decoding, side=SUREST_SIDE)
        small = thumbnails(fetcher, others, decoding=decoding, side=NEAREST_SIDE)
    labels, found = index.labels, []
    for place, row in zip(places, rows, strict=True):
        label, answer = int(predictions.labels[place]), int(predictions.predicted[place])
        found.append(
            {
                "path": index.name(row),
                "truth": index.classes[label],
                "answer": index.classes[answer],
                "share": float(predictions.probabilities[place, answer]),
                "truth_share": float(predictions.probabilities[place, label]),
                "image": images.get(row, ""),
                "heat": {
                    kind: heat_layer(heatmaps, index, row, of) for kind, of in (("answer", answer), ("label", label))
                },
                "nearest": [
                    {"image": small.get(other, ""), "label": index.classes[labels[other]], "path": index.name(other),
                     "similarity": similarity}
                    for other, similarity in like.get(row, [])
                ],
            }
        )  # fmt: skip
    return found


def nearest_training(vectors: Vectors, rows: list[int]) -> dict[int, list[tuple[int, float]]]:
    """Find the training pictures that the network sees as most like each of some pictures.

    Args:
        vectors: of the run's pictures.
        rows: pictures with a vector; those without one are left out.

    Returns:
        (row, cosine similarity) of the nearest, the most alike first, by row.
    """
    places = {int(row): place for place, row in enumerate(vectors.rows)}
    known = [row for row in rows if row in places]
    training = np.flatnonzero(~vectors.val)
    if not known or not len(training):
        return {}
    units = vectors.units.astype(np.float32)
    alike = units[[places[row] for row in known]] @ units[training].T  # (known, training)
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :NEAREST]
    return {
        row: [(int(vectors.rows[training[other]]), float(alike[place, other])) for other in nearest[place]]
        for place, row in enumerate(known)
    }


def heat_layer(heatmaps: HeatMaps | None, index: Index, row: int, label: int) -> dict[str, str] | None:
    """A heat map as a layer over its picture, which stands in the middle of a square.

    Args:
        heatmaps: of the run, if any.
        index: with the picture's width and height.
        row: the picture.
        label: the class that is explained.

    Returns:
        The layer's `image` and its `style`, where it is in parts of the square; None where there is none.
    """
    found = None if heatmaps is None else heatmaps.find(row, label)
    width, height = (int(index.table.column(name)[row].as_py()) for name in ("width", "height"))
    if found is None or not width or not height:
        return None
    values, box = found
    across, down = width / max(width, height), height / max(width, height)
    left, top = (1 - across) / 2 + box[0] * across, (1 - down) / 2 + box[1] * down
    wide, tall = (box[2] - box[0]) * across, (box[3] - box[1]) * down
    style = "; ".join(
        f"{name}: {100 * part:.2f}%" for name, part in (("left", left), ("top", top), ("width", wide), ("height", tall))
    )
    return {"image": _png(np.asarray(values, np.float32)), "style": style}


def _png(values: np.ndarray) -> str:
    """(h, w) in [0, 1] as the address of a small PNG; a browser makes it as large as its picture."""
    height, width = values.shape
    size = max(width, SMOOTH), max(height, SMOOTH)
    values = np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)
    pixels = matplotlib.colormaps["turbo"](values, bytes=True)  # (h, w, 4)
    pixels[..., 3] = (255 * OPACITY * np.clip(values * 1.5, 0, 1)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
