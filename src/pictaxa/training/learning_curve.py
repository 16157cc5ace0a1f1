"""The accuracy of heads solved on fewer pictures, and the accuracy to expect with more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.split import parts_of_class
from ..system.progress import CountProgress
from .logistic import HeadProblem, Scaling, solve_at
from .solve import FOLDS, HeldOut

SHARES = (0.25, 0.5, 0.75, 1.0)  # of the pictures that a head may learn from
STEPS, PRECISION = 40, 1e-6  # of each head
DRAWS = 1000  # of the bootstrap
# How fast errors fall, before the pictures at hand have said anything: as this power of their number, give or take
# (`pictaxa probe` on the flowers of the README: 12.0% with 300 pictures, 8.0% with 1,200, which is -0.29; Hestness et
# al. 2017 have -0.07 to -0.35 for networks trained from nothing).
USUAL_SLOPE, SLOPE_SPREAD = -0.25, 0.15

Curve = list[tuple[int, np.ndarray]]  # pictures learnt from, and (judged,) bool: which of the held-out ones were right


def learning_curve(problem: HeadProblem, scaling: Scaling, held_out: HeldOut) -> Curve:
    """Solve heads on a quarter, a half, three quarters and all of the pictures that there are to learn from.

    The penalty's whole weight is the same for each, as it is for a head that learns from more.

    Args:
        problem: what to tell apart.
        scaling: of its vectors.
        held_out: of the same problem: which fold judges each picture, and the penalty.

    Returns:
        For each share how many pictures a head learnt from, on average over folds, and (judged,) bool: which of the
        pictures held out it had right. Nothing where none were.

    Example:
        curve = learning_curve(problem, scaling, cross_validate(problem, scaling))
        print([(count, right.mean()) for count, right in curve])
    """
    folds = [fold for fold in range(FOLDS) if (held_out.fold_of == fold).any()]
    if not folds:
        return []
    drawn = np.random.default_rng([problem.seed, 7]).permutation(len(problem.labels))
    judged = np.flatnonzero(held_out.fold_of >= 0)
    curve: Curve = []
    with CountProgress("learning curve", total=len(SHARES)) as progress:
        for share in SHARES:
            said, counts = np.full(len(problem.labels), -1), []
            for fold in folds:
                held = np.flatnonzero(held_out.fold_of == fold)
                teach = np.flatnonzero(held_out.fold_of != fold)
                shuffled = teach[np.argsort(drawn[teach])]
                learn = np.sort(shuffled[parts_of_class(problem.labels[shuffled]) < share])
                counts.append(len(learn))
                penalty = held_out.penalty * len(teach) / len(learn)
                weight = solve_at(problem.part(learn), scaling, penalty, steps=STEPS, precision=PRECISION)
                view = (np.asarray(problem.views[0][held]) - scaling.mean) * scaling.scale
                said[held] = (view @ weight[:, :-1].T + weight[:, -1]).argmax(axis=1)
            curve.append((round(float(np.mean(counts))), said[judged] == problem.labels[judged]))
            progress.count()
    return curve


def expected_errors(curve: Curve, pictures: Sequence[int], *, seed: int) -> np.ndarray | None:
    """Estimate the part of errors with other numbers of pictures than there are.

    Errors fall as a power of the number of pictures (Hestness et al. 2017), fitted by least squares in logarithms and
    drawn to the usual power.

    Args:
        curve: what `learning_curve` found.
        pictures: the numbers to ask for, 1 or more each.
        seed: of the bootstrap's draws.

    Returns:
        (numbers, 1 + DRAWS) float64 from 0 to 1: the estimate first, then that of each draw. None where the curve has
        fewer than three different points.

    Example:
        errors = expected_errors(curve, [len(labels), 2 * len(labels)], seed=0)
        low, high = np.percentile(errors[1, 1:], [2.5, 97.5])  # with twice as many
    """
    if len({count for count, _ in curve}) < 3:
        return None
    counts = np.log([count for count, _ in curve])
    right = np.stack([right for _, right in curve])  # (points, judged)
    judged = right.shape[1]
    draws = np.random.default_rng([seed, 8]).integers(judged, size=(DRAWS, judged))
    wrong = np.concatenate(
        [(~right).sum(axis=1, keepdims=True), np.stack([(~point)[draws].sum(axis=1) for point in right])], axis=1
    )
    # Half an error more, as none would be the end of the law; in each draw another half, so that where there are hardly
    # any errors the draws don't agree that there are none.
    more = np.full(wrong.shape, 0.5)
    more[:, 1:] = np.random.default_rng([seed, 11]).gamma(0.5, size=(len(wrong), DRAWS))
    logs = np.log((wrong + more) / (judged + 1))  # (points, 1 + DRAWS)
    centred = counts - counts.mean()
    slopes = centred @ logs / (centred @ centred)
    # The few points of a curve say little of its slope: it is drawn to the usual one, the more the less they say.
    trust = 1 / (1 + (slopes[1:].std() / SLOPE_SPREAD) ** 2)
    spread = np.zeros(1 + DRAWS)
    spread[1:] = np.random.default_rng([seed, 10]).normal(0, SLOPE_SPREAD * np.sqrt(1 - trust), DRAWS)
    slopes = np.minimum(0, trust * slopes + (1 - trust) * USUAL_SLOPE + spread)  # more pictures don't harm
    level = logs.mean(axis=0) - slopes * counts.mean()
    errors: np.ndarray = np.exp(level[None] + slopes[None] * np.log(np.asarray(pictures, dtype=float))[:, None])
    return errors.clip(0, 1)
