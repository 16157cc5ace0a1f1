"""Draws sections below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from ..errors import one_line
from ..reporting.figures import INK, svg
from ..reporting.fonts import font_for, writable
from ..system.language import shown
from .sections import Panel, Row, Section

WIDTH = 12.0  # inches
LABEL = 1.5  # inches at the left of rows with labels
TITLE, PANEL_TITLE, GAP = 0.34, 0.24, 0.05  # inches
MARGIN = 0.15
FRAME = "#0072B2"
# Over a picture: nothing where nothing counts, red where much does.
HEAT = LinearSegmentedColormap.from_list("heat", [(0.85, 0.1, 0.0, 0.0), (0.85, 0.1, 0.0, 0.9)])


def draw(title: str, sections: Sequence[Section]) -> Figure:
    """Draw sections below each other.

    Args:
        title: stands above all; "" for none.
        sections: one or more.

    Returns:
        The drawing.
    """
    headed = TITLE if title else 0.0
    height = 2 * MARGIN + headed + sum(_height(section) for section in sections)
    figure = Figure(figsize=(WIDTH, height))
    if title:
        _text(figure, MARGIN, height - MARGIN - TITLE / 2, title, height, size=13)
    top = height - MARGIN - headed
    for section in sections:
        _text(figure, MARGIN, top - TITLE * 0.6, section.title, height, size=9)
        y = top - TITLE
        side, left = _side(section), _left(section)
        for row in section.rows:
            titled = PANEL_TITLE if any(panel.title for panel in row.panels) else 0.0
            y -= side + titled
            if row.label:
                _text(figure, MARGIN, y + side / 2, row.label, height, size=7.5)
            for number, panel in enumerate(row.panels):
                x = left + number * (side + GAP)
                axes = figure.add_axes((x / WIDTH, y / height, side / WIDTH, side / height))
                _panel(axes, panel)
            y -= GAP
        top -= _height(section)
    return figure


def _text(figure: Figure, x: float, y: float, text: str, height: float, *, size: float) -> None:
    words, font = _said(text, size=size)
    figure.text(x / WIDTH, y / height, words, va="center", color=INK, parse_math=False, fontproperties=font)


def _said(text: str, *, size: float) -> tuple[str, FontProperties]:
    """A text in the language of messages where installed fonts can write it, else in English; and its font."""
    lines = shown(text).split("\n")
    if writable(lines) != [one_line(line) for line in lines]:
        lines = text.split("\n")
    font = font_for(lines).copy()
    font.set_size(size)
    return "\n".join(writable(lines)), font


def svg_of(figure: Figure) -> str:
    """The drawing as SVG, with its pictures inside."""
    return svg(figure)


def _left(section: Section) -> float:
    return MARGIN + (LABEL if any(row.label for row in section.rows) else 0.0)


def _side(section: Section) -> float:
    """Of a panel, inches."""
    return (WIDTH - MARGIN - _left(section)) / section.across - GAP


def _height(section: Section) -> float:
    rows: Sequence[Row] = section.rows
    titled = sum(any(panel.title for panel in row.panels) for row in rows)
    return TITLE + len(rows) * (_side(section) + GAP) + titled * PANEL_TITLE + MARGIN


def _panel(axes: Any, panel: Panel) -> None:
    axes.set_axis_off()
    values = panel.values.squeeze()
    coloured = values.ndim == 3
    grey = not coloured and panel.values.ndim == 3
    if coloured or grey:
        axes.imshow(values, cmap="gray" if grey else None, vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.imshow(values, cmap="viridis", vmin=panel.low, vmax=panel.high, interpolation="nearest")
    if panel.heat is not None:
        axes.imshow(np.sqrt(panel.heat), cmap=HEAT, vmin=0, vmax=1, interpolation="nearest")
    if panel.box is not None:
        row, column, side = panel.box
        axes.add_patch(
            Rectangle(
                (column - side / 2 - 0.5, row - side / 2 - 0.5), side, side, fill=False, edgecolor=FRAME, linewidth=2
            )
        )
    if panel.title:
        words, font = _said(panel.title, size=8)
        axes.set_title(words, fontproperties=font, color=INK, pad=3, parse_math=False)
