"""From what is known of the pictures to findings. Each check is a function of the Facts; CHECKS has them in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..data.index import Index
from ..errors import ProblemKind
from ..images.decode import Header, format_of_suffix
from .alike import Pair
from .findings import Finding
from .quality import MIN_SIDE, Quality

# Chosen by looking at what they find among photographs of flowers; no command measures them.
DARK, BRIGHT, LOW_CONTRAST, UNIFORM, BLURRED = 0.06, 0.93, 0.18, 0.04, 0.55
GREY_COLOUR, MOSTLY = 0.004, 0.9
FAR_SIZE, FAR_ASPECT = 4.0, 3.0  # times the median
FAR_BELOW = 0.5  # of the size to train at
IMBALANCE, SMALL = 10.0, 10  # times the smallest class; pictures of a class
NAMED = 3  # examples in a line
UNLABELLED = (ProblemKind.NO_LABEL, ProblemKind.UNKNOWN_LABEL, ProblemKind.SEVERAL_LABELS)
FOUND = {ProblemKind.TRUNCATED: "truncated", ProblemKind.BOMB: "bomb"} | dict.fromkeys(UNLABELLED, "unlabelled")


@dataclass(frozen=True)
class Facts:
    """What is known; what was not looked at is None."""

    index: Index  # with width, height, hash and problem
    pairs: tuple[Pair, ...] | None = None  # of pictures that are alike, by row
    quality: Quality | None = None  # of the rows of `looked`
    headers: dict[int, Header] | None = None  # by row
    looked: np.ndarray | None = None  # (n,) rows
    side: int = 0  # of the squares that were looked at, pixels
    size: int | None = None  # to train at, pixels


def check(facts: Facts) -> list[Finding]:
    """All findings, in the order of KINDS' table as far as they apply."""
    return [finding for one in CHECKS for finding in one(facts)]


def _problems(facts: Facts) -> Iterator[Finding]:
    by_kind: dict[str, dict[int, str]] = defaultdict(dict)
    rows = np.flatnonzero(~facts.index.usable).tolist()
    for row, (_, problem) in zip(rows, facts.index.set_aside(), strict=True):
        by_kind[FOUND.get(problem.kind, "unreadable")][row] = problem.detail
    for kind in ("unreadable", "truncated", "bomb", "unlabelled"):
        if notes := by_kind.get(kind):
            yield Finding(kind, _counted(facts, notes), rows=tuple(notes), notes=notes)


def _suffixes(facts: Facts) -> Iterator[Finding]:
    notes = {}
    for row, header in (facts.headers or {}).items():
        told = format_of_suffix(facts.index.name(row))
        if told and header.format and header.format not in (told, "MPO" if told == "JPEG" else told):
            notes[row] = f"is {header.format}"
    if notes:
        yield Finding("suffix", _counted(facts, notes), rows=tuple(notes), notes=notes)


def _copies(facts: Facts) -> Iterator[Finding]:
    by_hash: dict[str, list[int]] = defaultdict(list)
    hashes = facts.index.column("hash")
    for row in np.flatnonzero(facts.index.usable).tolist():
        if hashes[row]:
            by_hash[hashes[row]].append(row)
    sets = [tuple(rows) for rows in by_hash.values() if len(rows) > 1]
    yield from _by_consequence(facts, sets, kinds=("contradiction", "leak", "duplicate"))


def _near_copies(facts: Facts) -> Iterator[Finding]:
    hashes = facts.index.column("hash")
    pairs = [p for p in facts.pairs or () if hashes[p.first] != hashes[p.second]]
    notes = {row: f"{p.likeness:.0%} alike{', mirrored' * p.mirrored}" for p in pairs for row in (p.first, p.second)}
    sets = connected([(pair.first, pair.second) for pair in pairs])
    kinds = ("near-contradiction", "near-leak", "near-duplicate")
    for finding in _by_consequence(facts, sets, kinds=kinds):
        yield Finding(finding.kind, finding.text, finding.rows, finding.sets, {r: notes[r] for r in finding.rows})


