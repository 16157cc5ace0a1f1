"""The training loop, once, in order."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..config.training import TrainConfig
from ..config.usual import resolved
from ..errors import TrainingError, machine_error
from ..models.contract import Classifier
from ..runs.folder import Run
from ..system.device import seed_draws
from ..system.progress import TrainProgress, clock, say
from ..weights.files import load_model_weights
from .averaging import Follower
from .checkpoint import Counters, has_state, load_state, save_backbone
from .fitting import can_solve, fit_head
from .interrupts import Interrupted, interrupt_flag
from .job import Job
from .learner import WholeModel, learn_head, write_result
from .loss import weigh_classes
from .optimizer import set_lr
from .schedule import Length
from .session import Session, count_step, lr_of, progress_of, row_of, save_session
from .setup import prepare, prepare_again
from .step import step_seed, take_step
from .validation import evaluate, save_predictions

VALIDATION_SHARE = 0.04  # of the time that a training by minutes may spend on validating
KEPT = {  # which epoch, in the words of the last line
    "accuracy": "best validation accuracy",
    "loss": "validation accuracy at the least loss",
    "last": "last validation accuracy",
}


def train_run(config: TrainConfig, *, started: float | None = None) -> Run:
    """Train from the start. --minutes count from `started` (time.monotonic(); by default now).

    Preparing counts, but for decoding pictures into the cache, which happens once per data set.
    """
    started = time.monotonic() if started is None else started
    job, model = prepare(config)
    with _machine_errors_told(job):
        if job.config.transfer.knows:
            save_backbone(job.run.backbone_path, model)
        if _only_solves(job, model):
            return _solve_alone(job, model, started)
        session = _start(job, model)
        session.started = started + job.decode_seconds + session.looking_seconds
        return _run(job, session)


def resume_run(path: Path) -> Run:
    """Go on from the newest saved state; a training by epochs ends with the weights it would have had."""
    job = prepare_again(path)
    with _machine_errors_told(job):
        model = job.fresh_model()
        if _only_solves(job, model):
            load_model_weights(model, job.run.backbone_path)
            say("resume    from the beginning")
            return _solve_alone(job, model, time.monotonic())
        return _run(job, _resume(job, model))


def _only_solves(job: Job, model: Classifier) -> bool:
    """Whether the head alone is found, on vectors of the frozen backbone."""
    return job.config.transfer.on_features and _solves(job, model)


def _solves(job: Job, model: Classifier) -> bool:
    """Whether the training begins with a solved head, or is nothing but that."""
    asked, transfer = job.config.transfer.solve_head, job.config.transfer
    if asked == "no" or not transfer.knows or not can_solve(model):
        return False
    return asked == "yes" or job.new_head or transfer.on_features


def _solve_alone(job: Job, model: Classifier, started: float) -> Run:
    """`--tune head`: one pass over the pictures, and the best head for what the backbone makes of them."""
    try:
        fit_head(job, model)
    except KeyboardInterrupt:
        raise Interrupted(job.run) from None  # features that are computed are kept
    scores = write_result(job, model)
    job.run.write_log([])
    say(f"done      in {clock(time.monotonic() - started)}; validation accuracy {scores['val_accuracy']:.1%}")
    return job.run


def _resume(job: Job, model: Classifier) -> Session:
    """A training as its newest saved state has it, or from its start when it was cut off before its first step."""
    if job.run.backbone_path.exists():
        load_model_weights(model, job.run.backbone_path)
        if not has_state(job.run.state_path):
            say("resume    from the beginning")
            return _start(job, model)
    session = _start(job, model, resumed=True)
    counters = load_state(
        job.run.state_path,
        model=session.learner.trained,
        average=session.learner.average,
        optimizer=session.optimizer,
    )
    say(f"resume    after step {counters.step}, epoch {counters.epoch + 1}, {clock(counters.seconds)} trained")
    session.counters, session.started = counters, time.monotonic() - counters.seconds
    return session


@contextmanager
def _machine_errors_told(job: Job) -> Iterator[None]:
    """A full disk and too little memory, each with how this training goes on: what was saved before is whole."""
    try:
        yield
    except Exception as error:
        less = f"--batch-size {max(2, resolved(job.config.schedule.batch_size) // 2)} or a --size below {job.size}"
        mistake = machine_error(
            error,
            room_fix=f"Free some space and continue with: pictaxa train --resume {job.run.path}",
            memory_fix=f"Train again with {less}.",
        )
        if mistake is None:
            raise
        raise mistake from None


def _start(job: Job, model: Classifier, *, resumed: bool = False) -> Session:
    """A training before its first step; what a frozen backbone makes of the pictures is computed here.

    That counts for --minutes only where a head is fitted before all of the model is trained: features are computed
    once for a backbone and its pictures, as pixels are decoded once.
    """
    before = time.monotonic()
    fits = not resumed and _solves(job, model)
    try:
        if fits:
            fit_head(job, model)
        learner = learn_head(job, model) if job.config.transfer.on_features else WholeModel(job, model)
        session = Session(learner, learner.make_optimizer(), Counters(), started=time.monotonic())
        if fits:
            scores, _ = _evaluate(job, session, epoch=0)  # it is kept until an epoch is better
            say(f"head      validation accuracy {scores['val_accuracy']:.1%} before the rest is trained")
    except KeyboardInterrupt:
        raise Interrupted(job.run) from None  # features that are computed are kept, and a head is quickly fitted anew
    session.started = time.monotonic()
    session.looking_seconds = session.started - before
    if fits:
        session.counters.fitting_seconds = session.looking_seconds
    return session


def _run(job: Job, session: Session) -> Run:
    schedule, counters = job.config.schedule, session.counters
    length = Length(
        steps=job.steps,
        seconds=None if schedule.minutes is None else max(0.0, schedule.minutes * 60 - counters.fitting_seconds),
    )
    with TrainProgress() as display, interrupt_flag() as interrupted:
        save_session(job, session)
        while counters.pictures > 0 or (progress_of(job, session, length) < 1 and not _has_stalled(job, counters)):
            _train_epoch(job, session, length, display=display, interrupted=interrupted)
            _finish_epoch(job, session, length, display=display)
        if counters.log and counters.log[-1]["val_accuracy"] is None:  # the time was up just after it was not yet
            _validate(job, session, counters.log[-1], display=display)
            job.run.write_log(counters.log)
        save_session(job, session)
    if not counters.log:
        _end_without_epoch(job, session)
    session.learner.finish()
    if _has_stalled(job, counters):
        say(f"stopped   no better validation in the last {schedule.patience} (--patience)")
    say(
        f"done      {counters.epoch} epochs, {counters.step} steps in "
        f"{clock(session.seconds + counters.fitting_seconds)}; "
        f"{KEPT[job.config.schedule.best_by]} {counters.best_accuracy:.1%} "
        f"({f'epoch {counters.best_epoch}' if counters.best_epoch else 'the solved head, before epoch 1'})"
    )
    return job.run


def _end_without_epoch(job: Job, session: Session) -> None:
    """The time was up before the first epoch: a head that was fitted before it is kept, else it is an error."""
    counters, minutes = session.counters, job.config.schedule.minutes
    assert minutes is not None
    if counters.best_epoch == 0:
        job.run.write_log([])
        spent = clock(counters.fitting_seconds)
        say(f"note      solving the head took {spent} of --minutes {minutes:g}; no time was left to train the rest")
        return
    if counters.step == 0:
        shutil.rmtree(job.run.path)  # nothing was learnt
    raise TrainingError(
        "enough time for one step",
        found=f"--minutes {minutes:g}",
        fix=f"Give at least --minutes {2 * session.seconds / 60:.1g}, preferably ten times that.",
    )


def _train_epoch(
    job: Job, session: Session, length: Length, *, display: TrainProgress, interrupted: threading.Event
) -> None:
    """The steps of an epoch that are still to do, or as many as the time allows."""
    config, counters = job.config, session.counters
    learner, optimizer = session.learner, session.optimizer
    learner.set_training()
    class_weights = weigh_classes(job)
    follower = Follower(learner.average, learner.trained)
    order = job.epoch_order(counters.epoch)

    asked_for_pictures = time.monotonic()
    for batch in learner.batches(order, epoch=counters.epoch, first=counters.batch):
        progress = progress_of(job, session, length)
        if progress >= 1:
            break
        set_lr(optimizer, lr_of(job, counters, progress))
        seed_draws(step_seed(config.seed, counters.step), job.plan.device)  # for dropout
        inputs, targets = learner.prepare_batch(batch, epoch=counters.epoch, step=counters.step, progress=progress)
        have_pictures = time.monotonic()

        outputs = learner.outputs(inputs)
        loss = take_step(job, optimizer, outputs, targets, class_weights=class_weights, number=counters.step + 1)
        follower.follow(decay=config.optimization.ema_decay, step=counters.step)

        mostly = max(targets, key=lambda target: target[1])[0]  # the label that most of each picture has
        count_step(counters, mostly, loss=loss, logits=outputs[0][0])
        done = time.monotonic()
        counters.waiting_seconds += have_pictures - asked_for_pictures
        counters.epoch_seconds += done - asked_for_pictures
        left = length.seconds_left(counters.step, seconds=session.seconds)
        display.step(row_of(job, session, progress), progress=progress, seconds_left=left)
        if interrupted.is_set():
            save_session(job, session)
            raise Interrupted(job.run)
        if done - session.last_saved >= config.machine.checkpoint_seconds:
            save_session(job, session)
        asked_for_pictures = time.monotonic()  # saying and saving are no waiting


def _finish_epoch(job: Job, session: Session, length: Length, *, display: TrainProgress) -> None:
    """Validate when it is due, keep the best, log, and turn to the next epoch."""
    counters = session.counters
    if counters.pictures == 0:  # the time was up before the first step
        return
    progress = progress_of(job, session, length)
    row = row_of(job, session, progress) | {"val_loss": None, "val_accuracy": None}
    since = session.seconds - counters.validated_at_seconds
    due = length.steps is not None or counters.validation_seconds <= VALIDATION_SHARE * since
    if due or progress >= 1:
        _validate(job, session, row, display=display)
    counters.log.append(row)
    job.run.write_log(counters.log)
    counters.epoch += 1
    counters.start_epoch()


def _validate(job: Job, session: Session, row: dict[str, Any], *, display: TrainProgress) -> None:
    """Judge an epoch's weights, fill in its row of the log and show it."""
    scores, best = _evaluate(job, session, epoch=row["epoch"])
    session.counters.validated_at_seconds = session.seconds
    row.update(scores)
    display.epoch(row, best=best)


