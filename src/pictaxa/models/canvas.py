"""What diagrams are drawn on: boxes, frames, signs and arrows in matplotlib's words.

All lengths are points, y goes downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..system.files import require_suffix, writing
from .layout import Extent
from .parts import Arrow, Part
from .theme import HEADING, LINE, NOTE, TITLE, Theme, text_width

PAD = 7.0  # within a box
SIGN = 15.0  # diameter of a sum's circle
HEAD = 17.0  # height of a block's title
MARGIN = 24.0
LONG = 24  # characters of a path, of which the end is enough
MOST_PIXELS = 8000  # along a side of a PNG
SIGNS = {"add": "+", "multiply": "×"}


@dataclass(frozen=True)
class Caption:
    """What stands above and below a drawing."""

    title: str
    lines: tuple[str, ...]


def written_shape(shape: tuple[int, ...]) -> str:
    """`64 × 112 × 112`, `197 × 768`, `1,000`."""
    return " × ".join(f"{number:,}" if len(shape) == 1 else str(number) for number in shape)


def titled(part: Part) -> str:
    """What a part does, with its number where it stands for several."""
    return f"{part.title}  ×{part.count}" if part.count > 1 else part.title


def named(part: Part) -> str:
    """Where a block is in the network, and the shape of its output."""
    path = part.name.split(".")
    name = part.name if len(part.name) <= LONG else "… " + ".".join(path[-4:])
    return f"{name}   {written_shape(part.shape)}"


def check_suffix(path: Path) -> None:
    """Make sure that a drawing can be written in the format that its file's name ends in; ConfigError else."""
    require_suffix(path, ".svg", ".png", flag="a drawing")


