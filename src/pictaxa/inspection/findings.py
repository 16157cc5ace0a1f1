"""The kinds of problems of a data set, as a table, and the findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

# Which rows of a finding a mended manifest leaves out: all; all but the first of each set; those of each set that are
# in training, or else all but the first; none.
Drops = Literal["all", "copies", "leaks", "none"]


@dataclass(frozen=True)
class Kind:
    """One thing that can be wrong: what it is called, why it matters and what to do, and what `--fix` leaves out."""

    title: str
    advice: str
    drops: Drops = "none"


KINDS: dict[str, Kind] = {
    "unreadable": Kind("can't be read", "Replace or remove the files; they are set aside.", "all"),
    "truncated": Kind("truncated", "Copy the files again; they are set aside.", "all"),
    "bomb": Kind("more pixels than is safe", "They are set aside; shrink them if you need them.", "all"),
    "unlabelled": Kind("without a label that can be used", "Label them or remove them; they are set aside.", "all"),
    "suffix": Kind("not what the suffix says", "They are read by their real format; rename them."),
    "contradiction": Kind("the same picture with several labels", "A label must be wrong: look at each.", "all"),
    "leak": Kind(
        "the same picture in several splits",
        "The model is evaluated on pictures it was trained on: keep each in one split.",
        "leaks",
    ),
    "duplicate": Kind("the same picture several times", "It counts more than other pictures; keep one.", "copies"),
    "near-contradiction": Kind("nearly the same picture with several labels", "Check which label is right."),
    "near-leak": Kind("nearly the same picture in several splits", "Keep them in one split.", "leaks"),
    "near-duplicate": Kind("nearly the same picture several times", "Automatic splits keep them on one side."),
    "group-leak": Kind("a group that is divided between splits", "Keep each group in one split."),
    "size": Kind("far larger or smaller than the others", "Check where they come from."),
    "aspect": Kind("far wider or taller than the others", "Squashing distorts these most; --view fit does not."),
    "tiny": Kind("far smaller than the training size", "Enlarging adds no information: train at a smaller --size."),
    "uniform": Kind("nearly one colour", "Often an empty scan or a lens cap.", "all"),
    "dark": Kind("too dark", "Check whether anything can be recognised."),
    "bright": Kind("too bright", "Check whether anything can be recognised."),
    "contrast": Kind("hardly any contrast", "Check whether anything can be recognised."),
    "blurred": Kind("blurred", "Check whether the subject can be recognised."),
    "grey": Kind(
        "grey in a set of colour pictures", "The model may learn from that: check whether they are all in one class."
    ),
    "modes": Kind(
        "stored in a less common format", "They are converted: transparency becomes white, CMYK and profiles sRGB."
    ),
    "rotated": Kind("rotated by EXIF", "They are turned upright; other programs may not do that."),
    "pages": Kind("stacks of several pages", "The first page is read: save the page you need as a file of its own."),
    "imbalance": Kind("classes of very different size", "--class-weights balanced gives rare ones more weight."),
    "small": Kind("classes with very few pictures", "Add pictures: figures about these classes are guesses."),
    "label": Kind(
        "labels that the model contradicts", "The most likely errors come first. Look at them: some will be right."
    ),
    "outlier": Kind("unlike the others in their class", "Check the label and the picture."),
    "out_of_distribution": Kind("unlike any class", "They may belong to none of the classes."),
}


@dataclass(frozen=True)
class Doubt:
    """Why a label is doubted: which class the model takes the picture for, and the probabilities of both."""

    label: int
    share: float
    own_share: float  # of the label that it has

    @property
    def strength(self) -> float:
        """From -1 to 1, the larger the more doubtful."""
        return self.share - self.own_share


@dataclass(frozen=True)
class Finding:
    """What was found of one kind."""

    kind: str
    text: str  # in a line, with counts
    rows: tuple[int, ...] = ()  # worst first
    sets: tuple[tuple[int, ...], ...] = ()  # rows that belong together
    notes: dict[int, str] = field(default_factory=dict)  # what to say of a row
    doubts: dict[int, Doubt] = field(default_factory=dict)  # of rows whose labels are doubted

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind


def dropped_rows(findings: Iterable[Finding], splits: Any) -> set[int]:
    """The rows that a mended manifest leaves out; `splits` is each row's."""
    dropped: set[int] = set()
    for finding in findings:
        drops = KINDS[finding.kind].drops
        if drops == "all":
            dropped.update(finding.rows)
        for members in finding.sets if drops in ("copies", "leaks") else ():
            kept = [row for row in members if row not in dropped]
            learnt = [row for row in kept if splits[row] in ("train", "")]
            judged = [row for row in kept if row not in learnt]
            dropped.update(learnt if drops == "leaks" and judged else kept[1:])
    return dropped