def _evaluate(job: Job, session: Session, *, epoch: int) -> tuple[dict[str, float], bool]:
    """Validate after an epoch, or before the first (0); the scores, and whether its weights are now those kept."""
    counters = session.counters
    before = time.monotonic()
    rows, logits = session.learner.validate()
    scores = evaluate(job, rows, logits)
    counters.validation_seconds = time.monotonic() - before
    best = _is_best(counters, scores, best_by=job.config.schedule.best_by)
    if best:
        counters.best_accuracy, counters.best_loss = scores["val_accuracy"], scores["val_loss"]
        counters.best_epoch = epoch
        session.learner.keep_best()
        save_predictions(job, rows, logits)
    return scores, best


def _has_stalled(job: Job, counters: Counters) -> bool:
    """Whether as many validations as `--patience` says brought nothing better than the epoch that is kept."""
    patience = job.config.schedule.patience
    since = counters.log[counters.best_epoch :]  # a row for each epoch, the first of which is 1
    return patience is not None and sum(row["val_accuracy"] is not None for row in since) >= patience


def _is_best(counters: Counters, scores: dict[str, float], *, best_by: str) -> bool:
    """Whether an epoch is to be kept before those until now; of equals the later one."""
    if best_by == "accuracy":
        return scores["val_accuracy"] >= counters.best_accuracy
    return best_by == "last" or counters.best_loss is None or scores["val_loss"] <= counters.best_loss
