"""Draws networks as for a slide: layers and blocks from top to bottom, shortcuts as the ResNet paper has them.

parts.py says what is drawn, layout.py where, canvas.py how; here it is sized and put together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .canvas import HEAD, MARGIN, PAD, SIGN, SIGNS, Canvas, Caption, check_suffix, named, titled, written_shape
from .layout import Extent, Layout, Link, lay_out
from .parts import Arrow, Part, Sheet
from .theme import DARK, LIGHT, LINE, NOTE, TITLE, text_width

BESIDE, BELOW = 13.0, 15.0  # between parts
SHORT = 1e-3  # weight of what goes around
GUTTER = 46.0  # between two columns
SLIDE = 16 / 9  # width over height that columns are chosen for
PER_COLUMN = 0.12  # how far from it a column less may be, in the logarithm


@dataclass(frozen=True)
class _Arranged:
    """A sheet with the place of each part, and of the parts within it."""

    sheet: Sheet
    layout: Layout
    extents: tuple[Extent, ...]
    inside: tuple[_Arranged | None, ...]
    shapes: bool  # whether boxes have their output's shape on them

    @property
    def left(self) -> float:
        return min(x - extent.left for x, extent in zip(self.layout.x, self.extents, strict=True))

    @property
    def right(self) -> float:
        bends = (x for chain in self.layout.bends for x, _ in chain)
        return max(*(x + e.right for x, e in zip(self.layout.x, self.extents, strict=True)), *bends, -math.inf)

    @property
    def height(self) -> float:
        return max(top + extent.height for top, extent in zip(self.layout.top, self.extents, strict=True))


def _arrange(sheet: Sheet, *, shapes: bool) -> _Arranged:
    inside = tuple(None if part.inside is None else _arrange(part.inside, shapes=False) for part in sheet.parts)
    extents = tuple(_extent(part, inner, shapes=shapes) for part, inner in zip(sheet.parts, inside, strict=True))
    links = [Link(arrow.source, arrow.target, _weight(arrow, sheet)) for arrow in sheet.arrows]
    return _Arranged(
        sheet, lay_out(extents, links, beside=BESIDE, below=BELOW, centred=not shapes), extents, inside, shapes
    )


def _weight(arrow: Arrow, sheet: Sheet) -> float:
    """Shortcuts, what a gate scales, and what leads to auxiliary heads go around; the rest is straight."""
    target = sheet.parts[arrow.target]
    scaled = target.title == "multiply" and arrow.source != arrow.target - 1
    return SHORT if arrow.style != "plain" or scaled or target.auxiliary else 1.0


def _extent(part: Part, inner: _Arranged | None, *, shapes: bool) -> Extent:
    if part.kind == "port":
        return Extent(0, 0, 0)
    if inner is not None:
        anchor = inner.layout.x[0]
        left, right = anchor - inner.left + PAD + 2, inner.right - anchor + PAD + 2
        words = max(text_width(titled(part), TITLE, bold=True), text_width(named(part), NOTE))
        missing = max(0.0, words + 2 * PAD - left - right)
        return Extent(left + missing / 2, right + missing / 2, HEAD + NOTE * LINE + 6 + inner.height + 2)
    if part.title in SIGNS:
        beside = max((text_width(note, NOTE) for note in part.notes), default=0.0)
        return Extent(SIGN / 2, SIGN / 2 + (beside + 4 if beside else 0), SIGN)
    small = _small(part, shapes=shapes)
    widths = [text_width(titled(part), TITLE), *(text_width(line, NOTE) for line in small)]
    width = max(max(widths) + 2 * PAD, 46.0)
    return Extent(width / 2, width / 2, TITLE * LINE + NOTE * LINE * len(small) + PAD)


def _small(part: Part, *, shapes: bool) -> list[str]:
    """The lines below a box's title."""
    lines = [", ".join(part.notes)] if part.notes else []
    return [*lines, written_shape(part.shape)] if shapes and part.kind != "dense" else lines


def draw_network(sheet: Sheet, caption: Caption, path: Path, *, dark: bool = False) -> Path:
    """Draw a whole network, in as many columns as a slide takes best.

    Args:
        sheet: the network, from `parts.network_sheet`.
        caption: what is said of it.
        path: the .svg or .png file to write.
        dark: whether light on dark.

    Returns:
        The file.

    Raises:
        ConfigError: the file has another suffix, or can't be written.
    """
    check_suffix(path)
    arranged = _arrange(sheet, shapes=True)
    columns = _columns(arranged)
    canvas = Canvas(DARK if dark else LIGHT)
    tops = [min(arranged.layout.top[part] for part in layers[0]) for layers in columns]
    sides = [_sides(arranged, layers) for layers in columns]
    start = 0.0
    shifts: dict[int, tuple[float, float]] = {}
    gutters: dict[int, float] = {}
    for layers, top, (left, right) in zip(columns, tops, sides, strict=True):
        shifts |= {part: (start - left, -top) for layer in layers for part in layer}
        gutters |= {part: start - GUTTER / 2 for layer in layers for part in layer}
        start += right - left + GUTTER
    _draw(canvas, arranged, shifts, gutters)
    canvas.write(caption, path, arrows=_all_arrows(sheet))
    return path


