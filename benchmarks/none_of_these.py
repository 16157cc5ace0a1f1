"""Scores that tell pictures of none of the classes, and how fast and how exactly neighbours are found.

    python benchmarks/none_of_these.py compare runs/flowers signs cifar10 mnist
    python benchmarks/none_of_these.py search

compare: the validation pictures of a run against pictures of other data sets, and against its own validation pictures
with the left half blurred beyond recognition, and all of them blurred mildly. For each score the area under the ROC
curve, with a 95% interval of 1,000 resampled sets of pictures, and the share of the others that is let through where
95% of the validation pictures are (FPR95). Then how many neighbours the axes of vectors.npz keep.
search: milliseconds for one picture among 100,000 vectors, random ones.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.special import logsumexp, softmax
from sklearn.covariance import ledoit_wolf
from sklearn.metrics import roc_auc_score

from pictaxa.data.drawing import draw_rows
from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import read_data
from pictaxa.images.decode import square_of
from pictaxa.inference.loading import load
from pictaxa.inference.logits import BATCH
from pictaxa.inference.none_of_these import Bank
from pictaxa.inference.own_pictures import own_squares
from pictaxa.inference.own_vectors import DEPTH, find_axes
from pictaxa.inference.predictor import Predictor
from pictaxa.runs.records import read_index
from pictaxa.runs.vectors import unit_vectors

RESAMPLED = 1_000
BLURRED_HALF, BLURRED = 1 / 16, 1 / 32  # radius of the Gaussian, parts of the shorter side
Seen = tuple[np.ndarray, np.ndarray]  # logits (n, classes) and vectors (n, width)


def see(predictor: Predictor, pictures: Iterable[np.ndarray | bytes]) -> Seen:
    """What a run makes of pictures, in one pass."""
    parts: list[Seen] = []
    geometry, waiting = predictor.geometry, []
    squares = (
        square_of(one, name="", side=geometry.square, channels=geometry.channels, decoding=geometry.decoding)
        for one in pictures
    )
    for square in (*squares, None):
        if square is not None:
            waiting.append(square)
        if waiting and (square is None or len(waiting) == BATCH):
            aspects = np.array([one.aspect for one in waiting], dtype=np.float32)
            parts.append(predictor.outputs(np.stack([one.pixels for one in waiting]), aspects))
            waiting.clear()
    return np.concatenate([one for one, _ in parts]), np.concatenate([one for _, one in parts])


def see_own(predictor: Predictor, split: str) -> tuple[Seen, np.ndarray]:
    """The same of a run's own pictures, and their labels."""
    index = read_index(predictor.run)
    rows, parts = [], []
    for batch in own_squares(predictor.run, index, index.rows(split), threads=predictor.plan.threads):
        rows.append(batch.rows)
        parts.append(predictor.outputs(batch.squares, batch.aspects))
    logits, vectors = (np.concatenate(part) for part in zip(*parts, strict=True))
    return (logits, vectors), index.labels[np.concatenate(rows)]


def others(data: Path, count: int) -> Iterator[np.ndarray | bytes]:
    """Some pictures of a data set, those for testing where it has some."""
    index = read_data(data)
    rows = np.flatnonzero(index.usable)
    test = rows[index.column("split")[rows] == "test"]
    with Fetcher(index) as fetcher:
        for row in draw_rows(index, test if len(test) else rows, count, seed=0):
            yield fetcher.fetch(int(row))


def blurred(predictor: Predictor, *, half: bool) -> Iterator[np.ndarray]:
    """The run's validation pictures, their left half blurred, or all of them."""
    index = read_index(predictor.run)
    with Fetcher(index) as fetcher:
        for row in index.rows("val"):
            picture = fetcher.fetch(int(row))
            image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else Image.open(io.BytesIO(picture))
            image = image.convert("RGB")
            radius = min(image.size) * (BLURRED_HALF if half else BLURRED)
            result = image.filter(ImageFilter.GaussianBlur(radius))
            if half:
                middle = image.width // 2
                result.paste(image.crop((middle, 0, *image.size)), (middle, 0))
            yield np.asarray(result)


def scores_of(train: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[Seen], np.ndarray]]:
    """Scores by names, each of which is high for pictures of the classes."""
    units = unit_vectors(train)
    axes = find_axes(units).astype(np.float32)
    bank = Bank((units @ axes).astype(np.float16).astype(np.float32), np.arange(len(units)))

    def near(count: int) -> Callable[[Seen], np.ndarray]:
        return lambda seen: bank.nearest(unit_vectors(seen[1]) @ axes, count=count)[1][:, -1]

    return {
        "maximum softmax": lambda seen: softmax(seen[0], axis=1).max(axis=1),
        "energy": lambda seen: logsumexp(seen[0], axis=1),
        "Mahalanobis": mahalanobis(train, labels, lambda vectors: vectors.astype(np.float64)),
        "Mahalanobis, unit vectors": mahalanobis(units, labels, unit_vectors),
        **{f"nearest neighbour, k = {count}": near(count) for count in (1, 5, 10, 50) if count <= len(units)},
    }


