from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from pictaxa.errors import WeightsError
from pictaxa.training import logistic, solve
from pictaxa.training.logistic import FINAL_STEPS, HeadProblem, Scaling, Solver, solve_at
from pictaxa.training.solve import FOLDS, PENALTIES, USUAL_PENALTY, cross_validate, deal_folds, solve_head

Clouds = Callable[..., HeadProblem]


def test_the_head_takes_vectors_as_they_come(clouds: Clouds):
    """weight and bias give the scaled weights' logits, for vectors that are not scaled; train_accuracy counts them."""
    problem = clouds((20, 12, 6), spread=2.0, views=2)
    head = solve_head(problem)
    scaling = Scaling.of(problem)
    weight = solve_at(problem, scaling, head.penalty, steps=FINAL_STEPS)
    right = []
    for view in problem.views:
        wanted = (view - scaling.mean) * scaling.scale @ weight[:, :-1].T + weight[:, -1]
        assert np.allclose(head.logits(view), wanted, atol=1e-3)
        right.append(head.logits(view).argmax(axis=1) == problem.labels)
    assert head.train_accuracy == np.mean(right) and head.weight.dtype == head.bias.dtype == np.float32


def test_many_pictures_choose_the_penalty_by_a_part(clouds: Clouds, monkeypatch: pytest.MonkeyPatch):
    """The penalty's whole weight is the part's, the head is that of all pictures, and held out are only the part's."""
    problem = clouds((300, 200), spread=2.0)
    monkeypatch.setattr(logistic, "MAX_CHOSEN_ON", 100)
    head = solve_head(problem)
    judged = np.isfinite(head.held_out[:, 0])
    assert judged.sum() == 100 and head.held_out_right(problem.labels)[1] == 100
    assert min(abs(np.log(head.penalty * 5 / penalty)) for penalty in PENALTIES) < 1e-6
    scaling = Scaling.of(problem)
    weight = solve_at(problem, scaling, head.penalty, steps=FINAL_STEPS)
    assert np.allclose(head.weight, weight[:, :-1] * scaling.scale, atol=1e-3)


def test_a_great_many_are_judged_by_one_fold(clouds: Clouds, monkeypatch: pytest.MonkeyPatch):
    """Beyond MAX_FOLDED a fifth is held out once, unless all folds are asked for."""
    problem = clouds((60, 40), spread=2.0)
    scaling = Scaling.of(problem)
    monkeypatch.setattr(solve, "MAX_FOLDED", 100)
    one, every = cross_validate(problem, scaling), cross_validate(problem, scaling, all_folds=True)
    assert set(one.fold_of) == {-1, 0} and (one.fold_of == 0).sum() == 20
    assert np.array_equal(np.isfinite(one.probabilities[:, 0]), one.fold_of == 0)
    assert set(every.fold_of) == set(range(FOLDS)) and np.isfinite(every.probabilities).all()


def test_what_is_held_out_has_not_been_seen(clouds: Clouds):
    """Probabilities of a fold's pictures are those of a head that is solved on the other folds, at the penalty."""
    problem = clouds((40, 30, 20), spread=2.0)
    scaling = Scaling.of(problem)
    held_out = cross_validate(problem, scaling)
    assert held_out.penalty in PENALTIES
    for fold in range(FOLDS):
        learn, judge = np.flatnonzero(held_out.fold_of != fold), np.flatnonzero(held_out.fold_of == fold)
        weight = solve_at(problem.part(learn), scaling, held_out.penalty, steps=200)
        logits = (problem.views[0][judge] - scaling.mean) * scaling.scale @ weight[:, :-1].T + weight[:, -1]
        assert np.allclose(held_out.probabilities[judge], np.exp(log_softmax(logits, axis=1)), atol=0.01)
    assert np.allclose(held_out.probabilities.sum(axis=1), 1, atol=1e-5)


def test_noise_asks_for_a_stronger_penalty(clouds: Clouds):
    """Of clear clouds the weakest penalties are best, of noisy ones stronger, of labels by chance the strongest."""
    clear, noisy = (solve_head(clouds((60, 60, 60), width=30, spread=spread)).penalty for spread in (0.5, 4.0))
    chance = clouds((60, 60, 60), width=30)
    shuffled = replace(chance, labels=np.random.default_rng(1).permutation(chance.labels))
    assert clear < noisy < solve_head(shuffled).penalty == max(PENALTIES)


