"""The state of a running training: its progress, its figures so far, and what is saved of it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..system.progress import say
from .checkpoint import Counters, save_state
from .job import Job, diverged
from .learner import Learner
from .optimizer import Optimizer
from .schedule import Length, lr_at
from .validation import evaluate, save_predictions

FINISH_SECONDS = 0.3  # to write the last files
TOLD_AFTER = 2  # validations in a row in which every picture got the same answer


@dataclass
class Session:
    """What changes while a Job runs."""

    learner: Learner
    optimizer: Optimizer
    counters: Counters
    started: float  # time.monotonic() minus the seconds already trained
    last_saved: float = -math.inf

    @property
    def seconds(self) -> float:
        """Trained for so long, over all sessions."""
        return time.monotonic() - self.started


def progress_of(job: Job, session: Session, length: Length) -> float:
    """From 0 to 1; a training by minutes leaves time for its last validation."""
    counters = session.counters
    reserve = FINISH_SECONDS + counters.validation_seconds
    if counters.validation_seconds == 0 and counters.pictures:
        # None yet: a picture costs about as much as in training, which computes more but in a shorter format.
        reserve += counters.epoch_seconds / counters.pictures * len(job.judged_rows) * job.geometry.passes
    return length.progress(counters.step, seconds=session.seconds, reserve=reserve)


def lr_of(job: Job, counters: Counters, progress: float) -> float:
    """The learning rate of the next step."""
    peak, schedule = job.peak_lr, job.config.schedule
    return lr_at(progress, step=counters.step, epoch=counters.epoch, peak=peak, schedule=schedule)


def count_step(counters: Counters, labels: torch.Tensor, *, loss: float, logits: torch.Tensor) -> None:
    """Add a step with (N,) labels and the (N, classes) logits before it to the epoch's figures."""
    pictures = len(labels)
    counters.loss_sum += loss * pictures
    counters.right += int((logits.argmax(dim=1) == labels).sum())
    counters.pictures += pictures
    counters.batch += 1
    counters.step += 1


def row_of(job: Job, session: Session, progress: float) -> dict[str, Any]:
    """The epoch so far, as a row of the log."""
    counters = session.counters
    return {
        "epoch": counters.epoch + 1,
        "step": counters.step,
        "seconds": session.seconds,
        "lr": lr_of(job, counters, progress),
        "size": job.size_at(progress),
        "train_loss": counters.loss_sum / counters.pictures,
        "train_accuracy": counters.right / counters.pictures,
        "pictures_per_second": counters.pictures / max(counters.epoch_seconds, 1e-9),
        "waiting_share": counters.waiting_seconds / max(counters.epoch_seconds, 1e-9),
    }


def judge_weights(job: Job, session: Session, *, epoch: int) -> tuple[dict[str, float], bool]:
    """Validate after an epoch, or before the first (0); the scores, and whether its weights are now those kept."""
    counters = session.counters
    before = time.monotonic()
    rows, logits = session.learner.validate()
    scores = evaluate(job, rows, logits)
    counters.validation_seconds = time.monotonic() - before
    if epoch:
        _tell_one_answer(job, counters, rows=rows, logits=logits)
    best = _is_best(counters, scores, best_by=job.config.schedule.best_by)
    if best:
        counters.best_accuracy, counters.best_loss = scores["val_accuracy"], scores["val_loss"]
        counters.best_epoch = epoch
        session.learner.keep_best()
        save_predictions(job, rows, logits)
    return scores, best


def _tell_one_answer(job: Job, counters: Counters, *, rows: np.ndarray, logits: np.ndarray) -> None:
    """Say, at the second validation in a row, that all pictures (n,) of several classes get one answer."""
    answers, labels = np.unique(logits.argmax(axis=1)), np.unique(job.index.labels[rows])
    counters.one_answer = counters.one_answer + 1 if len(answers) == 1 < len(labels) else 0
    if counters.one_answer == TOLD_AFTER:
        start = "" if job.config.transfer.knows else " or --weights imagenet"
        say(
            f"note      every validation picture is taken for {job.index.classes[answers[0]]!r}: nothing is told apart "
            f"yet. If that stays, try --lr {job.peak_lr / 10:.2g}{start}"
        )


def has_stalled(job: Job, counters: Counters) -> bool:
    """Whether as many validations as `--patience` says brought nothing better than the epoch that is kept."""
    patience = job.config.schedule.patience
    since = counters.log[counters.best_epoch :]  # a row for each epoch, the first of which is 1
    return patience is not None and sum(row["val_accuracy"] is not None for row in since) >= patience


def _is_best(counters: Counters, scores: dict[str, float], *, best_by: str) -> bool:
    """Whether an epoch is to be kept before those until now.

    Of equal accuracies that of the smaller loss, of those that are equal in both the later one.
    """
    if best_by == "last" or counters.best_loss is None:
        return True
    if best_by == "accuracy" and scores["val_accuracy"] != counters.best_accuracy:
        return scores["val_accuracy"] > counters.best_accuracy
    return scores["val_loss"] <= counters.best_loss


def save_session(job: Job, session: Session) -> None:
    """Write what resuming needs; TrainingError, and the state before stays, where weights are not finite."""
    # The loss of the last step was finite, but the update after it may have been the one that blew up.
    learner = session.learner
    tensors = [*learner.trained.state_dict().values(), *learner.average.state_dict().values()]
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise diverged(job, found=f"weights that are not finite at step {session.counters.step}")
    session.counters.seconds = session.seconds
    save_state(
        job.run.state_path,
        session.counters,
        model=learner.trained,
        average=learner.average,
        optimizer=session.optimizer,
    )
    session.last_saved = time.monotonic()
