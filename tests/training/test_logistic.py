from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from pictaxa.training import logistic
from pictaxa.training.logistic import FINAL_STEPS, HeadProblem, Scaling, Solver, solve_at, standardise

Clouds = Callable[..., HeadProblem]


def loss_of(problem: HeadProblem, weight: np.ndarray, penalty: float) -> float:
    """What (classes, width + 1) weights for scaled vectors cost, by torch's own cross-entropy in float64."""
    mean, scale = standardise(problem.views)
    weights = None if problem.class_weights is None else torch.from_numpy(problem.class_weights).double()
    scaled = (np.concatenate(problem.views).astype(np.float64) - mean) * scale
    loss = F.cross_entropy(
        torch.from_numpy(scaled @ weight[:, :-1].T + weight[:, -1]),
        torch.from_numpy(np.tile(problem.labels, len(problem.views))),
        weight=weights,
        label_smoothing=problem.label_smoothing,
    )
    return float(loss) + penalty / 2 * float((weight[:, :-1] ** 2).sum())


def least_by_force(problem: HeadProblem, penalty: float) -> np.ndarray:
    """The weights of the least cost, found in float64 by differences of the cost alone."""
    shape = (problem.classes, problem.width + 1)
    found = minimize(
        lambda flat: loss_of(problem, flat.reshape(shape), penalty), np.zeros(shape).ravel(), method="BFGS",
        options={"gtol": 1e-7, "maxiter": 2000},
    )  # fmt: skip
    return found.x.reshape(shape)


def centred(weight: np.ndarray) -> np.ndarray:
    """With biases of mean zero: a bias that all classes share changes nothing."""
    weight = weight.copy()
    weight[:, -1] -= weight[:, -1].mean()
    return weight


def solved_at(problem: HeadProblem, penalty: float) -> np.ndarray:
    return solve_at(problem, Scaling.of(problem), penalty, steps=FINAL_STEPS)


@pytest.mark.parametrize("penalty", [1.0, 0.03, 1e-3])
@pytest.mark.parametrize("counts", [(30, 30), (40, 25, 10, 5)])
def test_it_is_multinomial_logistic_regression(clouds: Clouds, counts: tuple[int, ...], penalty: float):
    """At one penalty: the weights of scikit-learn with C = 1 / (penalty * pictures), on standardised vectors."""
    problem = clouds(counts)
    mean, scale = standardise(problem.views)
    scaled = (problem.views[0].astype(np.float64) - mean) * scale
    theirs = LogisticRegression(C=1 / (penalty * len(scaled)), tol=1e-9, max_iter=10_000).fit(scaled, problem.labels)
    weight, bias = theirs.coef_, theirs.intercept_
    if len(counts) == 2:
        # Of two classes scikit-learn has one row, whose penalty is twice that of two opposite halves of it.
        theirs = LogisticRegression(C=2 / (penalty * len(scaled)), tol=1e-9, max_iter=10_000)
        theirs.fit(scaled, problem.labels)
        weight = np.concatenate([-theirs.coef_, theirs.coef_]) / 2
        bias = np.concatenate([-theirs.intercept_, theirs.intercept_]) / 2
    ours = centred(solved_at(problem, penalty))
    assert np.allclose(ours[:, :-1], weight, atol=2e-3 * np.abs(weight).max())
    assert np.allclose(ours[:, -1], bias - bias.mean(), atol=2e-3 * np.abs(weight).max())


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"label_smoothing": 0.2}, id="smoothed"),
        pytest.param({"class_weights": np.array([0.2, 1.0, 5.0], np.float32)}, id="weighed"),
        pytest.param(
            {"label_smoothing": 0.1, "class_weights": np.array([3.0, 0.5, 1.0], np.float32)}, id="smoothed-and-weighed"
        ),
    ],
)
@pytest.mark.parametrize("views", [1, 3])
def test_it_is_the_least_cost(clouds: Clouds, more: dict[str, object], views: int):
    """Label smoothing, class weights and several views: no weights cost less than 1e-6 below, and these are they."""
    problem = replace(clouds((20, 12, 6), width=4, views=views), **more)
    found, least = solved_at(problem, 0.02), least_by_force(problem, 0.02)
    assert loss_of(problem, found, 0.02) - loss_of(problem, least, 0.02) < 1e-6
    assert np.allclose(centred(found), centred(least), atol=2e-3 * np.abs(least).max())


