"""What a diagram shows of a graph: boxes, blocks with boxes inside, and the arrows between them.

A box is a layer and what belongs to it (its batch norm, its ReLU). A block is a module whose paths part and meet again,
or that stands several times in the network. Equal neighbours are drawn once, with their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .graph import Call, Graph, spelt

Kind = Literal["port", "picture", "conv", "pool", "norm", "activation", "dense", "attention", "join", "block", "other"]
Style = Literal["plain", "identity", "projection"]

_KINDS: dict[str, Kind] = {
    "input": "picture", "conv": "conv", "depthwise conv": "conv", "max pool": "pool", "average pool": "pool",
    "subsample": "pool", "batch norm": "norm", "layer norm": "norm", "group norm": "norm",
    "local response norm": "norm", "dense": "dense", "attention": "attention", "add": "join", "multiply": "join",
    "concatenate": "join", "dropout": "activation", "softmax": "activation",
    **dict.fromkeys(
        ("ReLU", "leaky ReLU", "ReLU6", "hard-swish", "hard-sigmoid", "GELU", "SiLU", "tanh", "sigmoid"), "activation"
    ),
}  # fmt: skip
_RESHAPES = ("flatten", "reshape", "select")
# What goes into the box of the layer that it follows, and what a diagram leaves out.
_FOLLOWING = {name for name, kind in _KINDS.items() if kind in ("norm", "activation")} | {*_RESHAPES, "scale"}
_UNSEEN = ("pad", "normalise")
# Modules that only call one part after the other.
_ROWS = ("Sequential", "ModuleList", "StackedHead")


@dataclass(frozen=True)
class Part:
    """What a diagram shows as one: a box, or a block."""

    title: str
    kind: Kind
    name: str = ""  # of a block in the network
    shape: tuple[int, ...] = ()  # of its output, without the number of pictures
    notes: tuple[str, ...] = ()  # what follows in the same box
    count: int = 1  # equal ones in a row
    inside: Sheet | None = None  # of a block
    parameters: int = 0
    multiply_adds: int = 0
    auxiliary: bool = False

    @property
    def likeness(self) -> tuple[object, ...]:
        """What equal parts have in common."""
        return (self.title, self.kind, self.shape, self.notes, self.inside and self.inside.likeness)


@dataclass(frozen=True)
class Arrow:
    """Where a part's output goes."""

    source: int
    target: int
    style: Style = "plain"  # a shortcut around a sum's other path: as it is, or with a layer of its own


@dataclass(frozen=True)
class Sheet:
    """Parts in the order of the calls, and arrows that all lead to a later part."""

    parts: tuple[Part, ...]
    arrows: tuple[Arrow, ...]

    @property
    def likeness(self) -> tuple[object, ...]:
        """What sheets have in common that look alike."""
        return (tuple((part.likeness, part.count) for part in self.parts), self.arrows)


def network_sheet(graph: Graph) -> Sheet:
    """The whole network: blocks with their parts inside, equal neighbours once.

    Args:
        graph: the network's graph.

    Returns:
        Its sheet, the picture first.
    """
    return _counted(_sheet(graph, _units(graph, blocks=block_kinds(graph)), fused=True))


def block_sheets(graph: Graph) -> dict[str, Sheet]:
    """The blocks of a network, every step a box of its own.

    Args:
        graph: the network's graph.

    Returns:
        A sheet for each block by its name, in the order of the calls, between the ports where its input comes in and
        its output goes out.
    """
    units = _units(graph, blocks=block_kinds(graph))
    return {unit.call.name: _inside(graph, unit.places, fused=False) for unit in units if unit.call is not None}


@dataclass
class _Unit:
    """Nodes that will be one part; with a call, a block."""

    places: list[int]
    call: Call | None = None