class Canvas:
    """What is drawn, in matplotlib's words; sized when all of it is there."""

    def __init__(self, theme: Theme) -> None:
        from matplotlib.figure import Figure

        self.theme = theme
        self.figure = Figure(facecolor=theme.paper)
        self.axes: Any = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.xs: list[float] = []
        self.ys: list[float] = []

    def _reach(self, *points: tuple[float, float]) -> None:
        self.xs += [x for x, _ in points]
        self.ys += [y for _, y in points]

    def text(
        self, x: float, y: float, text: str, *, size: float, colour: str, bold: bool = False, left: bool = False
    ) -> None:
        """A line of text, around x or from it on."""
        self.axes.text(
            x, y, text, size=size, color=colour, weight="bold" if bold else "normal",
            ha="left" if left else "center", va="center", parse_math=False, zorder=4,
        )  # fmt: skip
        width = text_width(text, size, bold=bold)
        start = x if left else x - width / 2
        self._reach((start, y - size / 2), (start + width, y + size / 2))

    def box(self, part: Part, x: float, top: float, extent: Extent, *, lines: Sequence[str]) -> None:
        """A layer."""
        self._rectangle(part, x, top, extent, rounding=3.0)
        y = top + (extent.height - NOTE * LINE * len(lines)) / 2
        self.text(x, y, titled(part), size=TITLE, colour=self.theme.ink)
        for number, line in enumerate(lines):
            self.text(x, y + TITLE * 0.6 + NOTE * LINE * (number + 0.55), line, size=NOTE, colour=self.theme.faint)

    def block(self, part: Part, x: float, top: float, extent: Extent) -> None:
        """A block's frame and what it is called."""
        self._rectangle(part, x, top, extent, rounding=6.0)
        left = x - extent.left + PAD
        self.text(left, top + HEAD / 2 + 1, titled(part), size=TITLE, colour=self.theme.ink, bold=True, left=True)
        self.text(left, top + HEAD + 2, named(part), size=NOTE, colour=self.theme.faint, left=True)

    def _rectangle(self, part: Part, x: float, top: float, extent: Extent, *, rounding: float) -> None:
        from matplotlib.patches import FancyBboxPatch

        width = extent.left + extent.right
        self.axes.add_patch(
            FancyBboxPatch(
                (x - extent.left, top), width, extent.height, boxstyle=f"round,pad=0,rounding_size={rounding}",
                facecolor=self.theme.fills[part.kind], edgecolor=self.theme.edges[part.kind], linewidth=0.9,
                linestyle="--" if part.auxiliary and part.kind == "block" else "-",
                zorder=1 if part.kind == "block" else 3,
            )
        )  # fmt: skip
        self._reach((x - extent.left, top), (x + extent.right, top + extent.height))

    def sign(self, part: Part, x: float, top: float) -> None:
        """A sum or a product."""
        from matplotlib.patches import Circle

        self.axes.add_patch(
            Circle(
                (x, top + SIGN / 2), SIGN / 2, facecolor=self.theme.fills["join"], edgecolor=self.theme.edges["join"],
                linewidth=0.9, zorder=3,
            )
        )  # fmt: skip
        self.text(x, top + SIGN / 2, SIGNS[part.title], size=TITLE + 2, colour=self.theme.ink)
        if part.notes:
            note = ", ".join(part.notes)
            self.text(x + SIGN / 2 + 4, top + SIGN / 2, note, size=NOTE, colour=self.theme.faint, left=True)

    def dot(self, x: float, y: float) -> None:
        """Where a block's input comes in, or its output goes out."""
        self.axes.plot([x], [y], ".", color=self.theme.line, markersize=3, zorder=2)
        self._reach((x, y))

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """A plain line."""
        self.axes.plot([start[0], end[0]], [start[1], end[1]], color=self.theme.line, linewidth=1.0, zorder=2)

    def curve(self, points: Sequence[tuple[float, float]], arrow: Arrow, *, head: bool) -> None:
        """An arrow through points, vertical at each."""
        from matplotlib.path import Path as Curve

        vertices, codes = [points[0]], [Curve.MOVETO]
        for (x, y), (next_x, next_y) in pairwise(points):
            reach = (next_y - y) * 0.5
            vertices += [(x, y + reach), (next_x, next_y - reach), (next_x, next_y)]
            codes += [Curve.CURVE4] * 3
        self._arrow(Curve(vertices, codes), style=arrow.style, head=head)
        self._reach(*points)

    def elbow(
        self, start: tuple[float, float], end: tuple[float, float], *, foot: float, gutter: float, style: str
    ) -> None:
        """An arrow from the foot of a column, through the gutter, to the head of the next."""
        from matplotlib.path import Path as Curve

        low, high = foot + 10, end[1] - 16
        corners = [start, (start[0], low), (gutter, low), (gutter, high), (end[0], high), end]
        vertices, codes = [corners[0]], [Curve.MOVETO]
        for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
            vertices += [_towards(corner, before), corner, _towards(corner, after)]
            codes += [Curve.LINETO, Curve.CURVE3, Curve.CURVE3]
        self._arrow(Curve([*vertices, end], [*codes, Curve.LINETO]), style=style, head=True)
        self._reach(*corners)

    def _arrow(self, curve: Any, *, style: str, head: bool) -> None:
        from matplotlib.patches import FancyArrowPatch

        plain = style == "plain"
        self.axes.add_patch(
            FancyArrowPatch(
                path=curve,
                arrowstyle="-|>,head_length=3.6,head_width=1.7" if head else "-",
                shrinkA=0,
                shrinkB=0,
                color=self.theme.line if plain else self.theme.shortcut,
                linewidth=1.0 if plain else 1.5,
                linestyle=(0, (4, 2.2)) if style == "projection" else "-",
                joinstyle="round",
                mutation_scale=1,
                zorder=2,
            )
        )

    def write(self, caption: Caption, path: Path, *, arrows: Sequence[Arrow]) -> None:
        """Title above, lines below, and the file."""
        import matplotlib

        left, top, bottom = min(self.xs), min(self.ys), max(self.ys)
        self.text(left, top - 22, caption.title, size=HEADING, colour=self.theme.ink, bold=True, left=True)
        styles = {arrow.style for arrow in arrows}
        said = [*caption.lines]
        said += ["solid shortcut: the input as it is"] if "identity" in styles else []
        said += ["dashed shortcut: with a layer of its own, as the shape changes"] if "projection" in styles else []
        for number, line in enumerate(said):
            self.text(left, bottom + 20 + number * 12, line, size=NOTE + 1, colour=self.theme.faint, left=True)
        left, right = min(self.xs) - MARGIN, max(self.xs) + MARGIN
        top, bottom = min(self.ys) - MARGIN, max(self.ys) + MARGIN
        self.axes.set_xlim(left, right)
        self.axes.set_ylim(bottom, top)  # y goes downwards
        inches = (right - left) / 72, (bottom - top) / 72
        self.figure.set_size_inches(inches)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        dpi = min(200, MOST_PIXELS / max(inches))
        with (
            matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pictaxa"}),
            writing(path, flag="--diagram"),
        ):
            self.figure.savefig(path, dpi=dpi, metadata=metadata, facecolor=self.theme.paper)


def _towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """A point five points from a corner, or half the way."""
    distance = math.dist(corner, other)
    share = min(5.0, distance / 2) / distance if distance else 0.0
    return corner[0] + (other[0] - corner[0]) * share, corner[1] + (other[1] - corner[1]) * share
