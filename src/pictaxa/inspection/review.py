"""Labels that a person has looked at: which are to be reviewed, and the file that the page of the review saves.

The file is JSON and comes from anywhere, so everything in it is checked. A decision is about a picture of this content
with this label: where either has changed since, it is passed over, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..config.documents import parse_json
from ..data.index import Index
from ..errors import ConfigError, RunError, close_matches
from ..limits import MAX_REVIEW_BYTES
from ..runs.typed import typed
from .findings import Doubt, Finding

KIND, FORMAT = "pictaxa label review", 1
AGAIN = "Save it again from the page that inspect --review writes."


@dataclass(frozen=True)
class Decision:
    """What is decided about a picture."""

    path: str  # as the index names it
    hash: str  # of its content
    given: str  # the label that it had
    label: str | None  # the one that it is to have, which may be the same; None to leave the picture out


@dataclass(frozen=True)
class Review:
    """A saved review, as its file has it."""

    kind: Literal["pictaxa label review"]
    format: int
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class Applied:
    """What a review changes in an index."""

    labels: np.ndarray  # (rows,) int64
    left_out: set[int]  # rows
    kept: int  # labels that were looked at and found right
    changed: int
    passed_over: int  # decisions about pictures that are gone, or not what they were


def doubted(findings: Iterable[Finding]) -> dict[int, Doubt]:
    """Collect what is doubted.

    Args:
        findings: of an inspection with a run or folds.

    Returns:
        The doubt of each row, the strongest first; of a row that is doubted twice the stronger one.
    """
    doubts: dict[int, Doubt] = {}
    for finding in findings:
        for row, doubt in finding.doubts.items():
            if row not in doubts or doubt.strength > doubts[row].strength:
                doubts[row] = doubt
    return dict(sorted(doubts.items(), key=lambda item: -item[1].strength))


def read_review(path: Path) -> Review:
    """Read a file that the page of a review has saved.

    Args:
        path: the .json file.

    Returns:
        The Review.

    Raises:
        ConfigError: it can't be read, or is no such file.

    Example:
        review = read_review(Path("reviewed.json"))
    """
    expected = "a review of labels"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_REVIEW_BYTES + 1)
        if len(data) > MAX_REVIEW_BYTES:
            raise ValueError(f"more than {MAX_REVIEW_BYTES} bytes")
        document = parse_json(data.decode("utf-8"))
    except OSError as error:
        raise ConfigError(expected, found=f"{str(path)!r}: {error.strerror}", fix=AGAIN) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(expected, found=f"{str(path)!r}: {error}", fix=AGAIN) from None
    try:
        review: Review = typed(document, Review, path=path, fix=AGAIN)
    except RunError as error:
        raise ConfigError(expected, found=error.found, fix=AGAIN) from None
    if review.format != FORMAT:
        raise ConfigError(
            f"a review of format {FORMAT}", found=f"format {review.format} in {str(path)!r}", fix="Update pictaxa."
        )
    names = [decision.path for decision in review.decisions]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError("a decision for each picture", found=f"two for {twice!r} in {str(path)!r}", fix=AGAIN)
    return review


def apply_review(index: Index, review: Review) -> Applied:
    """Find what a review changes.

    Args:
        index: the pictures, with their labels and hashes.
        review: what was decided.

    Returns:
        The labels and what follows.

    Raises:
        ConfigError: it names a class that the pictures don't have.
    """
    places = {name: label for label, name in enumerate(index.classes)}
    rows = {name: row for row, name in enumerate(index.column("path"))}
    hashes, labels, left_out = index.column("hash"), index.labels.copy(), set()
    kept = changed = passed_over = 0
    for decision in review.decisions:
        if decision.label is not None and decision.label not in places:
            fix = close_matches(decision.label, places)
            raise ConfigError("a review with classes of the data", found=repr(decision.label), fix=fix)
        row = rows.get(decision.path)
        if row is None or hashes[row] != decision.hash or places.get(decision.given) != labels[row]:
            passed_over += 1
        elif decision.label is None:
            left_out.add(row)
        elif decision.label == decision.given:
            kept += 1
        else:
            labels[row] = places[decision.label]
            changed += 1
    return Applied(labels, left_out, kept, changed, passed_over)


def review_line(applied: Applied) -> str:
    """What a review comes to, in a line."""
    out, over = len(applied.left_out), applied.passed_over
    gone = f"; {over} passed over, as their pictures or labels have changed" if over else ""
    return f"review    {applied.changed} labels changed, {applied.kept} confirmed, {out} pictures left out{gone}"
