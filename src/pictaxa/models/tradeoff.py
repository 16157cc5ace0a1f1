"""Draws what networks are worth against what they cost: published accuracy, multiply-adds and parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..system.files import writing
from .canvas import check_suffix
from .theme import DARK, LIGHT, NOTE, TITLE, Theme, text_width

WIDTH, HEIGHT = 14.0, 7.2  # inches
AREA = 900.0  # of the largest circle, square points


@dataclass(frozen=True)
class Worth:
    """What a network costs for a picture of its own size, and its published accuracy."""

    name: str
    family: str
    accuracy: float  # top-1 on ImageNet's validation pictures, percent
    multiply_adds: int
    parameters: int


def draw_tradeoff(worths: Sequence[Worth], path: Path, *, dark: bool = False) -> Path:
    """Draw accuracy against multiply-adds, with circles as large as the parameters are many, and against parameters.

    Args:
        worths: two networks or more.
        path: the file to write, .svg or .png.
        dark: whether light on dark.

    Returns:
        The file.

    Raises:
        ConfigError: the file has another suffix, or can't be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    check_suffix(path)
    theme = DARK if dark else LIGHT
    figure = Figure(figsize=(WIDTH, HEIGHT), facecolor=theme.paper, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    families = [*dict.fromkeys(worth.family for worth in worths)]
    hues = [edge for kind, edge in theme.edges.items() if kind not in ("port", "picture", "block", "other")]
    colours = {family: hues[number % len(hues)] for number, family in enumerate(families)}
    most = max(worth.parameters for worth in worths)
    for axes, what in ((left, "multiply_adds"), (right, "parameters")):
        scale = 1e9 if what == "multiply_adds" else 1e6
        points = [(getattr(worth, what) / scale, worth.accuracy) for worth in worths]
        areas = [AREA * worth.parameters / most if what == "multiply_adds" else 40.0 for worth in worths]
        for worth, (x, y), area in zip(worths, points, areas, strict=True):
            axes.scatter([x], [y], s=[area], color=colours[worth.family], alpha=0.6, linewidths=0)
            axes.scatter([x], [y], s=[6.0], color=colours[worth.family])
        axes.set_xscale("log")
        unit = "billion multiply-adds" if what == "multiply_adds" else "million parameters"
        _style(axes, theme, unit)
    left.set_ylabel("top-1 accuracy on ImageNet, %, as published", color=theme.ink, size=TITLE)
    figure.suptitle(
        "Accuracy against cost: the higher and the further left, the better; circles at the left grow with parameters",
        color=theme.ink, size=TITLE + 1,
    )  # fmt: skip
    for axes, what in ((left, "multiply_adds"), (right, "parameters")):
        axes.margins(0.12)
        _name(axes, worths, what, theme, figure)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pictaxa"}), writing(path, flag="--diagram"):
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        figure.savefig(path, dpi=200, metadata=metadata, facecolor=theme.paper)
    return path


def _style(axes: Any, theme: Theme, unit: str) -> None:
    axes.set_facecolor(theme.paper)
    axes.set_xlabel(unit, color=theme.ink, size=TITLE)
    axes.tick_params(colors=theme.faint, which="both", labelsize=NOTE + 1)
    axes.grid(alpha=0.2, color=theme.faint)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.faint)


def _name(axes: Any, worths: Sequence[Worth], what: str, theme: Theme, figure: Any) -> None:
    """Names beside the points, as near as where none covers another one or a point."""
    figure.draw_without_rendering()  # settles where the axes are
    scale = 1e9 if what == "multiply_adds" else 1e6
    values = [(getattr(worth, what) / scale, worth.accuracy) for worth in worths]
    points = [tuple(axes.transData.transform(value) * 72 / figure.dpi) for value in values]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    for number in sorted(range(len(worths)), key=lambda number: -worths[number].accuracy):
        (x, y), name = points[number], worths[number].name
        wide, high = text_width(name, NOTE) + 2, NOTE + 2
        places = []
        for far in (6.0, 14.0, 22.0, 32.0, 44.0, 58.0):
            for turn in range(16):
                across, up = math.cos(turn * math.pi / 8), math.sin(turn * math.pi / 8)
                # Beside the point on the side that the name lies on, centred above and below it.
                left = far * across - wide * (1 - across) / 2
                places.append((left, far * up))
        boxes = [(x + dx, y + dy - high / 2, x + dx + wide, y + dy + high / 2) for dx, dy in places]
        free = [place for place, box in enumerate(boxes) if not any(_overlap(box, other) for other in taken)]
        chosen = free[0] if free else 0
        taken.append(boxes[chosen])
        far_off = chosen >= 32
        axes.annotate(
            name,
            values[number],
            xytext=places[chosen],
            textcoords="offset points",
            size=NOTE,
            color=theme.ink,
            va="center",
            arrowprops={"arrowstyle": "-", "color": theme.faint, "linewidth": 0.5} if far_off else None,
        )


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
