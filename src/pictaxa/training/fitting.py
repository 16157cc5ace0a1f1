"""The head before the rest: fitted to a frozen body, before all of the model is trained (`--tune head,all`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch.optim.swa_utils import update_bn

from ..augment.augmenter import Augmenter
from ..config import DEFAULT_HEAD_EPOCHS
from ..data.batches import read_batches
from ..device import seed_draws
from ..models.layers import Classifier
from ..progress import CountProgress, say
from .features import Look, take_looks
from .learner import HeadAlone
from .loss import weigh_classes
from .optimizer import set_rate
from .prepare import Job
from .schedule import rate_at
from .step import take_step

ADAPTING_BATCHES = 100  # from which batch norms' statistics are taken


def fit_head(job: Job, model: Classifier) -> None:
    """Train a model's head on its frozen body, before all of it is trained.

    It learns from what training will show it, in turn with the pictures as they are: varied by the policy, at the size
    that training begins with, and batch norms' statistics are of such pictures. What fits the statistics of other
    pictures is far off once each batch has its own, and the first steps spoil the body (docs/measured.md has figures).
    """
    augment = Augmenter(job.policy, job.geometry.view, seed=job.config.seed)
    _adapt_norms(job, model, augment)
    varied = Look(job.train_rows, augment=augment, size=job.size_at(0.0), exact=False)
    looks = [varied, Look(job.train_rows, exact=False)]
    learner = HeadAlone(job, model, views=take_looks(job.gallery, model, looks))
    right = _learn(job, learner)
    model.set_submodule(model.main_head(), learner.trained.plain())
    say(f"head      {right:.1%} of the training pictures right after {DEFAULT_HEAD_EPOCHS} epochs with the body frozen")


def _learn(job: Job, learner: HeadAlone) -> float:
    """The epochs of the head alone; how much of the last one's pictures it had right."""
    optimizer, schedule = learner.make_optimizer(), replace(job.config.schedule, curve="cosine")
    class_weights, steps = weigh_classes(job), DEFAULT_HEAD_EPOCHS * job.steps_per_epoch
    learner.set_training()
    step = 0
    with CountProgress("head", total=steps) as progress:
        for epoch in range(DEFAULT_HEAD_EPOCHS):
            right = pictures = 0
            for batch in learner.batches(job.epoch_order(epoch), epoch=epoch):
                rate = rate_at(step / steps, step=step, epoch=epoch, peak=job.peak_rate, schedule=schedule)
                set_rate(optimizer, rate)
                seed_draws(job.config.seed + step, job.plan.device)  # for dropout
                inputs, targets = learner.present(batch, epoch=epoch, step=step, progress=0.0)
                heads = learner.heads(inputs)
                take_step(job, optimizer, heads, targets, class_weights=class_weights, number=step + 1)
                right += int((heads[0][0].argmax(dim=1) == batch.labels).sum())
                pictures += len(batch.labels)
                step += 1
                progress.count()
    return right / pictures


@torch.inference_mode()
def _adapt_norms(job: Job, model: Classifier, augment: Augmenter) -> None:
    """Give batch norms the statistics of these pictures in place of those they came with (Li et al. 2016, AdaBN)."""
    seed_draws(job.config.seed, job.plan.device)  # for dropout, which is on here
    order = job.epoch_order(0)[:ADAPTING_BATCHES]
    with CountProgress("statistics", total=sum(map(len, order))) as progress:
        update_bn(_shown(job, augment, order, progress=progress), model)


def _shown(job: Job, augment: Augmenter, order: list[np.ndarray], *, progress: CountProgress) -> Iterator[torch.Tensor]:
    """Batches (N, C, H, W) as training will show them first."""
    for batch in read_batches(job.cache, order, labels=job.index.labels, device=job.plan.device):
        rows, turns, aspects = batch.rows, batch.turns, batch.aspects
        yield augment(batch.images, rows, turns=turns, aspects=aspects, epoch=0, size=job.size_at(0.0))
        progress.count(len(rows))