def draw_blocks(blocks: Sequence[tuple[Caption, Sheet]], caption: Caption, path: Path, *, dark: bool = False) -> Path:
    """Draw blocks side by side, each below its caption.

    Args:
        blocks: what is said of each, and its sheet, from `parts.block_sheets`.
        caption: what is said of all.
        path: the .svg or .png file to write.
        dark: whether light on dark.

    Returns:
        The file.

    Raises:
        ConfigError: the file has another suffix, or can't be written.
    """
    check_suffix(path)
    canvas = Canvas(DARK if dark else LIGHT)
    start = 0.0
    for said, sheet in blocks:
        arranged = _arrange(sheet, shapes=False)
        words = max(text_width(said.title, TITLE + 1, bold=True), *(text_width(line, NOTE) for line in said.lines))
        width = max(arranged.right - arranged.left, words)
        middle = start + width / 2
        shift = middle - (arranged.right + arranged.left) / 2
        for number, line in enumerate((said.title, *said.lines)):
            size, bold = (TITLE + 1, True) if number == 0 else (NOTE, False)
            y = -(len(said.lines) - number) * NOTE * LINE * 1.15 - 12
            canvas.text(middle, y, line, size=size, bold=bold, colour=canvas.theme.ink if bold else canvas.theme.faint)
        _draw(canvas, arranged, dict.fromkeys(range(len(sheet.parts)), (shift, 0.0)), {})
        start += width + GUTTER
    canvas.write(caption, path, arrows=[arrow for _, sheet in blocks for arrow in _all_arrows(sheet)])
    return path


def _all_arrows(sheet: Sheet) -> list[Arrow]:
    return [*sheet.arrows, *(arrow for part in sheet.parts if part.inside for arrow in part.inside.arrows)]


def _sides(arranged: _Arranged, layers: Sequence[Sequence[int]]) -> tuple[float, float]:
    parts = [part for layer in layers for part in layer]
    x, extents = arranged.layout.x, arranged.extents
    return min(x[part] - extents[part].left for part in parts), max(x[part] + extents[part].right for part in parts)


def _columns(arranged: _Arranged) -> list[list[tuple[int, ...]]]:
    """The layers in columns, cut where a single arrow crosses, for the shape of a slide."""
    layers = arranged.layout.layers
    layer_of = {part: number for number, layer in enumerate(layers) for part in layer}
    crossing = [0] * len(layers)  # arrows from a layer or one above it to one below it
    for arrow in arranged.sheet.arrows:
        for number in range(layer_of[arrow.source], layer_of[arrow.target]):
            crossing[number] += 1
    heights = [max(arranged.extents[part].height for part in layer) + BELOW for layer in layers]
    sums = {sum(heights[start : end + 1]) for start in range(len(layers)) for end in range(start, len(layers))}
    best, fit, fewest = [list(layers)], math.inf, len(layers) + 1
    for most in sorted(sums):  # the height of a column; of each number of columns the lowest counts
        columns: list[list[tuple[int, ...]]] = [[]]
        filled, tall = 0.0, 0.0
        for number, layer in enumerate(layers):
            if columns[-1] and crossing[number - 1] == 1 and filled + heights[number] > most:
                columns.append([])
                filled = 0.0
            columns[-1].append(layer)
            filled += heights[number]
            tall = max(tall, filled)
        if tall > most or len(columns) >= fewest:
            continue
        fewest = len(columns)
        sides = [_sides(arranged, column) for column in columns]
        wide = sum(right - left for left, right in sides) + GUTTER * (len(columns) - 1)
        misfit = abs(math.log((wide + 2 * MARGIN) / (tall + 90) / SLIDE)) + PER_COLUMN * len(columns)
        if misfit < fit:
            best, fit = columns, misfit
    return best


def _draw(
    canvas: Canvas, arranged: _Arranged, shifts: dict[int, tuple[float, float]], gutters: dict[int, float]
) -> None:
    """Draw the parts of a sheet, each moved by its shift, and the arrows between them, to other columns by a gutter."""
    layout, extents, sheet = arranged.layout, arranged.extents, arranged.sheet
    places = [(layout.x[i] + shifts[i][0], layout.top[i] + shifts[i][1]) for i in range(len(sheet.parts))]
    for arrow, bends in zip(sheet.arrows, layout.bends, strict=True):
        (x, top), shift = places[arrow.source], shifts[arrow.source]
        start = (x, top + extents[arrow.source].height)
        end = places[arrow.target]
        head = sheet.parts[arrow.target].kind != "port"
        if shifts[arrow.target] != shift:
            column = [i for i in range(len(sheet.parts)) if shifts[i] == shift]
            foot = max(places[i][1] + extents[i].height for i in column)
            canvas.elbow(start, end, foot=foot, gutter=gutters[arrow.target], style=arrow.style)
        else:
            moved = [(bend_x + shift[0], bend_y + shift[1]) for bend_x, bend_y in bends]
            canvas.curve([start, *moved, end], arrow, head=head)
    for part, (x, top), extent, inner in zip(sheet.parts, places, extents, arranged.inside, strict=True):
        if inner is not None:
            canvas.block(part, x, top, extent)
            anchor = inner.layout.x[0]
            inner_top = top + HEAD + NOTE * LINE + 6
            _draw(canvas, inner, dict.fromkeys(range(len(inner.sheet.parts)), (x - anchor, inner_top)), {})
            last = inner.layout.x[-1] + x - anchor
            canvas.line((last, inner_top + inner.height), (x, top + extent.height))
        elif part.kind == "port":
            canvas.dot(x, top)
        elif part.title in SIGNS:
            canvas.sign(part, x, top)
        else:
            canvas.box(part, x, top, extent, lines=_small(part, shapes=arranged.shapes))