def connected(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Sets of rows that pairs lead from one to the other, each in order."""
    if not pairs:
        return []
    rows, places = np.unique(np.array(pairs), return_inverse=True)
    first, second = places.reshape(-1, 2).T
    lines = coo_array((np.ones(len(first)), (first, second)), shape=(len(rows), len(rows)))
    numbers = connected_components(lines, directed=False)[1]  # of each row's set
    in_sets = np.argsort(numbers, kind="stable")
    ends = np.flatnonzero(np.diff(numbers[in_sets])) + 1
    return [tuple(members.tolist()) for members in np.split(rows[in_sets], ends)]


def _by_consequence(facts: Facts, sets: list[tuple[int, ...]], *, kinds: tuple[str, str, str]) -> Iterator[Finding]:
    """The same sets as contradictions, leaks or mere repetitions; one that is several of these is the gravest."""
    labels, splits = facts.index.labels, facts.index.column("split")
    found: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for rows in sets:
        contradicts = len({int(labels[row]) for row in rows}) > 1
        leaks = len({splits[row] for row in rows}) > 1
        found[kinds[0] if contradicts else kinds[1] if leaks else kinds[2]].append(rows)
        if contradicts and leaks:
            found[kinds[1]].append(rows)
    for kind in kinds:
        if own := found.get(kind):
            rows = tuple(row for members in own for row in members)
            text = f"{_pictures(len(rows))} in {len(own)} set{'s' if len(own) > 1 else ''}: {_names(facts, rows)}"
            yield Finding(kind, text, rows=rows, sets=tuple(own))


def _groups(facts: Facts) -> Iterator[Finding]:
    groups, splits = facts.index.column("group"), facts.index.column("split")
    members: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(facts.index.usable).tolist():
        if groups[row]:
            members[groups[row]].append(row)
    apart = {name: rows for name, rows in members.items() if len({splits[row] for row in rows}) > 1}
    if apart:
        told = ", ".join(list(apart)[:NAMED])
        rows = tuple(row for own in apart.values() for row in own)
        yield Finding(
            "group-leak", f"{len(apart)} of {len(members)} groups: {told}", rows, tuple(map(tuple, apart.values()))
        )


def _shapes(facts: Facts) -> Iterator[Finding]:
    rows = np.flatnonzero(facts.index.usable)
    width, height = (facts.index.column(name)[rows].astype(np.float64) for name in ("width", "height"))
    known = (width > 0) & (height > 0)
    rows, width, height = rows[known], width[known], height[known]
    if not len(rows):
        return
    shapes = {int(row): f"{w:.0f} x {h:.0f} px" for row, w, h in zip(rows, width, height, strict=True)}
    sides, aspects = np.sqrt(width * height), width / height
    for kind, values, limit in (("size", sides, FAR_SIZE), ("aspect", aspects, FAR_ASPECT)):
        away = np.abs(np.log(values / np.median(values)))
        yield from _worst(facts, kind, rows, away, limit=np.log(limit), notes=shapes)
    # That all are so small is a choice of --size, and no fault of any of them.
    if facts.size is not None and np.median(np.maximum(width, height)) >= FAR_BELOW * facts.size:
        yield from _worst(facts, "tiny", rows, -np.maximum(width, height), limit=-FAR_BELOW * facts.size, notes=shapes)


def _looks(facts: Facts) -> Iterator[Finding]:
    if facts.quality is None or facts.looked is None:
        return
    quality, rows = facts.quality, facts.looked
    uniform = quality.contrast < UNIFORM
    plain = ~uniform
    # A smaller picture was enlarged, and is soft for that.
    whole = np.maximum(*(facts.index.column(name)[rows] for name in ("width", "height"))) >= max(MIN_SIDE, facts.side)
    for kind, badness, limit, which in (
        ("uniform", -quality.contrast, -UNIFORM, uniform),
        ("dark", -quality.brightness, -DARK, plain),
        ("bright", quality.brightness, BRIGHT, plain),
        ("contrast", -quality.contrast, -LOW_CONTRAST, plain),
        ("blurred", -quality.sharpness, -BLURRED, plain & whole & (quality.contrast >= LOW_CONTRAST)),
    ):
        yield from _worst(facts, kind, rows[which], badness[which], limit=limit)
    grey = quality.colour < GREY_COLOUR
    if grey.any() and (~grey).mean() > 0.5:
        yield from _worst(facts, "grey", rows[grey], -quality.colour[grey], limit=-GREY_COLOUR)


def _modes(facts: Facts) -> Iterator[Finding]:
    if not facts.headers:
        return
    modes = Counter(header.mode for header in facts.headers.values() if header.mode)
    usual, count = modes.most_common(1)[0] if modes else ("", 0)
    notes = {row: header.mode for row, header in facts.headers.items() if header.mode not in (usual, "")}
    if notes and count >= MOSTLY * len(facts.headers):
        others = ", ".join(f"{mode} x{number}" for mode, number in modes.most_common()[1:])
        yield Finding("modes", f"{others} among {usual} x{count}", rows=tuple(notes), notes=notes)
    stacks = {row: f"{h.pages} pages" for row, h in facts.headers.items() if h.pages > 1}
    if stacks:
        yield Finding("pages", _counted(facts, stacks), rows=tuple(stacks), notes=stacks)
    turned = {row: f"orientation {h.orientation}" for row, h in facts.headers.items() if h.orientation > 1}
    if turned:
        yield Finding("rotated", _counted(facts, turned), rows=tuple(turned), notes=turned)


def _classes(facts: Facts) -> Iterator[Finding]:
    index = facts.index
    learnt = index.usable & np.isin(index.column("split"), ["", "train"])
    counts = np.bincount(index.labels[learnt], minlength=len(index.classes))
    few = [f"{name} {count}" for name, count in zip(index.classes, counts, strict=True) if count < SMALL]
    if few:
        yield Finding("small", f"{len(few)} of {len(counts)} classes: {', '.join(few[:8])}")
    if counts.min() and counts.max() >= IMBALANCE * counts.min():
        large, small = int(counts.argmax()), int(counts.argmin())
        yield Finding(
            "imbalance", f"{index.classes[large]} has {counts[large]} pictures, {index.classes[small]} {counts[small]}"
        )


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _problems, _suffixes, _copies, _near_copies, _groups, _shapes, _looks, _modes, _classes,
)  # fmt: skip


def _worst(
    facts: Facts, kind: str, rows: np.ndarray, badness: np.ndarray, *, limit: float, notes: dict[int, str] | None = None
) -> Iterator[Finding]:
    """A finding of the rows whose badness is above the limit, worst first."""
    order = np.argsort(-badness, kind="stable")
    chosen = [int(rows[i]) for i in order if badness[i] > limit]
    if chosen:
        told = {row: notes[row] for row in chosen} if notes else {}
        yield Finding(kind, _counted(facts, chosen), rows=tuple(chosen), notes=told)


def _counted(facts: Facts, rows: Iterable[int]) -> str:
    listed = list(rows)
    return f"{_pictures(len(listed))}: {_names(facts, listed)}"


def _pictures(count: int) -> str:
    return f"{count} picture{'s' if count > 1 else ''}"


def _names(facts: Facts, rows: Iterable[int]) -> str:
    listed = list(rows)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(facts.index.name(row) for row in listed[:NAMED]) + more
