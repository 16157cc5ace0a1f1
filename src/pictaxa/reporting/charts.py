"""Line charts of a page, which are drawn with its colours, in light and dark, and with its fonts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40  # room around the lines, pixels


@dataclass(frozen=True)
class Line:
    """A line of a chart; `kind` is a class of the style sheet."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str
    dots: bool = False


@dataclass(frozen=True)
class Axes:
    """What a chart goes over: the names of its axes and their ends."""

    across: str
    up: str
    low: tuple[float, float]
    high: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is, in pixels."""
        (x0, y0), (x1, y1) = self.low, self.high
        across = (x - x0) / (x1 - x0 or 1.0)
        up = (y - y0) / (y1 - y0 or 1.0)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


class Drawn(NamedTuple):
    """A line in pixels."""

    name: str
    kind: str
    points: str  # as <polyline> takes them
    dots: list[tuple[str, str]]  # where a dot is, if any


class Chart(NamedTuple):
    """A chart as templates/charts.html draws it, in pixels."""

    label: str  # what it shows, for those who don't see it
    axes: Axes
    lines: list[Drawn]
    across_ticks: list[tuple[str, str]]  # place and text
    up_ticks: list[tuple[str, str]]


def line_chart(lines: Sequence[Line], axes: Axes, *, label: str) -> Chart:
    """Draw lines over each other.

    Args:
        lines: each with a point or more.
        axes: their ends.
        label: what the chart shows, for those who don't see it.

    Returns:
        The Chart.
    """
    drawn = []
    for line in lines:
        places = [tuple(f"{at:.1f}" for at in axes.place(*point)) for point in line.points]
        points = " ".join(f"{x},{y}" for x, y in places)
        drawn.append(Drawn(line.name, line.kind, points, [(x, y) for x, y in places] if line.dots else []))
    whole = [x for x in ticks(axes.low[0], axes.high[0], most=6) if x == int(x)]  # there is no half of an epoch
    across = [(f"{axes.place(x, axes.low[1])[0]:.1f}", f"{x:g}") for x in whole]
    up = [(f"{axes.place(axes.low[0], y)[1]:.1f}", f"{y:g}") for y in ticks(axes.low[1], axes.high[1], most=6)]
    return Chart(label, axes, drawn, across, up)


def ticks(low: float, high: float, *, most: int) -> list[float]:
    """Choose round numbers within a range, at most so many.

    Args:
        low: its lower end.
        high: its upper end.
        most: how many, 2 or more.

    Returns:
        The numbers, in steps of 1, 2 or 5 times a power of ten.

    Example:
        ticks(0, 1, most=6)  # [0, 0.2, 0.4, 0.6, 0.8, 1]
    """
    if not high > low:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]
