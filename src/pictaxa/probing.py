"""Is this body any good for my pictures? Its vectors, judged by neighbours and by a linear probe, before any training.

Every picture goes through the body once. Both judges are cross-validated: each picture is judged by what was learnt
from the others, identical files always on one side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .config import TrainConfig
from .data.index import Index
from .errors import DataError, WeightsError
from .metrics import wilson_interval
from .progress import StageProgress, say
from .training.features import Gallery, Look, take_looks
from .training.prepare import begin, cache_root, decode

FOLDS = 5
NEIGHBOURS = 10
MOST_PICTURES = 20_000  # judged; neighbours cost in proportion to the square
STRENGTH = 1.0  # of the linear probe's weights: the inverse of their penalty, as scikit-learn has it


@dataclass(frozen=True)
class Judgement:
    """How often one judge was right, over all folds."""

    judge: str
    right: int
    pictures: int
    recalls: tuple[float, ...]  # by class

    @property
    def accuracy(self) -> float:
        """The part that was right."""
        return self.right / self.pictures

    @property
    def interval(self) -> tuple[float, float]:
        """95%, Wilson's; pictures that resemble each other across folds make it too narrow."""
        return wilson_interval(self.right, self.pictures)


@dataclass(frozen=True)
class Probe:
    """What a body's vectors are worth for a set of pictures."""

    model: str
    weights: str
    classes: tuple[str, ...]
    pictures: int
    width: int  # numbers in a vector
    folds: int
    chance: float  # the part of the most frequent class
    judgements: tuple[Judgement, ...]


def probe_data(config: TrainConfig) -> Probe:
    """Judge the body of `--weights` (or fresh weights, as a baseline) on a folder of pictures.

    DataError where a class has fewer than two pictures that differ, WeightsError where a vector is not finite.
    """
    start = begin(config)
    cache, index = decode(start.config, start.index, start.geometry, plan=start.plan)
    for line in start.start.lines[:-1]:  # the last one speaks of training
        say(line)
    rows = _some(index, seed=start.config.seed)
    folds = folds_of(index, rows, seed=start.config.seed)  # before the long pass: it tells what is amiss
    geometry = replace(start.geometry, flip_average=False)
    gallery = Gallery(index, cache, geometry, start.plan, cache_root(start.config))
    (vectors,) = take_looks(gallery, start.model, [Look(rows, exact=False)])
    _check_finite(vectors)
    labels = index.labels[rows]
    weights = start.config.transfer.weights
    return Probe(
        model=start.config.model,
        weights=str(weights) if start.config.transfer.knows else "fresh weights",
        classes=index.classes,
        pictures=len(rows),
        width=vectors.shape[1],
        folds=len(folds),
        chance=float(np.bincount(labels).max() / len(labels)),
        judgements=(_neighbours(vectors, labels, folds), _linear(vectors, labels, folds)),
    )


def probe_lines(probe: Probe) -> Iterator[str]:
    """As a person reads it."""
    yield f"probed    {probe.pictures} pictures, {len(probe.classes)} classes, {probe.folds} folds"
    yield f"body      {probe.model}, {probe.weights}: {probe.width} numbers for each picture"
    for judged in probe.judgements:
        low, high = judged.interval
        yield f"{judged.judge:21} {judged.accuracy:6.1%} (95% interval {low:.1%} to {high:.1%})"
    yield f"{'the largest class':21} {probe.chance:6.1%}"
    recalls = probe.judgements[-1].recalls
    hardest = np.argsort(recalls, kind="stable")[:3]
    yield "hardest   " + ", ".join(f"{probe.classes[label]} {recalls[label]:.0%}" for label in hardest)


