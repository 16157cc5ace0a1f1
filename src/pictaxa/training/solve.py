"""Solves a linear head on a frozen backbone's features: it has one optimum, so there is no lr and no number of epochs.

Multinomial logistic regression (logistic.py) has one setting, its penalty, and cross-validation on the training
pictures chooses that: pictures that are alike lie in one fold, the path goes from strong penalties to weak ones, each
beginning where the one before ended, and ends where the held-out loss rises. Of very many pictures it is chosen on a
part of them, and the head is then solved on all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..system.progress import CountProgress
from .logistic import FINAL_STEPS, HeadProblem, Scaling, Solver, check_finite, solve_at

FOLDS = 5
PENALTIES = tuple(10.0**power for power in np.arange(1.0, -4.1, -0.5))  # of a mean loss, for weights of unit vectors
USUAL_PENALTY = 0.1  # where there is nothing to choose it by: about right for a dozen pictures a class
RISES = 1  # of the held-out loss, after which weaker penalties are not tried
MAX_FOLDED = 300_000  # pictures times classes up to which there are all the folds, beyond it one part is held out
STEPS = 40  # of L-BFGS, at most, on the way through the penalties
PRECISION = 1e-6  # the part of the loss that its last step brings there


@dataclass(frozen=True)
class SolvedHead:
    """The best linear head, for vectors as the backbone gives them, and what is known of it."""

    weight: np.ndarray  # (classes, width) float32
    bias: np.ndarray  # (classes,) float32
    penalty: float
    held_out: np.ndarray  # (n, classes) float32 probabilities by heads that had not seen the picture; NaN for none
    train_accuracy: float

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """(m, width) -> (m, classes) float32."""
        return np.asarray(vectors @ self.weight.T + self.bias, dtype=np.float32)

    def held_out_right(self, labels: np.ndarray) -> tuple[int, int]:
        """How many of the judged pictures were right, and how many were judged."""
        judged = np.isfinite(self.held_out[:, 0])
        return int((self.held_out[judged].argmax(axis=1) == labels[judged]).sum()), int(judged.sum())


@dataclass(frozen=True)
class HeldOut:
    """A penalty, and what heads at it say of pictures that they had not seen."""

    penalty: float
    probabilities: np.ndarray  # (n, classes) float32; NaN for pictures that no fold judged
    fold_of: np.ndarray  # (n,) int64, -1 for those


def cross_validate(problem: HeadProblem, scaling: Scaling, *, all_folds: bool = False) -> HeldOut:
    """Choose the penalty on pictures that a head has not seen.

    Args:
        problem: what to tell apart.
        scaling: of its vectors.
        all_folds: judge every picture; else of very many (pictures times classes above 300,000) one fold alone.

    Returns:
        The penalty and what heads at it say of each picture without having learnt from it. Where no class has two
        pictures that differ there is nothing to choose by: the penalty is the usual one, and no picture is judged.

    Example:
        held_out = cross_validate(problem, Scaling.of(problem))
        judged = held_out.fold_of >= 0
        accuracy = (held_out.probabilities[judged].argmax(axis=1) == problem.labels[judged]).mean()
    """
    fold_of = deal_folds(problem.labels, problem.groups, folds=FOLDS, seed=problem.seed)
    judged = [fold for fold in range(FOLDS) if (fold_of == fold).any()]
    if len(problem.labels) * problem.classes > MAX_FOLDED and not all_folds:
        judged = judged[:1]
    if not judged:
        nothing = np.full((len(problem.labels), problem.classes), np.nan, dtype=np.float32)
        return HeldOut(USUAL_PENALTY, nothing, fold_of)
    penalty, said = _choose_penalty(problem, scaling, fold_of, judged)
    return HeldOut(penalty, said, np.where(np.isin(fold_of, judged), fold_of, -1))


def solve_head(problem: HeadProblem) -> SolvedHead:
    """Find the linear head of the least penalised loss, its penalty chosen by cross-validation.

    Args:
        problem: what to tell apart.

    Returns:
        The head, for vectors as the backbone gives them, and what is known of it.

    Raises:
        WeightsError: a vector is not finite.

    Example:
        head = solve_head(HeadProblem([vectors], labels, classes=5, groups=np.arange(len(labels))))
        logits = head.logits(vectors)  # (n, 5) float32
    """
    check_finite(problem.views)
    scaling = Scaling.of(problem)
    chosen_on = problem.drawn()
    part = problem if chosen_on is None else problem.part(chosen_on)
    chosen = cross_validate(part, scaling)
    held_out = np.full((len(problem.labels), problem.classes), np.nan, dtype=np.float32)
    held_out[slice(None) if chosen_on is None else chosen_on] = chosen.probabilities
    # The penalty's whole weight stays while pictures grow in number.
    penalty = chosen.penalty * len(part.labels) / len(problem.labels)
    weight = solve_at(problem, scaling, penalty, steps=FINAL_STEPS)
    scaled_weight, bias = weight[:, :-1], weight[:, -1]
    plain = scaled_weight * scaling.scale
    shift = bias - plain @ scaling.mean
    right = sum(int(((block @ plain.T + shift).argmax(axis=1) == labels).sum()) for block, labels in problem.blocks())
    return SolvedHead(
        plain.astype(np.float32), shift.astype(np.float32), penalty, held_out,
        train_accuracy=right / (len(problem.labels) * len(problem.views)),
    )  # fmt: skip


def deal_folds(labels: np.ndarray, groups: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """Deal pictures out to folds, each class evenly, whole groups at a time.

    Args:
        labels: (n,) int64.
        groups: (n,) int64 from 0 on: pictures with one number are alike and come into one fold.
        folds: how many.
        seed: of the draws.

    Returns:
        (n,) int64, the fold that judges each picture, from 0 on; -1 for the lone group of a class, which always
        teaches, as nothing else could.

    Example:
        fold_of = deal_folds(labels, np.arange(len(labels)), folds=5, seed=0)
    """
    fold_of = np.full(len(labels), -1)
    random = np.random.default_rng(seed)
    _, first = np.unique(groups, return_index=True)  # a group under two labels counts with the first
    dealt = np.full(int(groups.max()) + 1, -1)
    for label in np.unique(labels):
        own = random.permutation(groups[first[labels[first] == label]])
        if len(own) > 1:
            dealt[own] = (np.arange(len(own)) + random.integers(folds)) % folds
    fold_of[:] = dealt[groups]
    return fold_of


def _choose_penalty(
    problem: HeadProblem, scaling: Scaling, fold_of: np.ndarray, judged: list[int]
) -> tuple[float, np.ndarray]:
    """The penalty, and what the heads at it say of what they had not seen, (n, classes).

    The one of the least held-out loss, or the next stronger one where that is within one standard error (Breiman et al.
    1984, section 3.4.3, who take the strongest there is: of few pictures, some with a wrong label, that would be a head
    that says nothing; docs/measured.md).
    """
    rows = np.flatnonzero(np.isin(fold_of, judged))
    said = np.zeros((len(PENALTIES), len(rows), problem.classes), dtype=np.float32)
    losses = np.zeros((len(PENALTIES), len(rows)))
    tried = len(PENALTIES)
    with CountProgress("head", total=len(judged)) as progress:
        for fold in judged:
            own = np.flatnonzero(fold_of[rows] == fold)  # places among the judged ones
            solver = Solver(problem, scaling, np.flatnonzero(fold_of != fold))
            view = (np.asarray(problem.views[0][rows[own]]) - scaling.mean) * scaling.scale
            labels = problem.labels[rows[own]]
            least, rises = np.inf, 0
            for place, penalty in enumerate(PENALTIES[:tried]):
                weight = solver.solve(penalty, steps=STEPS, precision=PRECISION)
                logs = F.log_softmax(torch.from_numpy(view @ weight[:, :-1].T + weight[:, -1]), dim=1).numpy()
                said[place, own] = np.exp(logs)
                losses[place, own] = -logs[np.arange(len(own)), labels]
                loss = float(losses[place, own].mean())
                rises = rises + 1 if loss > least else 0
                least = min(least, loss)
                if rises == RISES:
                    tried = place + 1
                    break
            progress.count()
    means = losses[:tried].mean(axis=1)
    best = int(np.argmin(means))
    error = losses[best].std() / np.sqrt(len(rows))
    chosen = best - 1 if best and means[best - 1] <= means[best] + error else best
    probabilities = np.full((len(problem.labels), problem.classes), np.nan, dtype=np.float32)
    probabilities[rows] = said[chosen]
    return PENALTIES[chosen], probabilities
