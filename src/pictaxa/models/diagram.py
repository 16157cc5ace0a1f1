"""Draws a block diagram of a network, as for a slide.

Feature maps are boxes: as high as the map is large, as wide as it has channels, both on a root scale, so that the first
and the last layers fit one picture. Above each box stands what computes it, below it its shape.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import ConfigError
from ..system.files import writing
from .summary import Row, Summary

# Colour-blind safe (Okabe & Ito 2008), by what a unit does.
COLOURS = {"conv": "#56B4E9", "pool": "#E69F00", "dense": "#CC79A7", "block": "#009E73", "tokens": "#F0E442"}
HEIGHT = 2.6  # of the input's box, in the drawing's units
GAP = 0.45
SLANT = 0.16  # depth of a box seen from the side, in parts of its height


@dataclass(frozen=True)
class Unit:
    """A part of the network as a diagram shows it: a layer, a block, or several equal ones in a row."""

    title: str
    count: int
    shape: tuple[int, ...]  # of the last one's output, without the number of pictures
    parameters: int
    multiply_adds: int


# Layers that belong to the one before them and get no word of their own.
_SILENT = {
    "BatchNorm2d", "GroupNorm", "LayerNorm", "ReLU", "ReLU6", "Hardswish", "Identity", "Dropout", "ZeroPad2d",
    "LocalResponseNorm",
}  # fmt: skip
_WORDS = {
    "Linear": "dense", "Conv2d": "conv", "SameConv2d": "conv", "StandardisedConv2d": "conv", "ConvUnit": "conv",
    "ConvNormAct": "conv", "MaxPool2d": "max pool", "SameMaxPool2d": "max pool", "AvgPool2d": "average pool",
    "SameAvgPool2d": "average pool", "AdaptiveAvgPool2d": "average pool", "PatchEmbedding": "patches to tokens",
}  # fmt: skip


def units(summary: Summary, model: nn.Module) -> list[Unit]:
    """The network in its own words: children of each stage in the order of their calls, equal neighbours counted."""
    parts = dict(_parts(model))

    def part_of(row: Row) -> str:
        return next((path for path in parts if row.name == path or row.name.startswith(path + ".")), "")

    found: list[Unit] = []
    for path, grouped in itertools.groupby(summary.rows, key=part_of):
        rows = list(grouped)
        kind = type(parts[path]).__name__ if path else ""
        if not path or kind in _SILENT:
            continue
        # A layer may be called several times; a block is called once.
        shape = rows[-1].shape if rows[-1].name == path else summary.shapes[path]
        unit = _unit(kind, rows, shape=shape)
        if found and (found[-1].title, found[-1].shape) == (unit.title, unit.shape):
            before = found.pop()
            unit = replace(
                unit,
                count=before.count + 1,
                parameters=before.parameters + unit.parameters,
                multiply_adds=before.multiply_adds + unit.multiply_adds,
            )
        found.append(unit)
    return found


def _unit(kind: str, rows: list[Row], *, shape: tuple[int, ...]) -> Unit:
    title = _WORDS.get(kind, kind)
    looks = next((row for row in rows if row.kernel is not None), None)
    if looks is not None and looks.kernel is not None and kind in _WORDS and kind != "PatchEmbedding":
        title = f"{looks.kernel[0]}x{looks.kernel[1]} {title}"
        title += f" /{looks.own_stride}" if looks.own_stride > 1 else ""
    return Unit(
        title=title,
        count=1,
        shape=shape,
        parameters=sum(row.parameters for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
    )


def _parts(model: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Children, and the children of plain sequences among them."""
    parts: list[tuple[str, nn.Module]] = []
    for name, child in model.named_children():
        if type(child) is nn.Sequential:
            parts += _parts(child, f"{prefix}{name}.")
        else:
            parts.append((f"{prefix}{name}", child))
    return parts