def _units(graph: Graph, *, blocks: set[str]) -> list[_Unit]:
    """The nodes one by one, but those of a block together."""
    units: list[_Unit] = []
    for place, node in enumerate(graph.nodes):
        block = next((call for call in node.calls if call.kind in blocks), None)
        if block is not None and units and units[-1].call == block:
            units[-1].places.append(place)
        else:
            units.append(_Unit([place], block))
    return units


def block_kinds(graph: Graph) -> set[str]:
    """Classes whose calls a diagram shows as blocks.

    Those in which paths part and meet, and those that are called several times with more than a box in each; but none
    that holds several of the first kind. Auxiliary heads are blocks too.
    """
    inside: dict[tuple[Call, ...], list[int]] = {}
    for place, node in enumerate(graph.nodes):
        for depth in range(1, len(node.calls) + 1):
            if node.calls[depth - 1].kind not in _ROWS:
                inside.setdefault(node.calls[:depth], []).append(place)
    parting = {calls[-1].kind for calls, places in inside.items() if _part_ways(graph, places)}
    often = Counter(
        calls[-1].kind
        for calls, places in inside.items()
        if len(_boxes(graph, [_Unit([place]) for place in places], fused=True)[0]) > 1
    )
    held: dict[tuple[Call, ...], Counter[str]] = {}
    for calls in inside:
        for depth in range(1, len(calls)):
            held.setdefault(calls[:depth], Counter())[calls[-1].kind] += 1
    holders = {
        calls[-1].kind
        for calls, counts in held.items()
        if any(counts[kind] > 1 for kind in parting.intersection(counts))
    }
    auxiliary = {node.calls[0].kind for node in graph.nodes if node.auxiliary}
    return ((parting | {kind for kind, count in often.items() if count > 1}) - holders) | auxiliary


def _part_ways(graph: Graph, places: Sequence[int]) -> bool:
    """Whether two of the nodes take from the same one, which may lie before them."""
    taken = Counter(source for place in places for source in graph.nodes[place].inputs)
    return any(count > 1 for count in taken.values())


def _boxes(graph: Graph, units: list[_Unit], *, fused: bool) -> tuple[list[_Unit], dict[int, int]]:
    """The units that are drawn, and in which of them a node is; fused ones have what follows them in their box."""
    consumers = graph.consumers
    drawn: list[_Unit] = []
    home: dict[int, int] = {}
    for unit in units:
        place = unit.places[0]
        node = graph.nodes[place]
        before = home.get(node.inputs[0]) if node.inputs and unit.call is None else None
        if (
            unit.call is None
            and node.inputs
            and (node.operation in _UNSEEN or (not fused and node.operation in _RESHAPES))
        ):
            if before is not None:
                home[place] = before
            continue
        alone = before is not None and drawn[before].call is None and len(consumers[node.inputs[0]]) == 1
        if before is not None and alone and fused and node.operation in _FOLLOWING and len(node.inputs) == 1:
            drawn[before].places.append(place)
            home[place] = before
            continue
        drawn.append(_Unit([*unit.places], unit.call))
        home |= dict.fromkeys(unit.places, len(drawn) - 1)
    return drawn, home


def _sheet(graph: Graph, units: list[_Unit], *, fused: bool) -> Sheet:
    """Units as parts, with arrows; what takes from outside of them has no arrow for it."""
    drawn, home = _boxes(graph, units, fused=fused)
    arrows = []
    for number, unit in enumerate(drawn):
        sources = (source for place in unit.places for source in graph.nodes[place].inputs)
        arrows += [
            Arrow(source, number)
            for source in dict.fromkeys(home[source] for source in sources if source in home)
            if source != number
        ]
    return Sheet(tuple(_part(graph, unit) for unit in drawn), tuple(arrows))


