"""One step, by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.config.by_name import with_words
from pictaxa.config.learning import OptimizerConfig
from pictaxa.config.training import TrainConfig
from pictaxa.data.batches import Batch
from pictaxa.errors import TrainingError
from pictaxa.metrics import log_loss
from pictaxa.models.contract import Classifier
from pictaxa.runs.places import create_run
from pictaxa.runs.records import read_predictions
from pictaxa.training.job import Job
from pictaxa.training.learner import WholeModel
from pictaxa.training.optimizer import make_optimizer
from pictaxa.training.setup import prepare, setup
from pictaxa.training.step import StepRules, step_seed, take_step
from pictaxa.training.validation import evaluate, save_predictions, split_logits

Make = Callable[..., Path]
RULES = StepRules(seed=3, device=torch.device("cpu"), class_weights=None, label_smoothing=0.0, clip_grad_norm=5.0)


@pytest.fixture
def job_and_model(tmp_path: Path, make_photos: Make) -> tuple[Job, Classifier]:
    """A training that has not begun."""
    settings = {"model": "lenet5", "size": 28, "batch_size": 16, "precision": "float32", "policy": "none", "epochs": 1}
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    return prepare(setup(with_words(TrainConfig(data=data), settings)), create_run(tmp_path / "run"))


def first_batch(learner: WholeModel) -> Batch:
    return next(iter(learner.batches(learner.job.epoch_order(0), epoch=0)))


def test_steps_make_the_loss_smaller(job_and_model: tuple[Job, Classifier]):
    """On one batch, again and again; the value is that before the update."""
    job, model = job_and_model
    learner = WholeModel(job, model)
    optimizer = learner.make_optimizer()
    inputs, targets = learner.prepare_batch(first_batch(learner), epoch=0, step=0, progress=0.0)
    losses = []
    for number in range(1, 13):
        loss, logits = take_step(
            learner.outputs, optimizer, inputs=inputs, targets=targets, lr=0.02, number=number, rules=RULES
        )
        losses.append(loss)
        assert loss == pytest.approx(F.cross_entropy(logits.detach(), targets[0][0]).item())
    assert losses[0] == pytest.approx(0.69, abs=0.1)  # two classes that nothing tells apart yet: ln 2
    assert losses[-1] < 0.8 * losses[0]


def test_a_loss_that_is_not_finite_changes_nothing(job_and_model: tuple[Job, Classifier]):
    """It is said, and the weights stay as they were."""
    job, model = job_and_model
    learner = WholeModel(job, model)
    optimizer = learner.make_optimizer()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, targets = learner.prepare_batch(first_batch(learner), epoch=0, step=0, progress=0.0)
    loss, _ = take_step(
        lambda images: ((learner.outputs(images)[0][0] * float("nan"), 1.0),), optimizer,
        inputs=inputs, targets=targets, lr=0.02, number=7, rules=RULES,
    )  # fmt: skip
    assert np.isnan(loss)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())


def one_step(**rules: object) -> tuple[float, torch.Tensor, torch.Tensor]:
    """A plain step of SGD on three pictures: the loss, the weight before, and what the step took from it."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 2, bias=False)
    before = layer.weight.detach().clone()
    optimizer = make_optimizer(layer, OptimizerConfig(optimizer="sgd", momentum=0.0, weight_decay=0.0))
    loss, _ = take_step(
        lambda inputs: ((layer(inputs), 1.0),), optimizer, inputs=VECTORS, targets=((LABELS, 1.0),), lr=0.5, number=0,
        rules=replace(RULES, **rules),
    )  # fmt: skip
    return loss, before, before - layer.weight.detach()


VECTORS, LABELS = torch.arange(12.0).reshape(3, 4), torch.tensor([0, 1, 1])


@pytest.mark.parametrize("weights", [None, torch.tensor([0.3, 1.7])])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_step_is_the_rate_times_the_gradient(weights: torch.Tensor | None, smoothing: float):
    """Of the loss that the rules describe, by the formula: softmax minus the target, weighed by class."""
    loss, before, moved = one_step(class_weights=weights, label_smoothing=smoothing, clip_grad_norm=None)
    own = torch.ones(2) if weights is None else weights
    targets = (1 - smoothing) * F.one_hot(LABELS, 2) + smoothing / 2
    logs = (VECTORS @ before.T).log_softmax(dim=1)
    total = own[LABELS].sum()
    assert loss == pytest.approx(float(-(targets * own * logs).sum() / total), rel=1e-5)
    shares = (targets * own).sum(dim=1, keepdim=True) * logs.exp() - targets * own
    assert torch.allclose(moved, 0.5 * shares.T @ VECTORS / total, rtol=1e-4, atol=1e-6)