def mahalanobis(
    train: np.ndarray, labels: np.ndarray, prepare: Callable[[np.ndarray], np.ndarray]
) -> Callable[[Seen], np.ndarray]:
    """Minus the squared distance to the nearest class mean (Lee et al. 2018), the covariance Ledoit and Wolf's."""
    train = train.astype(np.float64)
    means = np.stack([train[labels == label].mean(axis=0) for label in np.unique(labels)])
    covariance, _ = ledoit_wolf(train - means[np.unique(labels, return_inverse=True)[1]], assume_centered=True)
    root = np.linalg.cholesky(np.linalg.pinv(covariance, hermitian=True) + 1e-12 * np.eye(train.shape[1]))
    return lambda seen: -np.min([(((prepare(seen[1]) - mean) @ root) ** 2).sum(axis=1) for mean in means], axis=0)


def told_apart(own: np.ndarray, other: np.ndarray) -> str:
    """AUROC with its interval, and FPR95, as cells of a table."""
    truth = np.repeat([1, 0], [len(own), len(other)])
    area = roc_auc_score(truth, np.concatenate([own, other]))
    random = np.random.default_rng(0)
    areas = [
        roc_auc_score(truth, np.concatenate([random.choice(own, len(own)), random.choice(other, len(other))]))
        for _ in range(RESAMPLED)
    ]
    low, high = np.quantile(areas, [0.025, 0.975])
    passed = (other >= np.quantile(own, 0.05)).mean()
    return f"{area:.3f} ({low:.3f} to {high:.3f}), {passed:.0%}"


def compare(arguments: argparse.Namespace) -> None:
    """Print the table of scores and sets, and what the axes keep."""
    predictor = load(arguments.run, device="cpu")
    (_, train), labels = see_own(predictor, "train")
    val, _ = see_own(predictor, "val")
    sets = {Path(data).name: see(predictor, others(Path(data), arguments.pictures)) for data in arguments.others}
    sets["left half blurred"] = see(predictor, blurred(predictor, half=True))
    sets["blurred"] = see(predictor, blurred(predictor, half=False))
    print(f"| AUROC (95% interval), FPR95 | {' | '.join(sets)} |")
    print("|---" * (1 + len(sets)) + "|")
    for name, score in scores_of(train, labels).items():
        print(f"| {name} | {' | '.join(told_apart(score(val), score(seen)) for seen in sets.values())} |")
    units, queries = unit_vectors(train), unit_vectors(val[1])
    axes = find_axes(units).astype(np.float32)
    whole = Bank(units, np.arange(len(units))).nearest(queries, count=10)[0]
    kept = Bank(units @ axes, np.arange(len(units))).nearest(queries @ axes, count=10)[0]
    shared = [len(set(one) & set(other)) / len(one) for one, other in zip(whole, kept, strict=True)]
    first = (whole[:, 0] == kept[:, 0]).mean()
    print(f"\n{axes.shape[1]} of {units.shape[1]} axes keep {np.mean(shared):.1%} of the ten nearest, "
          f"and the nearest of {first:.1%} of the pictures")  # fmt: skip


def search(arguments: argparse.Namespace) -> None:
    """Print how long one search takes."""
    random = np.random.default_rng(0)
    bank = Bank(unit_vectors(random.normal(size=(arguments.vectors, DEPTH)).astype(np.float32)), np.arange(0))
    queries = unit_vectors(random.normal(size=(arguments.rounds + 1, DEPTH)))
    took = []
    for query in queries:
        before = time.perf_counter()
        bank.nearest(query[None], count=5)
        took.append(1e3 * (time.perf_counter() - before))
    print(
        f"{statistics.median(took[1:]):.1f} ms for one picture among {arguments.vectors:,} vectors of {DEPTH} numbers"
    )


def main() -> None:
    """Read the words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("compare")
    one.add_argument("run")
    one.add_argument("others", nargs="+")
    one.add_argument("--pictures", type=int, default=250, help="of each other data set")
    one.set_defaults(do=compare)
    one = commands.add_parser("search")
    one.add_argument("--vectors", type=int, default=100_000)
    one.add_argument("--rounds", type=int, default=50)
    one.set_defaults(do=search)
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
