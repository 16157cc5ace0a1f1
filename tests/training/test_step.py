"""One step, by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.data.batches import Batch
from pictaxa.errors import TrainingError
from pictaxa.metrics import log_loss
from pictaxa.models.contract import Classifier
from pictaxa.runs.records import read_predictions
from pictaxa.training.job import Job
from pictaxa.training.learner import WholeModel
from pictaxa.training.optimizer import set_lr
from pictaxa.training.setup import prepare
from pictaxa.training.step import take_step
from pictaxa.training.validation import evaluate, save_predictions, split_logits

Make = Callable[..., Path]


@pytest.fixture
def job_and_model(tmp_path: Path, make_photos: Make) -> tuple[Job, Classifier]:
    """A training that has not begun."""
    settings = {"model": "lenet5", "size": 28, "batch_size": 16, "precision": "float32", "policy": "none", "epochs": 1}
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    return prepare(with_words(TrainConfig(data=data, out=tmp_path / "run"), settings))


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
        set_lr(optimizer, 0.02)
        losses.append(take_step(job, optimizer, learner.outputs(inputs), targets, class_weights=None, number=number))
    assert losses[0] == pytest.approx(0.69, abs=0.1)  # two classes that nothing tells apart yet: ln 2
    assert losses[-1] < 0.8 * losses[0]


def test_a_loss_that_is_not_finite_ends_the_training(job_and_model: tuple[Job, Classifier]):
    """It names the step and what to try, and the weights stay as they were."""
    job, model = job_and_model
    learner = WholeModel(job, model)
    optimizer = learner.make_optimizer()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, targets = learner.prepare_batch(first_batch(learner), epoch=0, step=0, progress=0.0)
    outputs = ((learner.outputs(inputs)[0][0] * float("nan"), 1.0),)
    with pytest.raises(TrainingError, match=r"loss nan at step 7.*Try --"):
        take_step(job, optimizer, outputs, targets, class_weights=None, number=7)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())


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