def _some(index: Index, *, seed: int) -> np.ndarray:
    """(n,) int64: all usable rows, or of very many a random part of each class, never too few of one for the folds."""
    rows = np.flatnonzero(index.usable)
    if len(rows) <= MOST_PICTURES:
        return rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    labels, hashes = index.labels[shuffled], index.column("hash")
    counts = np.bincount(labels)
    least = np.minimum(counts, FOLDS)
    beyond = counts - least
    share = max(0, MOST_PICTURES - least.sum()) / max(1, beyond.sum())
    wanted = least + (beyond * share).astype(np.int64)
    by_class = np.split(shuffled[np.argsort(labels, kind="stable")], counts.cumsum()[:-1])
    drawn = []
    for own, count in zip(by_class, wanted, strict=True):
        # Pictures that differ come first, as copies of one would be too few for the folds.
        differing = np.sort(np.unique(hashes[own], return_index=True)[1])[:FOLDS]
        drawn.append(np.concatenate([own[differing], np.delete(own, differing)])[:count])
    some = np.sort(np.concatenate(drawn))
    say(f"note      {len(some)} of {len(rows)} pictures are judged, drawn at random from each class")
    return some


def _check_finite(vectors: np.ndarray) -> None:
    """WeightsError where some of the vectors (n, D) have NaN or infinity in them."""
    bad = int((~np.isfinite(vectors).all(axis=1)).sum())
    if bad:
        found = f"NaN or infinity for {bad} of {len(vectors)} pictures"
        raise WeightsError("finite numbers from the body", found=found, fix="Check the weights.")


def folds_of(index: Index, rows: np.ndarray, *, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(places to learn from, places to judge) among the rows (n,), stratified; identical files on one side."""
    from sklearn.model_selection import StratifiedGroupKFold  # loaded only for this

    labels, groups = index.labels[rows], index.column("hash")[rows]
    differing = [len(set(groups[labels == label])) for label in range(len(index.classes))]
    fewest = int(np.argmin(differing))
    if differing[fewest] < 2:
        raise DataError(
            "two pictures that differ in each class", found=f"{differing[fewest]} in {index.classes[fewest]!r}",
            fix="Add pictures, or leave the class out.",
        )  # fmt: skip
    splitter = StratifiedGroupKFold(min(FOLDS, differing[fewest]), shuffle=True, random_state=seed)
    return list(splitter.split(labels[:, None], labels, groups))


def _neighbours(vectors: np.ndarray, labels: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> Judgement:
    from sklearn.neighbors import KNeighborsClassifier

    said = np.empty_like(labels)
    for learn, judge in folds:
        count = min(NEIGHBOURS, len(learn))
        model = KNeighborsClassifier(count, metric="cosine", weights="distance")
        said[judge] = model.fit(vectors[learn], labels[learn]).predict(vectors[judge])
    return _judgement(f"{NEIGHBOURS} nearest neighbours", said, labels)


def _linear(vectors: np.ndarray, labels: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> Judgement:
    said = probe_probabilities(vectors, labels, folds).argmax(axis=1)
    return _judgement("linear probe", said, labels)


def probe_probabilities(
    vectors: np.ndarray, labels: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """(n, D) and (n,) -> (n, K): what a linear probe says of each picture that has not learnt from it."""
    from sklearn.linear_model import LogisticRegression

    from .training.learner import standardise

    said = np.zeros((len(labels), int(labels.max()) + 1))
    with StageProgress() as told:
        for number, (learn, judge) in enumerate(folds):
            told("linear probe, fold", number, len(folds))
            mean, scale = standardise(vectors[learn])
            model = LogisticRegression(C=STRENGTH, max_iter=1000)
            model.fit((vectors[learn] - mean) * scale, labels[learn])
            said[judge[:, None], model.classes_[None]] = model.predict_proba((vectors[judge] - mean) * scale)
    return said


def _judgement(judge: str, said: np.ndarray, labels: np.ndarray) -> Judgement:
    right = said == labels
    recalls = tuple(float(right[labels == label].mean()) for label in range(int(labels.max()) + 1))
    return Judgement(judge, int(right.sum()), len(labels), recalls)
