"""How the penalty of a solved head is best chosen: rules side by side, on few pictures, some with wrong labels.

    python benchmarks/penalty.py FLOWERS SIGNS ... [--each 3 6 12 24 60] [--wrong 0 0.1] [--draws 4]

Of each set so many pictures of each class are drawn to learn from, a part of their labels is drawn anew, and up to
1,500 others judge the heads at every penalty: accuracy and log loss. A rule sees only the losses of the five folds.

    least      the penalty of the least held-out loss
    next       the next stronger one, where its loss is within a standard error of the least (what pictaxa does)
    strongest  the strongest within a standard error (Breiman et al. 1984)
    paired     the same, the error being that of the difference to the least
    accuracy   the strongest of the best held-out accuracy
    best       the penalty of the least loss of the pictures that judge: what no rule can know

A line for each set, number and part of wrong labels, and the mean of all.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from pictaxa.config.learning import TransferConfig
from pictaxa.config.training import TrainConfig
from pictaxa.judge.vectors import vectors_of
from pictaxa.training.logistic import FINAL_STEPS, HeadProblem, Scaling, Solver, solve_at
from pictaxa.training.setup import decode, setup
from pictaxa.training.solve import FOLDS, PENALTIES, PRECISION, STEPS, deal_folds
from pictaxa.training.transfer import IMAGENET

MOST = 3000  # pictures of a set whose vectors are taken
JUDGING = 1500
TRIED = PENALTIES[:8]  # down to 10**-2.5


def read_vectors(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """What ImageNet's backbone makes of a set's pictures, (n, width) float32, and their labels (n,)."""
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(data=data, cache=Path(folder), transfer=TransferConfig(weights=IMAGENET))
        start = setup(config)
        rows = np.random.default_rng(0).permutation(np.flatnonzero(start.index.labels >= 0))[:MOST]
        cache, index = decode(start.config, start.index.take(np.sort(rows)), start.geometry, plan=start.plan)
        vectors, problem = vectors_of(start, cache, index, np.flatnonzero(index.usable))
        return np.array(vectors), problem.labels


def held_out(problem: HeadProblem, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """(penalties, judged): each picture's loss by heads that had not seen it, and whether it was right."""
    fold_of = deal_folds(problem.labels, problem.groups, folds=FOLDS, seed=problem.seed)
    losses, right = [], []
    for fold in range(FOLDS):
        own = np.flatnonzero(fold_of == fold)
        solver = Solver(problem, scaling, np.flatnonzero(fold_of != fold))
        vectors = (problem.views[0][own] - scaling.mean) * scaling.scale
        found = []
        for penalty in TRIED:
            weight = solver.solve(penalty, steps=STEPS, precision=PRECISION)
            logits = torch.from_numpy(vectors @ weight[:, :-1].T + weight[:, -1])
            loss = F.cross_entropy(logits, torch.from_numpy(problem.labels[own]), reduction="none").numpy()
            found.append((loss, logits.argmax(dim=1).numpy() == problem.labels[own]))
        losses.append(np.stack([loss for loss, _ in found]))
        right.append(np.stack([told for _, told in found]))
    return np.concatenate(losses, axis=1), np.concatenate(right, axis=1)


def rules(losses: np.ndarray, right: np.ndarray) -> dict[str, int]:
    """The place in TRIED that each rule chooses."""
    means, count = losses.mean(axis=1), losses.shape[1]
    least = int(means.argmin())
    error = losses[least].std() / np.sqrt(count)
    paired = (losses - losses[least]).std(axis=1) / np.sqrt(count)
    accuracies = right.mean(axis=1)
    return {
        "least": least,
        "next": least - 1 if least and means[least - 1] <= means[least] + error else least,
        "strongest": int(np.flatnonzero(means <= means[least] + error)[0]),
        "paired": int(np.flatnonzero(means <= means[least] + paired)[0]),
        "accuracy": int(np.flatnonzero(accuracies == accuracies.max())[0]),
    }


def judged(
    problem: HeadProblem, scaling: Scaling, vectors: np.ndarray, labels: np.ndarray
) -> list[tuple[float, float]]:
    """Accuracy and log loss of the head at each penalty, by other pictures (m, width) and their labels (m,)."""
    scaled, found = (vectors - scaling.mean) * scaling.scale, []
    for penalty in TRIED:
        weight = solve_at(problem, scaling, penalty, steps=FINAL_STEPS)
        logits = torch.from_numpy(scaled @ weight[:, :-1].T + weight[:, -1])
        right = float((logits.argmax(dim=1).numpy() == labels).mean())
        found.append((right, float(F.cross_entropy(logits, torch.from_numpy(labels)))))
    return found


def line(name: str, figures: dict[str, list[tuple[float, float]]]) -> None:
    """Print each rule's mean accuracy and log loss."""
    told = "   ".join(f"{rule} {100 * a:.1f}% {b:.3f}" for rule, (a, b) in
                      ((rule, np.mean(found, axis=0)) for rule, found in figures.items()))  # fmt: skip
    print(f"{name:28} {told}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--each", nargs="+", type=int, default=[3, 6, 12, 24, 60])
    parser.add_argument("--wrong", nargs="+", type=float, default=[0.0, 0.1])
    parser.add_argument("--draws", type=int, default=4)
    arguments = parser.parse_args()
    every: dict[str, list[tuple[float, float]]] = {}
    for data in arguments.data:
        vectors, labels = read_vectors(data)
        classes = int(labels.max()) + 1
        for each in arguments.each:
            for wrong in arguments.wrong:
                figures: dict[str, list[tuple[float, float]]] = {}
                for seed in range(arguments.draws):
                    random = np.random.default_rng(seed)
                    order = random.permutation(len(labels))
                    teach = np.concatenate([order[labels[order] == label][:each] for label in range(classes)])
                    judge = np.setdiff1d(order, teach)[:JUDGING]
                    taught = labels[teach].copy()
                    changed = random.random(len(taught)) < wrong
                    taught[changed] = random.integers(classes, size=int(changed.sum()))
                    problem = HeadProblem([vectors[teach]], taught, classes, np.arange(len(teach)), seed=seed)
                    scaling = Scaling.of(problem)
                    by_penalty = judged(problem, scaling, vectors[judge], labels[judge])
                    for rule, place in rules(*held_out(problem, scaling)).items():
                        figures.setdefault(rule, []).append(by_penalty[place])
                    figures.setdefault("best", []).append(min(by_penalty, key=lambda pair: pair[1]))
                line(f"{data.stem[:12]}, {each} a class, {wrong:.0%}", figures)
                for rule, found in figures.items():
                    every.setdefault(rule, []).extend(found)
    line("all", every)


if __name__ == "__main__":
    main()
