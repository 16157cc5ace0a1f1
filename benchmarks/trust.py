"""How far calibrated probabilities, answers above a threshold and sets of classes are to be trusted on new pictures.

    python benchmarks/trust.py flowers           # a minute or two, after features are computed

Everything below is of pictures that were neither trained nor calibrated on. In each split, drawn at random, a head is
solved on two thirds of the pictures (as `pictaxa train --tune head` does), a sixth stands for the validation pictures
that temperature, thresholds and quantiles are chosen on, and the last sixth is measured. Beside them what one would do
without: the model's own probabilities, a threshold on these, as many classes for every picture, or the most probable
classes until their own probabilities sum to what is promised.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import pictaxa
from pictaxa.judge.abstain import choose_threshold
from pictaxa.judge.calibrate import calibration_error, cross_calibrated, deal_folds, fit_temperature
from pictaxa.judge.intervals import Units
from pictaxa.judge.sets import least_of_classes
from pictaxa.metrics import cooled, softmax, wilson_interval
from pictaxa.training.logistic import HeadProblem
from pictaxa.training.solve import solve_head

SHARES = (0.9, 0.95)
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Part:
    """Pictures, with what a head that has not seen them says of them."""

    shares: np.ndarray  # (n, classes)
    labels: np.ndarray  # (n,)

    @property
    def units(self) -> Units:
        """Each picture by itself."""
        return Units(np.arange(len(self.labels)))

    @property
    def true(self) -> np.ndarray:
        """(n,) probabilities of the true classes."""
        picked: np.ndarray = self.shares[np.arange(len(self.labels)), self.labels]
        return picked

    @property
    def right(self) -> np.ndarray:
        """(n,) whether the most probable class is the true one."""
        found: np.ndarray = self.shares.argmax(axis=1) == self.labels
        return found


def splits(vectors: np.ndarray, labels: np.ndarray, *, count: int) -> Iterator[tuple[Part, Part]]:
    """What heads of several random splits say of the pictures to choose on and of those to measure."""
    classes = int(labels.max()) + 1
    for seed in range(count):
        order = np.random.default_rng(seed).permutation(len(labels))
        learn, choose, measure = np.split(order, [len(order) * 4 // 6, len(order) * 5 // 6])
        problem = HeadProblem([vectors[learn]], labels[learn], classes=classes, groups=np.arange(len(learn)), seed=seed)
        head = solve_head(problem)
        parts = [Part(softmax(head.logits(vectors[part])), labels[part]) for part in (choose, measure)]
        yield parts[0], parts[1]


def probability_figures(shares: np.ndarray, part: Part) -> Figures:
    """Calibration error, log loss and Brier score."""
    ones, one_hot = np.ones((1, len(part.labels))), np.eye(shares.shape[1])[part.labels]
    true = shares[np.arange(len(part.labels)), part.labels]
    return {
        "error": [float(calibration_error(shares.max(axis=1), part.right, ones)[0])],
        "log loss": [float(-np.log(np.maximum(true, 1e-12)).mean())],
        "Brier": [float(((shares - one_hot) ** 2).sum(axis=1).mean())],
    }


def set_figures(inside: np.ndarray, labels: np.ndarray, *, wanted: float) -> Figures:
    """Coverage, whether its interval holds what is promised, that of the worst class, size, and empty sets."""
    hit = inside[np.arange(len(labels)), labels]
    low, high = wilson_interval(float(hit.sum()), len(hit))
    worst = min(hit[labels == label].mean() for label in np.unique(labels))
    return {
        "coverage": [float(hit.mean())], "holds": [float(low <= wanted <= high)], "worst class": [float(worst)],
        "classes": [float(inside.sum(axis=1).mean())], "empty": [float((inside.sum(axis=1) == 0).mean())],
    }  # fmt: skip


def until_sum(shares: np.ndarray, wanted: float) -> np.ndarray:
    """(n, classes) the most probable classes until they sum to a share."""
    order = np.argsort(-shares, axis=1)
    sums = np.take_along_axis(shares, order, axis=1).cumsum(axis=1)
    inside = np.zeros(shares.shape, dtype=bool)
    np.put_along_axis(inside, order, np.roll(sums < wanted, 1, axis=1), axis=1)
    inside[np.arange(len(shares)), order[:, 0]] = True
    return inside


def answer_figures(confidences: np.ndarray, part: Part, threshold: float | None, *, wanted: float) -> Figures:
    """Of the answers given: how many, how many are right, and whether that is as many as asked."""
    if threshold is None:
        return {"none": [1.0]}
    given = confidences >= threshold
    right = float(part.right[given].mean())
    return {"answered": [float(given.mean())], "right": [right], "kept": [float(right >= wanted)], "none": [0.0]}


def point_threshold(confidences: np.ndarray, right: np.ndarray, wanted: float) -> float:
    """The lowest threshold above which the pictures to choose on are right as often as asked, without any allowance."""
    order = np.argsort(-confidences, kind="stable")
    good = np.flatnonzero(right[order].cumsum() / np.arange(1, len(order) + 1) >= wanted)
    return float(confidences[order][good[-1]]) if len(good) else 2.0


def measure(choose: Part, new: Part) -> Iterator[tuple[str, str, Figures]]:
    """(what, way, figures) of one split."""
    temperature = fit_temperature(choose.shares, choose.labels)
    fold_of = deal_folds(choose.units)
    chosen = cross_calibrated(choose.shares, choose.labels, fold_of)
    calibrated = cooled(new.shares, temperature)
    yield "probabilities", "the model's own", probability_figures(new.shares, new)
    yield "probabilities", "calibrated", probability_figures(calibrated, new)
    for wanted in SHARES:
        what = f"sets of {wanted:.0%}"
        for name, per_class in (("all pictures", False), ("per class", True)):
            least = least_of_classes(chosen, choose.labels, choose.units, wanted=wanted, per_class=per_class)
            yield what, f"conformal, {name}", set_figures(calibrated >= least, new.labels, wanted=wanted)
        for count in (1, 2):
            top = np.argsort(np.argsort(-calibrated, axis=1), axis=1) < count
            yield what, f"the first {count}", set_figures(top, new.labels, wanted=wanted)
        yield what, "own probabilities' sum", set_figures(until_sum(new.shares, wanted), new.labels, wanted=wanted)
    for wanted in SHARES:
        what, right = f"answers, {wanted:.0%} right", chosen.argmax(axis=1) == choose.labels
        sure = calibrated.max(axis=1)
        rule = choose_threshold(chosen.max(axis=1), right, choose.units, wanted=wanted)
        yield what, "with 95% confidence", answer_figures(sure, new, rule.threshold, wanted=wanted)
        point = point_threshold(chosen.max(axis=1), right, wanted)
        yield what, "without allowance", answer_figures(sure, new, point, wanted=wanted)
        own = answer_figures(new.shares.max(axis=1), new, wanted, wanted=wanted)
        yield what, f"own probability {wanted:g}", own


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of class folders, or one of train and val")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--weights", default="imagenet", help="of the backbone: imagenet, a run or a file")
    arguments = parser.parse_args()
    embedding = pictaxa.embed(arguments.data, weights=arguments.weights)
    found: dict[tuple[str, str], Figures] = defaultdict(lambda: defaultdict(list))
    confidences: dict[str, list[np.ndarray]] = defaultdict(list)
    right: list[np.ndarray] = []
    for choose, new in splits(embedding.vectors, embedding.labels, count=arguments.splits):
        for what, way, figures in measure(choose, new):
            for name, values in figures.items():
                found[what, way][name] += values
        calibrated = cooled(new.shares, fit_temperature(choose.shares, choose.labels))
        confidences["the model's own"].append(new.shares.max(axis=1))
        confidences["calibrated"].append(calibrated.max(axis=1))
        right.append(new.right)
    print(f"{arguments.splits} splits, {len(choose.labels)} pictures to choose on and {len(new.labels)} new ones each")
    print(f"accuracy of the heads {np.mean(right):.3f}; means over the splits +- standard deviations")
    for (what, way), figures in found.items():
        cells = [f"{name} {np.mean(values):.3f} +- {np.std(values):.3f}" for name, values in figures.items()]
        print(f"{what:18s} {way:24s} {'   '.join(cells)}")
    for way, parts in confidences.items():  # of 250 chance alone makes some hundredths
        every = np.concatenate(parts)
        error = calibration_error(every, np.concatenate(right), np.ones((1, len(every))))[0]
        print(f"all splits         {way:24s} error {error:.4f} of {len(every)} answers")


if __name__ == "__main__":
    main()
