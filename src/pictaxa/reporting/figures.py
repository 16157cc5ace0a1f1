"""Drawings: the confusion matrix, a grid of pictures, and a picture with its probabilities."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from PIL import Image
from rich.cells import cell_len

from .fonts import font_for, is_upright, writable

GOOD, INK = "#2b6cb0", "#1a202c"
RIGHT, BAD = "#2f855a", "#c53030"  # answers
NAMED = 100  # classes of a matrix up to which there is room for their names
TITLE_WIDTH = 16  # characters per inch of a tile, at the size of its title


def confusion(matrix: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """Draw a confusion matrix, each row in parts of its sum.

    Args:
        matrix: (classes, classes) int counts, row the true class, column the predicted one.
        classes: their names.

    Returns:
        The drawing; with counts in its cells up to 30 classes, and with numbers instead of names beyond 100.
    """
    count = len(classes)
    side = min(4 + 0.35 * count, 20)
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    if count > NAMED:
        return figure
    font, names = font_for(classes), writable(classes)
    as_it_is: dict[str, Any] = {"fontproperties": font, "parse_math": False}  # a name with $ is no formula
    below = ["\n".join(name) if is_upright(name) else name for name in names]  # Chinese: downwards
    axis.set_xticks(range(count), below, rotation=60, ha="right", **as_it_is)
    for label, name in zip(axis.get_xticklabels(), names, strict=True):
        if is_upright(name):
            label.set(rotation=0, horizontalalignment="center", linespacing=1.0)
    axis.set_yticks(range(count), names, **as_it_is)
    if count <= 30:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = "white" if shares[row, column] > 0.5 else INK
            axis.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=8)
    return figure


@dataclass(frozen=True)
class Tile:
    """A picture of a grid: (H, W, C) or (H, W) uint8, with a title above it, and a second line below the title."""

    pixels: np.ndarray
    title: str = ""
    colour: str = INK
    below: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The title's lines."""
        return (self.title, self.below) if self.below else (self.title,)


def grid(rows: list[list[Tile]], *, inches: float = 1.5) -> Figure:
    """Draw pictures in a grid, with their titles.

    Args:
        rows: rows of tiles, of any lengths.
        inches: width of a tile.

    Returns:
        The drawing.
    """
    columns = max(len(row) for row in rows)
    title = 0.25 + 0.15 * any(tile.below for row in rows for tile in row)  # inches above each
    shapes = [[tile.pixels.shape for tile in row] for row in rows]
    heights = [inches * min(1.0, max(shape[0] / shape[1] for shape in row)) + title for row in shapes]
    figure = Figure(figsize=(columns * inches, sum(heights)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    font = _title_font([tile for row in rows for tile in row], size=8)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, row in enumerate(rows):
        for axis, tile in zip(axes[i], row, strict=False):
            _show(axis, tile, font=font, width=inches)
    return figure


def bars(tile: Tile, top: list[tuple[str, float]], *, others: int) -> Figure:
    """Draw a picture with the probabilities of its classes beside it.

    Args:
        tile: the picture.
        top: (class, probability) pairs, best first.
        others: how many classes are not among them.

    Returns:
        The drawing.
    """
    figure = Figure(figsize=(8, max(3.0, 0.9 + 0.32 * len(top))), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set_axis_off()
    _show(left, tile, font=_title_font([tile], size=12), width=8)
    names = [name for name, _ in top]
    right.barh(range(len(top)), [100 * value for _, value in top], color=[GOOD] + ["#a0aec0"] * (len(top) - 1))
    right.set_yticks(range(len(top)), writable(names), fontproperties=font_for(names), parse_math=False)
    right.invert_yaxis()
    for place, (_, value) in enumerate(top):
        right.annotate(f"{value:.1%}", (100 * value, place), xytext=(3, 0), textcoords="offset points", va="center")
    right.set_xlim(0, 115)
    right.set_xticks(range(0, 101, 25))
    right.set_xlabel("probability, %" + (f"; {others} more classes have less" if others > 0 else ""))
    right.spines[["top", "right"]].set_visible(False)
    return figure


def _title_font(tiles: list[Tile], *, size: float) -> FontProperties:
    font = font_for([line for tile in tiles for line in tile.lines]).copy()
    font.set_size(size)
    return font


def _show(axis: Any, tile: Tile, *, font: FontProperties, width: float) -> None:
    """A tile in its place, `width` inches wide."""
    grey = tile.pixels.ndim == 2 or tile.pixels.shape[2] == 1
    axis.imshow(tile.pixels.squeeze(), cmap="gray" if grey else None, vmin=0, vmax=255)
    title = "\n".join(shortened(line, cells=round(TITLE_WIDTH * width)) for line in writable(tile.lines))
    axis.set_title(title, fontproperties=font, color=tile.colour, pad=2, parse_math=False)


def shortened(text: str, *, cells: int) -> str:
    """A text of at most so many cells (a Chinese character takes two), the middle left out of a longer one."""
    if cell_len(text) <= cells:
        return text
    half = (cells - 1) // 2
    return f"{text[:half].rstrip()}…{text[-half:].lstrip()}" if cell_len(text) == len(text) else (
        f"{text[: half // 2]}…{text[-(half // 2) :]}"
    )  # fmt: skip


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG."""
    figure.savefig(path, dpi=130)


def svg(figure: Figure) -> str:
    """The drawing as an <svg> element, text as text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pictaxa"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def jpeg_bytes(image: Any, *, side: int) -> bytes:
    """A small JPEG of a Pillow picture, its longer side at most `side` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
