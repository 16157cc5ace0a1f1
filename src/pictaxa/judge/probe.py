"""What to expect of my pictures, before any training: a backbone's vectors of them, judged across folds.

Every picture goes through the backbone once. Nearest neighbours and a solved head judge each picture by what was learnt
from the others, pictures that are nearly equal always on one side. The same vectors tell which pictures are hard, and
by heads learnt from a quarter, a half and three quarters of them whether more pictures would help.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..config.training import TrainConfig
from ..data.index import Index
from ..errors import DataError, printable
from ..metrics import wilson_interval
from ..system.printing import lines_html
from ..training.learning_curve import Curve, expected_errors, learning_curve
from ..training.logistic import HeadProblem, Scaling
from ..training.solve import HeldOut, cross_validate
from .vectors import begin, check_classes, some_rows, vectors_of, weights_told, with_backbone

NEIGHBOURS = 10
MAX_PICTURES = 20_000  # judged; neighbours cost in proportion to the square
HARDEST = 5  # pictures that are named


@dataclass(frozen=True)
class Judgement:
    """How often one judge, the nearest neighbours or the solved head, was right, over all folds."""

    judge: str
    right: int
    pictures: int
    recalls: tuple[float | None, ...]  # by class; None where no picture of it was judged

    @property
    def accuracy(self) -> float:
        """The share of pictures that it got right, from 0 to 1."""
        return self.right / self.pictures

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy (Wilson 1927).

        Pictures that resemble each other across folds make it too narrow.
        """
        return wilson_interval(self.right, self.pictures)


@dataclass(frozen=True)
class HardPicture:
    """A picture whose own class got one of the lowest probabilities from a head that was not trained on it."""

    path: str
    label: str
    said: str  # the most probable class
    probability: float  # of `label`


@dataclass(frozen=True)
class CurvePoint:
    """The accuracy of a head that was trained on a given number of pictures."""

    pictures: int
    accuracy: float


@dataclass(frozen=True)
class Gain:
    """What twice as many pictures would add to the accuracy, if errors keep falling as a power of their number.

    The three figures are parts of 1: 0.014 is 1.4 points.
    """

    expected: float
    low: float  # 95%, by bootstrap over the judged pictures
    high: float


@dataclass(frozen=True, repr=False)
class Probe:
    """How well the features of a backbone suit a data set.

    Example:
        probe = pictaxa.probe("photos")
        neighbours, solved_head = probe.judgements
        print(solved_head.accuracy, solved_head.interval, [picture.path for picture in probe.hardest])
    """

    model: str
    weights: str
    classes: tuple[str, ...]
    pictures: int
    width: int  # numbers in a vector
    folds: int
    chance: float  # the part of the most frequent class
    judgements: tuple[Judgement, ...]
    hardest: tuple[HardPicture, ...]
    curve: tuple[CurvePoint, ...]
    twice: Gain | None  # None where the curve has too few points

    def __repr__(self) -> str:
        accuracies = ", ".join(f"{judge.judge} {judge.accuracy:.1%}" for judge in self.judgements)
        return printable(f"<Probe of {self.pictures} pictures by {self.model}, {self.weights}: {accuracies}>")

    def _repr_html_(self) -> str:
        return lines_html(probe_lines(self))