def _inside(graph: Graph, places: Sequence[int], *, fused: bool) -> Sheet:
    """A block's parts, between the port of its input and that of its output."""
    port = Part("", "port")
    drawn, home = _boxes(graph, [_Unit([place]) for place in places], fused=fused)
    arrows = []
    for number, unit in enumerate(drawn, start=1):
        sources = [source for place in unit.places for source in graph.nodes[place].inputs]
        arrows += [
            Arrow(source, number)
            for source in dict.fromkeys(home.get(source, -1) + 1 for source in sources)
            if source != number
        ]
    arrows.append(Arrow(len(drawn), len(drawn) + 1))
    parts = (port, *(_part(graph, unit) for unit in drawn), port)
    return Sheet(parts, tuple(_styled(arrows, parts)))


def _part(graph: Graph, unit: _Unit) -> Part:
    nodes = [graph.nodes[place] for place in unit.places]
    first, *following = nodes
    title = first.words if first.operation != "input" else "picture"
    if first.operation in ("add", "concatenate") and first.parameters:  # a parameter of the network's own
        title = f"{first.operation} {first.name}"
    notes = dict.fromkeys(node.words for node in following if node.operation != "reshape")
    part = Part(
        title,
        _KINDS.get(first.operation, "other"),
        shape=nodes[-1].shape,
        notes=tuple(notes),
        parameters=sum(node.parameters for node in nodes),
        multiply_adds=sum(node.multiply_adds for node in nodes),
        auxiliary=first.auxiliary,
    )
    if unit.call is None:
        return part
    inside = _inside(graph, unit.places, fused=True)
    return replace(part, title=spelt(unit.call.kind), kind="block", name=unit.call.name, notes=(), inside=inside)


def _styled(arrows: list[Arrow], parts: Sequence[Part]) -> list[Arrow]:
    """Arrows with the style of shortcuts: of a sum's two paths the one with fewer parts of its own."""
    before: list[set[int]] = []  # the parts on all ways to each part, itself included
    into: list[list[int]] = [[arrow.source for arrow in arrows if arrow.target == place] for place in range(len(parts))]
    for place in range(len(parts)):
        before.append({place}.union(*(before[source] for source in into[place])))
    styles: dict[tuple[int, int], Style] = {}
    for place, part in enumerate(parts):
        if part.title != "add" or len(into[place]) != 2:
            continue
        own = [before[one] - before[other] for one, other in (into[place], into[place][::-1])]
        shortcut = 0 if len(own[0]) < len(own[1]) else 1
        source = into[place][shortcut]
        styles[source, place] = "projection" if own[shortcut] else "identity"
        for inner in own[shortcut]:
            styles |= {(from_, inner): "projection" for from_ in into[inner]}
    return [Arrow(arrow.source, arrow.target, styles.get((arrow.source, arrow.target), "plain")) for arrow in arrows]


def _counted(sheet: Sheet) -> Sheet:
    """The sheet with equal neighbours as one part."""
    leaving = Counter(arrow.source for arrow in sheet.arrows)
    into = [[arrow.source for arrow in sheet.arrows if arrow.target == place] for place in range(len(sheet.parts))]
    parts: list[Part] = []
    home: dict[int, int] = {}
    for place, part in enumerate(sheet.parts):
        sources = into[place]
        same = home[sources[0]] if len(sources) == 1 and leaving[sources[0]] == 1 else None
        if same is not None and part.kind in ("conv", "dense", "block") and parts[same].likeness == part.likeness:
            before = parts[same]
            parts[same] = replace(
                before,
                name=f"{before.name.partition(' ')[0]} to {part.name.rpartition('.')[2]}" if part.name else "",
                count=before.count + 1,
                parameters=before.parameters + part.parameters,
                multiply_adds=before.multiply_adds + part.multiply_adds,
            )
            home[place] = same
        else:
            parts.append(part)
            home[place] = len(parts) - 1
    moved = (Arrow(home[arrow.source], home[arrow.target], arrow.style) for arrow in sheet.arrows)
    return Sheet(tuple(parts), tuple(dict.fromkeys(arrow for arrow in moved if arrow.source != arrow.target)))
