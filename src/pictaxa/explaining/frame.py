"""Where on an upright picture a network's input lies, so that a heat map over the one can be laid over the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from ..augment.geometry import ViewName, plain_view

HOTTEST = 0.2  # part of the seen picture whose box `where_hot` tells


class Frame(NamedTuple):
    """The edges of a network's input, in parts of the upright picture's width and height.

    Below 0 or above 1 where the input reaches beyond the picture, as it does with black borders.
    """

    left: float
    top: float
    right: float
    bottom: float


class Hot(NamedTuple):
    """Where the heat of a map is on the upright picture, in parts of its width and height."""

    centre: tuple[float, float]  # of mass: x, y
    box: tuple[float, float, float, float]  # of the hottest fifth of what was seen: left, top, right, bottom


def frame_of(aspect: float, *, view: ViewName) -> Frame:
    """Find where the input of validation and prediction lies on a picture.

    Args:
        aspect: width / height of the upright picture.
        view: of the run.

    Returns:
        The Frame.

    Example:
        frame_of(2.0, view="centre")  # Frame(left=0.25, top=0.0, right=0.75, bottom=1.0)
    """
    view_matrix = plain_view(np.array([aspect]), view=view)[0].astype(np.float64)  # input -> square, both in [-1, 1]
    corners = view_matrix @ np.array([[-1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]])  # (2, 3) @ (3, 2): columns are corners
    (left, right), (top, bottom) = (corners + 1) / 2
    return Frame(float(left), float(top), float(right), float(bottom))


def on_picture(values: np.ndarray, frame: Frame, *, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay a map over an upright picture.

    Args:
        values: (h, w) float, the map over the input.
        frame: where the input lies on the picture.
        width: of the result, in the picture's shape.
        height: of the result.

    Returns:
        The map, (height, width) float32, 0 where the network saw nothing; and where it saw something, (height, width)
        bool.
    """
    left, right = round(frame.left * width), round(frame.right * width)
    top, bottom = round(frame.top * height), round(frame.bottom * height)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    image = Image.fromarray(values.astype(np.float32))
    large = np.asarray(image.resize((right - left, bottom - top), Image.Resampling.BILINEAR))
    shown = np.zeros((height, width), dtype=np.float32)
    seen = np.zeros((height, width), dtype=bool)
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    shown[rows, columns] = large[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    seen[rows, columns] = True
    return shown, seen


def where_hot(values: np.ndarray, frame: Frame, *, aspect: float) -> Hot | None:
    """Tell where the heat of a map is.

    Args:
        values: (h, w) float of 0 and more, the map over the input.
        frame: where the input lies on the picture.
        aspect: width / height of the picture.

    Returns:
        The Hot; None of a map without heat.
    """
    height = 128
    width = min(max(1, round(height * aspect)), 16 * height)
    heat, seen = on_picture(values, frame, width=width, height=height)
    total = float(heat.sum())
    if total <= 0:
        return None
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    centre = float((heat.sum(axis=0) * x).sum() / total), float((heat.sum(axis=1) * y).sum() / total)
    least = max(float(np.quantile(heat[seen], 1 - HOTTEST)), np.nextafter(0, 1))
    rows, columns = np.nonzero((heat >= least).any(axis=1))[0], np.nonzero((heat >= least).any(axis=0))[0]
    box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return Hot(centre, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))