def test_few_pictures_with_a_wrong_label_are_still_told_apart(clouds: Clouds):
    """Clear clouds, two of 30 labels wrong: the penalty stays below the strongest, and probabilities are no guess."""
    for seed in range(6):
        problem = clouds((15, 15), width=30, spread=0.5, seed=seed)
        labels = problem.labels.copy()
        labels[[3, 20]] = 1 - labels[[3, 20]]
        head = solve_head(replace(problem, labels=labels, seed=seed))
        rest = np.delete(np.arange(30), [3, 20])
        own = head.held_out[rest, labels[rest]]
        assert head.penalty < max(PENALTIES) and np.median(own) > 0.7
        assert (head.held_out[[3, 20], labels[[3, 20]]] < 0.3).all()


def test_a_path_ends_where_the_loss_has_risen(clouds: Clouds, monkeypatch: pytest.MonkeyPatch):
    """Weaker penalties than those are not tried, in no fold."""
    problem = clouds((60, 60, 60), width=30, spread=4.0)
    tried: list[float] = []
    original = Solver.solve

    def noted(self: Solver, penalty: float, **how: object) -> np.ndarray:
        tried.append(penalty)
        return original(self, penalty, **how)

    monkeypatch.setattr(Solver, "solve", noted)
    held_out = cross_validate(problem, Scaling.of(problem))
    paths = [PENALTIES.index(penalty) for penalty in tried]
    lengths = [place + 1 for place, after in zip(paths, [*paths[1:], 0], strict=True) if after == 0]
    assert len(lengths) == FOLDS and lengths == sorted(lengths, reverse=True)
    assert PENALTIES.index(held_out.penalty) + 1 <= lengths[-1] and lengths[0] < len(PENALTIES)


def test_the_same_again(clouds: Clouds):
    """Twice from one problem: equal to the last bit; another seed deals other folds."""
    problem = clouds((40, 30, 20), spread=2.0)
    one, two = solve_head(problem), solve_head(problem)
    assert np.array_equal(one.weight, two.weight) and np.array_equal(one.bias, two.bias)
    assert one.penalty == two.penalty and np.array_equal(one.held_out, two.held_out)
    assert not np.array_equal(solve_head(replace(problem, seed=1)).held_out, one.held_out)


def test_threads_are_given_back(clouds: Clouds):
    """A small problem runs on one thread, and afterwards there are as many as before, whatever happens."""
    torch.set_num_threads(2)
    solve_head(clouds((10, 10)))
    assert torch.get_num_threads() == 2


def test_folds_are_dealt_evenly():
    """Every class is a fifth of itself in each fold, to one picture."""
    labels = np.repeat(np.arange(3), [50, 23, 7])
    fold_of = deal_folds(labels, np.arange(80), folds=5, seed=0)
    for label, count in enumerate((50, 23, 7)):
        counts = np.bincount(fold_of[labels == label], minlength=5)
        assert counts.sum() == count and counts.max() - counts.min() <= 1
    assert not np.array_equal(fold_of, deal_folds(labels, np.arange(80), folds=5, seed=1))
    assert np.array_equal(fold_of, deal_folds(labels, np.arange(80), folds=5, seed=0))


def test_what_is_alike_lies_in_one_fold():
    """All pictures of a group, under one label or several; a class's only group is never judged."""
    labels = np.array([0] * 12 + [1] * 6 + [2] * 4)
    groups = np.array([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 6, 7] + [7, 8, 9, 9, 10, 11] + [12] * 4)
    fold_of = deal_folds(labels, groups, folds=5, seed=3)
    assert all(len(set(fold_of[groups == group])) == 1 for group in set(groups))
    assert set(fold_of[labels == 2]) == {-1} and (fold_of[labels != 2] >= 0).all()


@pytest.mark.parametrize("count", [2, 3, 4])
def test_fewer_pictures_than_folds(clouds: Clouds, count: int):
    """Each is judged once, by the others; no two of a class lie in one fold."""
    labels = np.repeat(np.arange(2), count)
    fold_of = deal_folds(labels, np.arange(2 * count), folds=FOLDS, seed=0)
    assert all(len(set(fold_of[labels == label])) == count for label in (0, 1)) and fold_of.min() >= 0
    problem = clouds((count, count), spread=0.1)
    head = solve_head(problem)
    assert np.isfinite(head.held_out).all() and head.train_accuracy == 1


def test_two_classes_of_two_pictures_each(clouds: Clouds):
    """Clear ones are told apart, those held out too."""
    head = solve_head(clouds((2, 2), spread=0.05))
    assert head.train_accuracy == 1 and head.held_out_right(np.array([0, 0, 1, 1])) == (4, 4)