def draw_diagram(summary: Summary, parts: list[Unit], path: Path) -> Path:
    """Write the diagram to an .svg or .png file; ConfigError for another suffix."""
    if path.suffix.lower() not in (".svg", ".png"):
        raise ConfigError("--diagram FILE.svg or FILE.png", found=str(path), fix="End the file's name in .svg or .png.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    boxes = [_box(unit, summary) for unit in parts]
    figure = Figure(dpi=160, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    tallest = max(height for _, height, _ in boxes)
    place = 0.0
    axes.text(
        place, 0, f"{summary.channels} x {summary.size} x {summary.size}\npicture", ha="right", va="center", size=9
    )
    for unit, (width, height, colour) in zip(parts, boxes, strict=True):
        axes.annotate(
            "", xy=(place + GAP - 0.04, 0), xytext=(place + 0.08, 0),
            arrowprops={"arrowstyle": "-|>", "color": "#444444", "linewidth": 1},
        )  # fmt: skip
        left = place + GAP
        right = _draw_box(axes, left, width=width, height=height, colour=colour)
        count = f"{unit.count} x " if unit.count > 1 else ""
        axes.text(
            (left + right) / 2, height / 2 + height * SLANT + 0.1, f"{count}{_words(unit.title)}",
            ha="left", va="bottom", rotation=38, size=9, weight="bold", rotation_mode="anchor",
        )  # fmt: skip
        axes.text(left + width / 2, -height / 2 - 0.1, _shape(unit), ha="center", va="top", size=7.5, linespacing=1.2)
        place = max(right, left + 0.62 - GAP)  # the shapes below need so much room
    note = (
        f"{summary.name}: {summary.trainable:,} parameters, {summary.multiply_adds / 1e9:.2f} billion multiply-adds, "
        f"{summary.depth} layers deep"
    )
    axes.text(place / 2, -tallest / 2 - 0.75, note, ha="center", va="top", size=10)
    wide, low, high = (-1.1, place + 1.1), -tallest / 2 - 1.1, tallest / 2 * (1 + 2 * SLANT) + 1.4
    axes.set_xlim(*wide)
    axes.set_ylim(low, high)
    figure.set_size_inches(wide[1] - wide[0], high - low)
    with writing(path, flag="--diagram"):
        figure.savefig(path, bbox_inches="tight", pad_inches=0.15)
    return path


def _box(unit: Unit, summary: Summary) -> tuple[float, float, str]:
    """Width, height and colour."""
    if len(unit.shape) == 3:
        channels, height, _ = unit.shape
        kind = "pool" if "pool" in unit.title else "conv" if "conv" in unit.title else "block"
        return _wide(channels), max(0.16, HEIGHT * (height / summary.size) ** 0.5), COLOURS[kind]
    if len(unit.shape) == 2:  # tokens
        return _wide(unit.shape[1]), max(0.3, HEIGHT * (unit.shape[0] ** 0.5 / summary.size) ** 0.5), COLOURS["tokens"]
    return 0.16, min(HEIGHT, 0.3 + unit.shape[0] ** 0.5 / 40), COLOURS["dense"]


def _wide(channels: int) -> float:
    return 0.1 + channels**0.5 / 42


def _shape(unit: Unit) -> str:
    if len(unit.shape) == 3:
        return f"{unit.shape[0]}\n{unit.shape[1]} x {unit.shape[2]}"
    if len(unit.shape) == 2:
        return f"{unit.shape[0]}\ntokens\nof {unit.shape[1]}"
    return str(unit.shape[0])


def _words(title: str) -> str:
    """`InvertedResidual` as a person would write it; what is spelt already stays."""
    return title if " " in title else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).lower()


def _draw_box(axes: Any, left: float, *, width: float, height: float, colour: str) -> float:
    """A box seen from a little above and from the right; its right end."""
    from matplotlib.patches import Polygon

    depth, bottom, top = height * SLANT, -height / 2, height / 2
    right = left + width
    faces = (
        ([(left, bottom), (right, bottom), (right, top), (left, top)], 1.0),
        ([(left, top), (right, top), (right + depth, top + depth), (left + depth, top + depth)], 0.55),
        ([(right, bottom), (right + depth, bottom + depth), (right + depth, top + depth), (right, top)], 0.78),
    )
    for corners, strength in faces:
        axes.add_patch(Polygon(corners, facecolor="white", edgecolor="none"))
        axes.add_patch(
            Polygon(corners, facecolor=colour, alpha=strength, edgecolor="#333333", linewidth=0.7, joinstyle="round")
        )
    return right + depth