def test_long_gradients_are_cut():
    """To the length that the rules have, in the same direction; a shorter one stays as it is."""
    _, _, whole = one_step(clip_grad_norm=None)
    _, _, cut = one_step(clip_grad_norm=0.1)
    _, _, same = one_step(clip_grad_norm=1e6)
    assert whole.norm() > 0.1 and cut.norm().item() == pytest.approx(0.5 * 0.1, rel=1e-4)
    assert torch.allclose(cut / cut.norm(), whole / whole.norm(), atol=1e-5) and torch.allclose(same, whole)


def test_draws_are_the_steps():
    """Dropout is the same in a step whenever it is taken, and another in the next step and for another seed."""
    layer = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.5))
    optimizer = make_optimizer(layer, OptimizerConfig(optimizer="sgd", weight_decay=0.0))

    def logits(number: int, seed: int = 3) -> torch.Tensor:
        torch.rand(5)
        return take_step(
            lambda inputs: ((layer(inputs), 1.0),), optimizer, lr=0.0, number=number, rules=replace(RULES, seed=seed),
            inputs=torch.ones(64, 4), targets=((torch.zeros(64, dtype=torch.int64), 1.0),),
        )[1]  # fmt: skip

    assert logits(7).equal(logits(7)) and not logits(7).equal(logits(8)) and not logits(7).equal(logits(7, seed=4))


def test_no_two_steps_share_a_seed():
    """Of a thousand steps of thirty seeds each has its own, which torch takes."""
    seeds = {step_seed(seed, step) for seed in range(30) for step in range(1000)}
    assert len(seeds) == 30_000 and min(seeds) >= 0 and max(seeds) < 2**63
    assert 0 <= step_seed(2**62, 10**9) < 2**63


def test_validation_is_kept_as_it_is_judged(job_and_model: tuple[Job, Classifier]):
    """The log's figures and those of the predictions that are written are of the same logits."""
    job, model = job_and_model
    rows = job.val_rows
    logits = split_logits(job, model.eval(), rows)
    assert logits.shape == (len(rows), 2) and logits.dtype == np.float32
    scores = evaluate(job, rows, logits)
    save_predictions(job, rows, logits)
    kept = read_predictions(job.run)
    assert scores["val_loss"] == pytest.approx(log_loss(kept)) and (kept.rows == rows).all()
    assert scores["val_accuracy"] == (kept.predicted == kept.labels).mean() == job.run.metrics["accuracy"]


def test_scores_by_hand(job_and_model: tuple[Job, Classifier]):
    """One picture's class gets a quarter, the others' three quarters: all are right but one."""
    job, _ = job_and_model
    rows, labels = job.val_rows, job.index.labels[job.val_rows]
    logits = np.zeros((len(rows), 2), np.float32)
    logits[np.arange(len(rows)), labels] = np.log(3)
    logits[0, labels[0]] = -np.log(3)
    scores, right = evaluate(job, rows, logits), len(rows) - 1
    assert right >= 3 and scores["val_accuracy"] == right / len(rows)
    assert scores["val_loss"] == pytest.approx((right * np.log(4 / 3) + np.log(4)) / len(rows), rel=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_judged_by_nobody(job_and_model: tuple[Job, Classifier], value: float):
    """The error says for how many pictures, and what to try."""
    job, _ = job_and_model
    logits = np.zeros((len(job.val_rows), 2), np.float32)
    logits[[0, 2], 1] = value
    with pytest.raises(TrainingError, match=rf"NaN or infinity for 2 of {len(logits)} validation pictures.*Try --lr"):
        evaluate(job, job.val_rows, logits)


def test_some_pictures_are_kept_with_their_logits(job_and_model: tuple[Job, Classifier]):
    """The first four, as the cache has them: by them an export is checked."""
    job, _ = job_and_model
    judged = np.arange(len(job.index))
    logits = np.arange(2.0 * len(judged), dtype=np.float32).reshape(-1, 2)
    save_predictions(job, judged, logits)
    squares, aspects, kept = job.run.probe()
    rows = judged[:4]
    assert np.array_equal(squares, job.cache.read(rows)) and np.array_equal(kept, logits[:4])
    assert np.array_equal(aspects, job.cache.aspects[rows]) and job.run.metrics["pictures"] == len(judged) == 24