def test_one_picture_of_each_class(clouds: Clouds):
    """Nothing can be held out: the usual penalty, and a head that tells them apart."""
    problem = clouds((1, 1, 1))
    head = solve_head(problem)
    assert head.penalty == pytest.approx(USUAL_PENALTY) and np.isnan(head.held_out).all()
    assert head.held_out_right(problem.labels) == (0, 0) and head.train_accuracy == 1


def test_a_rare_class(clouds: Clouds):
    """Of 500 pictures against 5 all of the rare ones are right with balanced weights; both classes are judged."""
    problem = clouds((500, 5), spread=1.0)
    weights = np.array([505 / 1000, 505 / 10], np.float32)
    head = solve_head(replace(problem, class_weights=weights))
    said = head.logits(problem.views[0]).argmax(axis=1)
    assert (said[500:] == 1).all() and (said[:500] == 0).mean() > 0.9
    assert np.isfinite(head.held_out).all() and np.isfinite(solve_head(problem).weight).all()


def test_many_classes_of_two_pictures(clouds: Clouds):
    """100 classes, two pictures each, fewer than numbers in a vector: each is told from one picture of its class."""
    problem = clouds((2,) * 100, width=210, spread=0.3)
    head = solve_head(problem)
    assert head.held_out_right(problem.labels)[0] > 0.9 * 200 and head.train_accuracy == 1


def test_a_thousand_classes(clouds: Clouds):
    """Two pictures of each: one part is held out, and what can be told apart is."""
    problem = clouds((2,) * 1000, width=16, spread=0.05)
    head = solve_head(problem)
    right, judged = head.held_out_right(problem.labels)
    assert 300 < judged < 500 and right > 0.9 * judged and head.train_accuracy > 0.99


@pytest.mark.parametrize("count", [2, 4, 6, 20])
def test_more_numbers_than_pictures(count: int):
    """A few pictures of 1,280 numbers, as a backbone has: where LAPACK in float32 finds no directions all goes well."""
    for seed in range(4):
        random = np.random.default_rng(seed)
        labels = np.arange(count) % 2
        vectors = np.maximum(0, random.normal(-1, 1, (count, 1280)) + labels[:, None]).astype(np.float32)
        head = solve_head(HeadProblem([vectors], labels, 2, np.arange(count)))
        assert np.isfinite(head.weight).all() and head.train_accuracy == 1


def test_a_number_that_never_varies(clouds: Clouds):
    """It has no say: its weight is nothing, and the others are those without it."""
    problem = clouds((20, 20, 20), spread=1.5)
    constant = np.full((60, 1), 3.0, np.float32)
    more = replace(problem, views=[np.concatenate([problem.views[0], constant], axis=1)])
    head, without = solve_head(more), solve_head(problem)
    assert np.allclose(head.weight[:, -1], 0, atol=1e-6)
    assert np.abs(head.logits(more.views[0]) - without.logits(problem.views[0])).max() < 0.05
    assert head.penalty == without.penalty


@pytest.mark.parametrize("width", [6, 1280])
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_vectors_that_are_all_equal(width: int, value: float):
    """More or fewer pictures than numbers, nothing to tell by: finite weights that say how frequent the classes are."""
    labels = np.repeat([0, 1], [30, 10])
    head = solve_head(HeadProblem([np.full((40, width), value, np.float32)], labels, 2, np.arange(40)))
    logits = head.logits(np.full((1, width), value, np.float32))
    assert np.allclose(np.exp(log_softmax(logits, axis=1)), [[0.75, 0.25]], atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_told(clouds: Clouds, value: float):
    """One line with how many pictures have them."""
    problem = clouds((10, 10), views=2)
    problem.views[1][[3, 7], 2] = value
    with pytest.raises(WeightsError, match=r"NaN or infinity for 2 of 40 pictures") as caught:
        solve_head(problem)
    assert "\n" not in str(caught.value)


def test_memory_mapped_vectors_are_read(clouds: Clouds, tmp_path: object):
    """Vectors in a file give the head that they give in memory."""
    problem = clouds((20, 20), spread=1.5)
    file = np.memmap(f"{tmp_path}/a.f32", dtype=np.float32, mode="w+", shape=problem.views[0].shape)
    file[:] = problem.views[0]
    mapped = replace(problem, views=[np.memmap(f"{tmp_path}/a.f32", dtype=np.float32, mode="r", shape=file.shape)])
    assert np.array_equal(solve_head(mapped).weight, solve_head(problem).weight)