def probe_data(config: TrainConfig) -> Probe:
    """Estimate how well a backbone suits a data set, by cross-validation and without any training.

    Args:
        config: the pictures, and the backbone: the weights that it names; with a model alone, fresh ones; with neither,
            ImageNet's of efficientnet_lite0. Augmentation, schedule and optimization do not matter.

    Returns:
        A Probe. Of more than 20,000 pictures a random part of each class is judged.

    Raises:
        DataError: a class has fewer than two pictures that differ, or the pictures can't be read as a data set.
        WeightsError: the weights don't fit the model, or give features that are not finite.

    Example:
        for line in probe_lines(probe_data(TrainConfig(Path("photos")))):
            print(line)
    """
    config = with_backbone(config)
    start, cache, index = begin(config)
    rows = some_rows(index, most=MAX_PICTURES, seed=start.config.seed)
    check_classes(index, rows)  # before the long pass: it tells what is amiss
    vectors, problem = vectors_of(start, cache, index, rows)
    scaling = Scaling.of(problem)
    held_out = cross_validate(problem, scaling, all_folds=len(rows) <= MAX_PICTURES // 4)
    if (held_out.fold_of < 0).all():
        raise DataError(
            "two different pictures in at least one class", found="only near duplicates",
            fix="Add pictures that are not near duplicates.",
        )  # fmt: skip
    curve = learning_curve(problem, scaling, held_out)
    return Probe(
        model=start.config.model,
        weights=weights_told(config.transfer),
        classes=index.classes,
        pictures=len(rows),
        width=vectors.shape[1],
        folds=int(held_out.fold_of.max()) + 1,
        chance=float(np.bincount(problem.labels).max() / len(rows)),
        judgements=(_neighbours(vectors, problem, held_out), _judgement("solved head", problem, held_out)),
        hardest=_hardest(index, rows, held_out),
        curve=tuple(CurvePoint(count, float(right.mean())) for count, right in curve),
        twice=_gain(curve, pictures=len(rows), seed=start.config.seed),
    )


def probe_lines(probe: Probe) -> Iterator[str]:
    """Format a probe as text.

    Args:
        probe: what `probe_data` returned.

    Returns:
        An iterator over lines of text.

    Example:
        for line in probe_lines(pictaxa.probe("photos")):
            print(line)
    """
    yield f"probed    {probe.pictures} pictures, {len(probe.classes)} classes, {probe.folds} folds"
    yield f"backbone  {probe.model}, {probe.weights}: {probe.width} features per picture"
    for judge in probe.judgements:
        low, high = judge.interval
        yield f"{judge.judge:21} {judge.accuracy:6.1%} (95% interval {low:.1%} to {high:.1%})"
    yield f"{'largest class':21} {probe.chance:6.1%}"
    recalls = zip(probe.judgements[-1].recalls, probe.classes, strict=True)
    judged = [(recall, name) for recall, name in recalls if recall is not None]
    weakest = sorted(judged, key=lambda pair: pair[0])[:3]
    yield "weakest   " + ", ".join(f"{name} {recall:.0%}" for recall, name in weakest)
    unjudged = len(probe.classes) - len(judged)
    if unjudged:
        told = "1 class was" if unjudged == 1 else f"{unjudged} classes were"
        yield f"note      {told} not evaluated: all its pictures are alike"
    for hard in probe.hardest:
        yield f"hard      {hard.path}: {hard.label}, predicted {hard.said} ({hard.label} {hard.probability:.1%})"
    if probe.curve:
        points = ", ".join(f"{point.accuracy:.1%} from {point.pictures}" for point in probe.curve)
        yield f"learning  {points} pictures"
    if probe.twice is not None:
        more, least, most = (100 * gain for gain in (probe.twice.expected, probe.twice.low, probe.twice.high))
        yield f"twice     as many pictures would add about {more:.1f} points ({least:.1f} to {most:.1f})"


def _neighbours(vectors: np.ndarray, problem: HeadProblem, held_out: HeldOut) -> Judgement:
    from sklearn.neighbors import KNeighborsClassifier  # loaded only for this

    said = np.zeros_like(held_out.probabilities)
    for fold in range(int(held_out.fold_of.max()) + 1):
        learn, judge = held_out.fold_of != fold, held_out.fold_of == fold
        if judge.any():
            count = min(NEIGHBOURS, int(learn.sum()))
            model = KNeighborsClassifier(count, metric="cosine", weights="distance")
            model.fit(vectors[learn], problem.labels[learn])
            said[judge, model.predict(vectors[judge])] = 1
    return _judgement(f"{NEIGHBOURS} nearest neighbours", problem, replace(held_out, probabilities=said))


def _judgement(judge: str, problem: HeadProblem, held_out: HeldOut) -> Judgement:
    judged = held_out.fold_of >= 0
    labels = problem.labels[judged]
    right = held_out.probabilities[judged].argmax(axis=1) == labels
    recalls = tuple(
        float(right[labels == label].mean()) if (labels == label).any() else None for label in range(problem.classes)
    )
    return Judgement(judge, int(right.sum()), len(labels), recalls)


def _hardest(index: Index, rows: np.ndarray, held_out: HeldOut) -> tuple[HardPicture, ...]:
    """The pictures whose own class was thought least probable."""
    own = held_out.probabilities[np.arange(len(rows)), index.labels[rows]]  # NaN, where not judged, sorts last
    paths = index.column("path")
    return tuple(
        HardPicture(
            str(paths[rows[i]]), index.classes[index.labels[rows[i]]],
            index.classes[int(held_out.probabilities[i].argmax())], float(own[i]),
        )
        for i in np.argsort(own, kind="stable")[:HARDEST]
        if np.isfinite(own[i])
    )  # fmt: skip


def _gain(curve: Curve, *, pictures: int, seed: int) -> Gain | None:
    """From as many pictures as there are to twice as many, each with its errors by the curve's law."""
    errors = expected_errors(curve, [pictures, 2 * pictures], seed=seed)
    if errors is None:
        return None
    gains = errors[0] - errors[1]  # the estimate, then the draws
    low, high = np.percentile(gains[1:], [2.5, 97.5])
    return Gain(float(gains[0]), float(low), float(high))