def test_several_views_are_so_many_pictures(clouds: Clouds):
    """Three views of each picture are solved as three pictures."""
    problem = clouds((20, 12, 6), views=3)
    stacked = HeadProblem(
        [np.concatenate(problem.views)], np.tile(problem.labels, 3), 3, np.tile(problem.groups, 3)
    )  # fmt: skip
    assert np.allclose(solved_at(problem, 0.02), solved_at(stacked, 0.02), atol=1e-3)


@pytest.mark.parametrize("views", [1, 2])
def test_blocks_are_no_other_problem(clouds: Clouds, monkeypatch: pytest.MonkeyPatch, views: int):
    """Read block by block, from more vectors than the memory is given, the weights are those found in memory."""
    problem = replace(
        clouds((30, 20, 11), views=views), label_smoothing=0.1, class_weights=np.array([0.5, 1, 3], np.float32)
    )
    whole = solved_at(problem, 0.01)
    monkeypatch.setattr(logistic, "BLOCK", 7)
    monkeypatch.setattr(logistic, "MAX_CHOSEN_ON", 10)  # numbers kept in memory: 10 * 10 of 61 * 10
    monkeypatch.setattr(logistic, "MAX_ROTATED", 10)
    scaling = Scaling.of(problem)  # of the directions of ten pictures
    solver = Solver(problem, scaling, slice(None))
    assert solver.kept is None and scaling.directions is not None
    assert np.allclose(solve_at(problem, scaling, 0.01, steps=500), whole, atol=2e-3 * np.abs(whole).max())


def test_wide_vectors_are_not_turned(clouds: Clouds, monkeypatch: pytest.MonkeyPatch):
    """Beyond MAX_ROTATED no directions are looked for, and the weights are the same."""
    problem = clouds((30, 20, 11))
    whole = solved_at(problem, 0.01)
    monkeypatch.setattr(logistic, "MAX_ROTATED", 9)
    assert Scaling.of(problem).directions is None
    assert np.allclose(solved_at(problem, 0.01), whole, atol=2e-3 * np.abs(whole).max())


def test_vectors_are_brought_to_one_scale(clouds: Clouds, monkeypatch: pytest.MonkeyPatch):
    """Mean zero and variance one over all views, in blocks or at once; what hardly varies stays small."""
    monkeypatch.setattr(logistic, "BLOCK", 9)
    problem = clouds((20, 12, 6), views=2)
    for view in problem.views:
        view[:, 3] = 2 + 1e-6 * view[:, 3]
    mean, scale = standardise(problem.views)
    moved = (np.concatenate(problem.views) - mean) * scale
    others = np.delete(moved, 3, axis=1)
    assert np.abs(others.mean(axis=0)).max() < 1e-5 and np.allclose(others.std(axis=0), 1, atol=1e-5)
    assert np.abs(moved[:, 3]).max() < 1e-3


@pytest.mark.parametrize("count", [1, 3, 20, 40])
def test_directions_of_few_hold_the_whole_answer(clouds: Clouds, monkeypatch: pytest.MonkeyPatch, count: int):
    """Fewer vectors than numbers: at most so many directions, at right angles; the weights are those without any."""
    problem = clouds((count, count), width=90)
    scaling = Scaling.of(problem)
    assert scaling.directions is not None
    found = scaling.directions.shape[1]
    assert found <= 2 * count and scaling.variances.sum() == pytest.approx(90, rel=0.2 if count > 1 else 1)
    assert torch.allclose(scaling.directions.T @ scaling.directions, torch.eye(found), atol=1e-4)
    few = solve_at(problem, scaling, 0.03, steps=FINAL_STEPS)
    monkeypatch.setattr(logistic, "MAX_ROTATED", 10)
    plain = Scaling.of(problem)
    assert plain.directions is None
    wanted = solve_at(problem, plain, 0.03, steps=2000)
    assert np.allclose(few[:, :-1], wanted[:, :-1], atol=2e-3 * np.abs(few).max())
    assert abs(loss_of(problem, few, 0.03) - loss_of(problem, wanted, 0.03)) < 1e-6


@pytest.mark.parametrize("counts", [(6, 4), (60, 40)])
def test_where_lapack_gives_up(clouds: Clouds, monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int]):
    """Divide and conquer that does not converge: the slower way gives the same directions' weights."""
    problem = clouds(counts, width=30)
    wanted = solve_at(problem, Scaling.of(problem), 0.03, steps=FINAL_STEPS)

    def gives_up(symmetric: torch.Tensor) -> None:
        raise torch.linalg.LinAlgError("failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", gives_up)
    found = solve_at(problem, Scaling.of(problem), 0.03, steps=FINAL_STEPS)
    assert np.allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())
