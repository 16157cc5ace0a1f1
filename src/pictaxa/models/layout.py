"""Where the parts of a diagram lie: in layers from top to bottom, as Graphviz' dot has them.

Sugiyama et al. 1981, "Methods for visual understanding of hierarchical system structures", in three steps: each part
in the layer below the last that leads to it, long arrows with a bend in every layer that they pass; the order in a
layer such that few arrows cross; places such that arrows are straight. The networks' sheets have a dozen parts in a
layer at most, so plain ways do for all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 24
LIGHT = 1e-4  # how much what stands right counts, where it would touch its neighbour


@dataclass(frozen=True)
class Extent:
    """How far a part reaches from its middle, where its arrows begin and end, in points."""

    left: float
    right: float
    height: float


@dataclass(frozen=True)
class Link:
    """An arrow to be laid; the heavier, the straighter."""

    source: int
    target: int
    weight: float = 1.0


@dataclass(frozen=True)
class Layout:
    """Places, x to the right and y downwards, in points."""

    layers: tuple[tuple[int, ...], ...]  # the parts of each, from left to right
    x: tuple[float, ...]  # of each part's middle
    top: tuple[float, ...]  # of each part
    bends: tuple[tuple[tuple[float, float], ...], ...]  # of each link: where a layer that it passes begins and ends


def lay_out(
    extents: Sequence[Extent], links: Sequence[Link], *, beside: float, below: float, centred: bool = True
) -> Layout:
    """Place parts in layers.

    Args:
        extents: of each part.
        links: from parts to later parts.
        beside: least space between two neighbours, points.
        below: space between two layers, points.
        centred: whether a layer's parts have their middles at one height, else their tops.

    Returns:
        The places of the parts, and the bends of the links.
    """
    layer = [0] * len(extents)
    for link in sorted(links, key=lambda link: link.source):
        layer[link.target] = max(layer[link.target], layer[link.source] + 1)
    # Vertices: the parts, then the bends of long links.
    sizes = list(extents)
    segments: list[Link] = []
    chains: list[list[int]] = []
    for link in links:
        chain = [link.source]
        for between in range(layer[link.source] + 1, layer[link.target]):
            sizes.append(Extent(0, 0, 0))
            layer.append(between)
            chain.append(len(sizes) - 1)
        chains.append(chain[1:])
        ends = [*chain, link.target]
        for place, (one, other) in enumerate(pairwise(ends)):
            inner = 0 < place < len(ends) - 2  # between two bends: as straight as can be
            segments.append(Link(one, other, 8.0 if inner else link.weight))
    rows: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    # What only light links lead to, and their bends, stand right and make room for the others.
    heavy = {link.target for link in links if link.weight >= 1}
    light = {link.target for link in links} - heavy
    light |= {bend for link, chain in zip(links, chains, strict=True) if link.weight < 1 for bend in chain}
    for vertex in sorted(range(len(sizes)), key=lambda vertex: (vertex >= len(extents), vertex in light, vertex)):
        rows[layer[vertex]].append(vertex)
    rows = _ordered(rows, segments)
    x = _across(rows, segments, sizes, light, beside=beside)
    for link, chain in zip(links, chains, strict=True):
        if link.weight < 1:
            _straighten(chain, rows, layer, sizes, x, light, beside=beside)
    top = [0.0] * len(sizes)
    spans: list[tuple[float, float]] = []  # of the layers
    start = 0.0
    for row in rows:
        tallest = max(sizes[vertex].height for vertex in row)
        for vertex in row:
            top[vertex] = start + ((tallest - sizes[vertex].height) / 2 if centred else 0.0)
        spans.append((start, start + tallest))
        start += tallest + below
    count = len(extents)
    return Layout(
        layers=tuple(tuple(vertex for vertex in row if vertex < count) for row in rows),
        x=tuple(x[:count]),
        top=tuple(top[:count]),
        # Upright past the layer that a bend is in, so that no arrow crosses a part.
        bends=tuple(tuple((x[bend], y) for bend in chain for y in spans[layer[bend]]) for chain in chains),
    )


def _neighbours(segments: Sequence[Link]) -> tuple[dict[int, list[Link]], dict[int, list[Link]]]:
    above: dict[int, list[Link]] = {}
    under: dict[int, list[Link]] = {}
    for segment in segments:
        above.setdefault(segment.target, []).append(segment)
        under.setdefault(segment.source, []).append(segment)
    return above, under


def _ordered(rows: list[list[int]], segments: Sequence[Link]) -> list[list[int]]:
    """The order with the fewest crossings, of those that come from sorting by the mean place of neighbours."""
    above, under = _neighbours(segments)
    best, fewest = [list(row) for row in rows], _crossings(rows, segments)
    for sweep in range(SWEEPS if fewest else 0):
        down = sweep % 2 == 0
        place = {vertex: number for row in rows for number, vertex in enumerate(row)}
        for row in rows if down else reversed(rows):
            mean = {}
            for vertex in row:
                near = [s.source for s in above.get(vertex, ())] if down else [s.target for s in under.get(vertex, ())]
                mean[vertex] = sum(place[n] for n in near) / len(near) if near else place[vertex]
            row.sort(key=mean.__getitem__)
            place |= {vertex: number for number, vertex in enumerate(row)}
        crossings = _crossings(rows, segments)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: Sequence[Sequence[int]], segments: Sequence[Link]) -> int:
    place = {vertex: (number, i) for number, row in enumerate(rows) for i, vertex in enumerate(row)}
    by_row: dict[int, list[tuple[int, int]]] = {}
    for segment in segments:
        number, start = place[segment.source]
        by_row.setdefault(number, []).append((start, place[segment.target][1]))
    return sum(
        (one[0] - other[0]) * (one[1] - other[1]) < 0
        for ends in by_row.values()
        for i, one in enumerate(ends)
        for other in ends[:i]
    )


def _across(
    rows: Sequence[Sequence[int]],
    segments: Sequence[Link],
    sizes: Sequence[Extent],
    light: set[int],
    *,
    beside: float,
) -> list[float]:
    """x of each vertex: near the weighted mean of its neighbours, as far as those in its layer leave room."""
    above, under = _neighbours(segments)
    x = [0.0] * len(sizes)
    for row in rows:
        _settle(row, [0.0] * len(row), [LIGHT if vertex in light else 1.0 for vertex in row], sizes, x, beside=beside)
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wishes, weights = [], []
            for vertex in row:
                near = [(s.weight, x[s.source]) for s in above.get(vertex, ())]
                near += [(s.weight, x[s.target]) for s in under.get(vertex, ())]
                total = sum(weight for weight, _ in near)
                wishes.append(sum(weight * at for weight, at in near) / total if total else x[vertex])
                weights.append(LIGHT if vertex in light else total or 1.0)
            _settle(row, wishes, weights, sizes, x, beside=beside)
    return x


def _straighten(
    chain: Sequence[int],
    rows: Sequence[Sequence[int]],
    layer: Sequence[int],
    sizes: Sequence[Extent],
    x: list[float],
    light: set[int],
    *,
    beside: float,
) -> None:
    """Put all bends of a link that goes around as far right as the farthest has to be, where only others such are."""
    least = []
    for bend in chain:
        row = rows[layer[bend]]
        place = row.index(bend)
        if not light.issuperset(row[place:]):
            return
        before = row[place - 1] if place else bend
        least.append(max(x[bend], x[before] + sizes[before].right + beside if place else x[bend]))
    for bend in chain:
        x[bend] = max(least)


def _settle(
    row: Sequence[int],
    wishes: Sequence[float],
    weights: Sequence[float],
    sizes: Sequence[Extent],
    x: list[float],
    *,
    beside: float,
) -> None:
    """Give a layer's vertices the places nearest to their wishes in which none touches the next.

    Least squares with an order: neighbours that would overlap move as one to their mean (pool adjacent violators).
    """
    offsets = [0.0]
    for one, other in pairwise(row):
        offsets.append(offsets[-1] + sizes[one].right + beside + sizes[other].left)
    groups: list[tuple[float, float, int]] = []  # mean of wish minus offset, weight, members
    for wish, weight, offset in zip(wishes, weights, offsets, strict=True):
        mean, total, members = wish - offset, weight, 1
        while groups and groups[-1][0] > mean:
            before, heavy, more = groups.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, members = total + heavy, members + more
        groups.append((mean, total, members))
    means = [mean for mean, _, members in groups for _ in range(members)]
    for vertex, mean, offset in zip(row, means, offsets, strict=True):
        x[vertex] = mean + offset
