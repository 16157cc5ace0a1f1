"""`pictaxa nearest --map`: the validation pictures of a run laid out so that those that are alike lie together."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..inference.own_pictures import own_squares
from ..inference.own_vectors import vectors_of_run
from ..inference.predictor import Predictor
from ..reporting.answers import in_shape
from ..runs.records import read_index
from ..system.files import require_suffix, writing

CELLS = 22  # across and down, each with one picture at most; the others are dots
INCHES = 11.0
if TYPE_CHECKING:  # matplotlib takes half a second to load
    from matplotlib.axes import Axes

UPPER_CENTRE = 9  # as matplotlib counts places
MAX_NAMED = 20  # classes with a colour of their own and a line in the legend


def draw_map(predictor: Predictor, out: Path) -> str:
    """Draw a map of a run's validation pictures with some of them as thumbnails.

    Args:
        predictor: the run, loaded.
        out: the PNG to write.

    Returns:
        In words: where it is, and of how many pictures.

    Raises:
        ConfigError: `out` is no PNG, or can't be written.
        DataError: the run has no validation pictures, or they and its vectors are gone.

    Example:
        draw_map(load("runs/photos-resnet18-1"), Path("map.png"))
    """
    require_suffix(out, ".png", flag="--map")
    from matplotlib.figure import Figure
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    from ..reporting.figures import save_figure

    vectors = vectors_of_run(predictor)
    rows, places = vectors.rows[vectors.val], vectors.places
    if not len(rows):
        raise DataError("validation pictures", found="none among the run's vectors", fix="Choose another run.")
    index = read_index(predictor.run)
    labels = index.labels[rows]
    colours = class_colours(len(predictor.classes))
    figure = Figure(figsize=(INCHES, INCHES), layout="constrained")
    axis = figure.subplots()
    axis.scatter(places[:, 0], places[:, 1], c=colours[labels], s=14, linewidths=0)
    shown = spread(places)
    batches = own_squares(predictor.run, index, np.sort(rows[shown]), threads=predictor.plan.threads)
    place_of = dict(zip(rows.tolist(), places, strict=True))
    pixels = INCHES * 72 / CELLS  # of a thumbnail's longer side, points
    for batch in batches:
        for row, square, aspect in zip(*batch, strict=True):
            image = in_shape(square, aspect=float(aspect))
            small = OffsetImage(image, zoom=0.82 * pixels / max(image.shape), cmap="gray", norm=None)
            frame = {"edgecolor": colours[index.labels[row]], "linewidth": 2.0, "boxstyle": "square,pad=0"}
            axis.add_artist(AnnotationBbox(small, place_of[int(row)], pad=0.08, bboxprops=frame))
    axis.set_axis_off()
    axis.margins(0.04)
    _legend(axis, predictor.classes, colours)
    with writing(out, flag="--map"):
        out.parent.mkdir(parents=True, exist_ok=True)
        save_figure(figure, out)
    return f"{out}: {len(rows)} validation pictures; those that the network finds alike lie together"


def spread(places: np.ndarray) -> np.ndarray:
    """Choose points that don't cover each other.

    Args:
        places: (n, 2) in [0, 1].

    Returns:
        (m,) int64 places among them: of each cell of the map the point nearest to its middle.
    """
    cells = np.minimum((places * CELLS).astype(np.int64), CELLS - 1)
    off = np.linalg.norm(places * CELLS - cells - 0.5, axis=1)
    order = np.lexsort((off, cells[:, 0] * CELLS + cells[:, 1]))
    _, first = np.unique((cells[:, 0] * CELLS + cells[:, 1])[order], return_index=True)
    return np.sort(order[first])


def class_colours(count: int) -> np.ndarray:
    """(count, 4) colours that differ as far as so many can."""
    import matplotlib

    if count <= MAX_NAMED:
        names = "tab10" if count <= 10 else "tab20"
        return np.asarray(matplotlib.colormaps[names](np.arange(count)))
    hues = np.linspace(0, 1, count, endpoint=False)
    return np.array([[*colorsys.hsv_to_rgb(hue, 1, 0.9), 1.0] for hue in hues])


def _legend(axis: Axes, classes: tuple[str, ...], colours: np.ndarray) -> None:
    from matplotlib.lines import Line2D

    from ..reporting.fonts import font_for, writable

    if len(classes) > MAX_NAMED:
        return
    marks = [Line2D([], [], marker="s", linestyle="", markersize=9, color=colour) for colour in colours]
    legend = axis.legend(
        marks, writable(classes), prop=font_for(classes), loc=UPPER_CENTRE, bbox_to_anchor=(0.5, 0.0), ncols=5,
        frameon=False,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
