from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pictaxa.training.learning_curve import DRAWS, SHARES, USUAL_SLOPE, Curve, expected_errors, learning_curve
from pictaxa.training.logistic import HeadProblem, Scaling
from pictaxa.training.solve import cross_validate

Clouds = Callable[..., HeadProblem]

COUNTS = (100, 200, 300, 400)


def exact_curve(*, level: float, slope: float, judged: int) -> Curve:
    """A curve with level * count ** slope errors, to half a picture, its wrong ones always the first of all."""
    return [(count, np.arange(judged) >= round(level * count**slope * judged)) for count in COUNTS]


def drawn_curve(*, level: float, slope: float, judged: int, seed: int) -> Curve:
    """The same with errors that chance decides; each picture has a difficulty of its own."""
    difficulty = np.random.default_rng(seed).uniform(size=judged)
    return [(count, difficulty >= level * count**slope) for count in COUNTS]


@pytest.mark.parametrize("slope", [-0.05, -0.25, -0.5])
def test_a_power_law_is_found_again(slope: float):
    """Of many pictures whose errors fall as a power of their number: the errors at other numbers are the law's."""
    curve = exact_curve(level=0.9, slope=slope, judged=50_000)
    wanted = np.array([50, 400, 800, 4000])
    errors = expected_errors(curve, wanted.tolist(), seed=0)
    assert errors is not None and errors.shape == (4, 1 + DRAWS)
    assert errors[:, 0] == pytest.approx(0.9 * wanted**slope, rel=0.03)


@pytest.mark.parametrize("slope", [-0.15, -0.25, -0.4])
def test_the_interval_holds_what_it_says(slope: float):
    """Of 100 sets of 300 pictures the errors with twice as many lie in the 95% interval nine times of ten or more."""
    true, inside = 0.9 * 800**slope, []
    for seed in range(100):
        errors = expected_errors(drawn_curve(level=0.9, slope=slope, judged=300, seed=seed), [800], seed=seed)
        assert errors is not None
        low, high = np.percentile(errors[0, 1:], [2.5, 97.5])
        inside.append(low <= true <= high)
    assert np.mean(inside) >= 0.9


def test_few_pictures_say_little_of_the_slope():
    """The fewer are judged, the nearer is the slope to the usual one, and the wider the interval."""
    slopes, widths = [], []
    for judged in (20, 200, 20_000):
        curve = drawn_curve(level=2.0, slope=-0.45, judged=judged, seed=1)
        errors = expected_errors(curve, [400, 800], seed=0)
        assert errors is not None
        slopes.append(np.log2(errors[1, 0] / errors[0, 0]))
        widths.append(np.ptp(np.percentile(np.log(errors[1, 1:]), [2.5, 97.5])))
    off = [abs(slope - USUAL_SLOPE) for slope in slopes]
    assert off == sorted(off) and widths == sorted(widths, reverse=True)
    assert slopes[-1] == pytest.approx(-0.45, abs=0.03)


@pytest.mark.parametrize("counts", [(), (10,), (10, 20), (10, 20, 20, 20)])
def test_too_few_points_tell_nothing(counts: tuple[int, ...]):
    """Fewer than three different numbers of pictures: None."""
    assert expected_errors([(count, np.array([True, False])) for count in counts], [40], seed=0) is None


def test_more_pictures_never_harm():
    """Errors that rose, by chance, are expected to stay; they lie between none and all."""
    curve = [(count, np.arange(1000) >= wrong) for count, wrong in zip(COUNTS, (100, 150, 200, 250), strict=True)]
    errors = expected_errors(curve, [400, 800, 10**9], seed=0)
    assert errors is not None and (np.diff(errors, axis=0) <= 0).all() and errors.min() >= 0 and errors.max() <= 1
    assert errors[1, 0] == pytest.approx(errors[0, 0], rel=0.01)


def test_no_errors_at_all():
    """They are expected to be few, but not none; and that more pictures would bring nothing is not known."""
    errors = expected_errors([(count, np.ones(200, bool)) for count in COUNTS], [400, 800], seed=0)
    assert errors is not None and (errors > 0).all() and errors[:, 0].max() < 1 / 200
    assert np.percentile(errors, 97.5) < 1.5 / 200
    assert errors[0, 0] > errors[1, 0]
    low, high = np.percentile(errors[0, 1:] - errors[1, 1:], [2.5, 97.5])
    assert low < high


def test_the_same_seed_draws_the_same():
    """Twice alike to the last bit; another seed has other draws and the same estimate."""
    curve = drawn_curve(level=0.9, slope=-0.3, judged=100, seed=0)
    one, two, other = (expected_errors(curve, [800], seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, two) and not np.array_equal(one, other)
    assert other[0, 0] == pytest.approx(one[0, 0], rel=0.05)


def test_a_curve_is_of_quarters(clouds: Clouds):
    """Each share of every class is learnt from, in all folds; with all of them it is the cross-validated head."""
    problem = clouds((80, 40, 20), spread=2.0)
    scaling = Scaling.of(problem)
    held_out = cross_validate(problem, scaling)
    curve = learning_curve(problem, scaling, held_out)
    assert [count for count, _ in curve] == pytest.approx([share * 0.8 * 140 for share in SHARES], abs=2)
    assert all(right.shape == (140,) and right.dtype == bool for _, right in curve)
    same = held_out.probabilities.argmax(axis=1) == problem.labels
    assert (curve[-1][1] == same).mean() > 0.98
    assert curve[0][1].mean() < curve[-1][1].mean()
    again = learning_curve(problem, scaling, held_out)
    assert all(np.array_equal(one, two) for (_, one), (_, two) in zip(curve, again, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_a_curve_of_two_pictures_a_class(clouds: Clouds, seed: int):
    """However the folds fall there is a curve: a share may be less than a picture of a class."""
    problem = replace(clouds((2, 2), spread=0.1), seed=seed)
    scaling = Scaling.of(problem)
    curve = learning_curve(problem, scaling, cross_validate(problem, scaling))
    assert all(right.shape == (4,) for _, right in curve)


def test_no_curve_without_folds(clouds: Clouds):
    """One picture of each class: nothing is judged."""
    problem = clouds((1, 1, 1))
    scaling = Scaling.of(problem)
    assert learning_curve(problem, scaling, cross_validate(problem, scaling)) == []
