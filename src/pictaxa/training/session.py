"""The state of a running training: its progress, its figures so far, and what is saved of it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch

from .checkpoint import Counters, save_state
from .job import Job
from .learner import Learner
from .optimizer import Optimizer
from .schedule import Length, lr_at
from .step import diverged

FINISH_SECONDS = 0.3  # to write the last files


@dataclass
class Session:
    """What changes while a Job runs."""

    learner: Learner
    optimizer: Optimizer
    counters: Counters
    started: float  # time.monotonic() minus the seconds already trained
    looking_seconds: float = 0.0  # that it took to compute a frozen backbone's features, or to fit a head to it
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


def save_session(job: Job, session: Session) -> None:
    """Write what resuming needs; TrainingError, and the state before stays, where weights are not finite."""
    # The loss of the last step was finite, but the update after it may have been the one that blew up.
    learner = session.learner
    if not all(bool(parameter.isfinite().all()) for parameter in learner.trained.parameters()):
        raise diverged(job, session.optimizer, what=f"weights that are not finite at step {session.counters.step}")
    session.counters.seconds = session.seconds
    save_state(
        job.run.state_path,
        session.counters,
        model=learner.trained,
        average=learner.average,
        optimizer=session.optimizer,
    )
    session.last_saved = time.monotonic()
