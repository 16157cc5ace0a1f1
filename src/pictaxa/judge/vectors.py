"""What a frozen backbone makes of pictures: of which of them, and the problem that a head on it has to solve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..config.learning import TransferConfig
from ..config.training import TrainConfig
from ..data.index import Index
from ..data.split import NO_PAIRS, find_units
from ..data.squares import Squares
from ..errors import DataError
from ..inference.features import FeaturePass, FeatureSource, extract_features
from ..inspection.inspect import look
from ..system.progress import say
from ..training.job import cache_root
from ..training.logistic import HeadProblem, check_finite
from ..training.setup import Setup, decode, setup
from ..training.solve import FOLDS
from ..training.transfer import IMAGENET

MAX_LOOKED = 10_000  # pictures among which near copies are looked for


def with_backbone(config: TrainConfig) -> TrainConfig:
    """With ImageNet's weights where neither a model nor weights are named; a model alone has fresh ones."""
    if config.model != "auto" or config.transfer.weights is not None:
        return config
    return replace(config, transfer=replace(config.transfer, weights=IMAGENET))


def weights_told(transfer: TransferConfig) -> str:
    """The weights that were asked for, in words."""
    if not transfer.knows:
        return "fresh weights"
    return "ImageNet weights" if transfer.weights == IMAGENET else str(transfer.weights)


def begin(config: TrainConfig) -> tuple[Setup, Squares, Index]:
    """Set up the backbone, decode the pictures, and say what became of the weights.

    Args:
        config: the pictures and the backbone, from `with_backbone`.

    Returns:
        What is decided before a training, the decoded pictures, and their table.

    Raises:
        DataError: the pictures can't be read as a data set.
        WeightsError: the weights don't fit the model.
    """
    start = setup(config)
    cache, index = decode(start.config, start.index, start.geometry, plan=start.plan)
    for line in start.start.lines[:-1]:  # the last one speaks of training
        say(line)
    return start, cache, index


def features_of(start: Setup, cache: Squares, index: Index, rows: np.ndarray) -> np.ndarray:
    """Compute the features of pictures, (n, width) float32, as prediction without its mirror images sees them.

    Args:
        start: what is decided before a training: the config, the backbone, the device.
        cache: the decoded pictures.
        index: the pictures' table.
        rows: (n,) int64 rows of the index, usable ones.

    Raises:
        WeightsError: a feature is not finite.
    """
    geometry = replace(start.geometry, tta="none")
    source = FeatureSource(index, cache, geometry, start.plan, cache_root(start.config))
    (vectors,) = extract_features(source, start.model, [FeaturePass(rows)])
    check_finite([vectors])
    return vectors


def some_rows(index: Index, *, most: int, seed: int) -> np.ndarray:
    """Choose the pictures to judge: all usable ones, or of very many a random part of each class.

    Args:
        index: the pictures.
        most: how many at most; where classes are very many, FOLDS of each count more.
        seed: decides which.

    Returns:
        (n,) int64 rows in their order, never too few of a class for the folds.
    """
    rows = np.flatnonzero(index.usable)
    if len(rows) <= most:
        return rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    labels, hashes = index.labels[shuffled], index.column("hash")
    counts = np.bincount(labels)
    least = np.minimum(counts, FOLDS)
    beyond = counts - least
    share = max(0, most - least.sum()) / max(1, beyond.sum())
    wanted = least + (beyond * share).astype(np.int64)
    by_class = np.split(shuffled[np.argsort(labels, kind="stable")], counts.cumsum()[:-1])
    drawn = []
    for own, count in zip(by_class, wanted, strict=True):
        # Pictures that differ come first, as copies of one would be too few for the folds.
        differing = np.sort(np.unique(hashes[own], return_index=True)[1])[:FOLDS]
        drawn.append(np.concatenate([own[differing], np.delete(own, differing)])[:count])
    some = np.sort(np.concatenate(drawn))
    say(f"note      {len(some)} of {len(rows)} pictures are used, drawn at random from each class")
    return some


def check_classes(index: Index, rows: np.ndarray) -> None:
    """Make sure that in each class two pictures differ, so that one can be judged by the other.

    Args:
        index: the pictures.
        rows: (n,) int64, those that are judged.

    Raises:
        DataError: a class has no two that differ.
    """
    labels, hashes = index.labels[rows], index.column("hash")[rows]
    differing = [len(set(hashes[labels == label])) for label in range(len(index.classes))]
    fewest = int(np.argmin(differing))
    if differing[fewest] < 2:
        raise DataError(
            "two different pictures in each class", found=f"{differing[fewest]} in {index.classes[fewest]!r}",
            fix="Add pictures, or leave the class out.",
        )  # fmt: skip


def vectors_of(start: Setup, cache: Squares, index: Index, rows: np.ndarray) -> tuple[np.ndarray, HeadProblem]:
    """Compute the features of pictures, and the problem that a head on them has to solve.

    Args:
        start: what is decided before a training: the config, the backbone, the device.
        cache: the decoded pictures.
        index: the pictures' table.
        rows: (n,) int64 rows of the index, usable ones.

    Returns:
        (n, width) float32 features, and the HeadProblem made of them, in which pictures that are nearly equal stay on
        one side of a split. Near copies are looked for among 10,000 pictures or fewer.

    Raises:
        WeightsError: a feature is not finite.
    """
    alike = NO_PAIRS
    if len(rows) <= MAX_LOOKED:
        pairs, _ = look(index, cache, root=cache_root(start.config))
        alike = np.array([(pair.first, pair.second) for pair in pairs or ()], dtype=np.int64).reshape(-1, 2)
    vectors = features_of(start, cache, index, rows)
    problem = HeadProblem(
        [vectors], index.labels[rows], len(index.classes), find_units(index, rows, alike=alike).of,
        seed=start.config.seed, device=start.plan.device,
    )  # fmt: skip
    return vectors, problem
