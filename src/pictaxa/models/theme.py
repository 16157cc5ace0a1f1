"""How diagrams look, on light and on dark slides: colours, type, and how wide a text is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from .parts import Kind

FONT = "DejaVu Sans"  # matplotlib brings it
TITLE, NOTE, HEADING = 9.0, 7.0, 14.0  # points
LINE = 1.25  # of a line of text, in parts of its size

# By what a part does: Okabe & Ito 2008, colours that colour-blind people can tell apart.
_HUES: dict[Kind, str] = {
    "picture": "#999999", "conv": "#56B4E9", "pool": "#E69F00", "norm": "#B0A990", "activation": "#D55E00",
    "dense": "#CC79A7", "attention": "#F0E442", "join": "#009E73", "block": "#009E73", "other": "#999999",
    "port": "#999999",
}  # fmt: skip


@dataclass(frozen=True)
class Theme:
    """Colours, each as matplotlib takes it."""

    paper: str
    ink: str  # of text
    faint: str  # of shapes and names
    line: str  # of arrows
    shortcut: str
    fills: Mapping[Kind, str]
    edges: Mapping[Kind, str]


def _mixed(colour: str, other: str, share: float) -> str:
    """`share` of a colour and the rest of another."""
    one, two = (tuple(int(text[i : i + 2], 16) for i in (1, 3, 5)) for text in (colour, other))
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in zip(one, two, strict=True))


def _theme(paper: str, ink: str, *, fill: float, block: float, shortcut: str) -> Theme:
    shares = {kind: block if kind == "block" else fill for kind in _HUES}
    return Theme(
        paper=paper,
        ink=ink,
        faint=_mixed(ink, paper, 0.62),
        line=_mixed(ink, paper, 0.75),
        shortcut=shortcut,
        fills={kind: _mixed(hue, paper, shares[kind]) for kind, hue in _HUES.items()},
        edges={kind: _mixed(hue, ink, 0.75) for kind, hue in _HUES.items()},
    )


LIGHT = _theme("#ffffff", "#1a202c", fill=0.38, block=0.10, shortcut="#0072B2")
DARK = _theme("#14181f", "#f2f4f8", fill=0.42, block=0.16, shortcut="#56B4E9")


@cache
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line of text.

    Args:
        text: the line.
        size: of the type, points.
        bold: whether it is bold.

    Returns:
        Points.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(family=FONT, weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().width)
