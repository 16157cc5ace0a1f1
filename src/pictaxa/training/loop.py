"""The training loop, once, in order."""

from __future__ import annotations

import math
import shutil
import threading
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from ..config.training import TrainConfig
from ..config.usual import resolved
from ..errors import TrainingError
from ..inference.loading import load
from ..models.contract import Classifier
from ..reporting.boards import following, require_boards
from ..runs.folder import Run, open_run
from ..runs.manifest import remove_manifest, write_manifest
from ..runs.places import new_run, next_run, require_begun
from ..runs.writer import only_writer
from ..system.progress import TrainProgress, clock, say, silence
from .averaging import Follower
from .checkpoint import Counters, load_state, save_backbone
from .fitting import can_solve, fit_head
from .interrupts import Interrupted, interrupt_flag
from .job import Job, diverged, machine_errors_told
from .learner import HeadAlone, WholeModel, write_result
from .loss import weigh_classes
from .resuming import first_weights, require_unfinished, restore_results, tell_lost_results
from .schedule import Length
from .session import Session, count_step, has_stalled, judge_weights, lr_of, progress_of, row_of, save_session
from .setup import prepare, prepare_again, setup
from .sharing import begin_threads, keep_threads
from .step import StepRules, take_step

VALIDATION_SHARE = 0.04  # of the time that a training by minutes may spend on validating
KEPT = {  # which epoch, in the words of the last line
    "accuracy": "best validation accuracy",
    "loss": "validation accuracy at the least loss",
    "last": "last validation accuracy",
}


def train_run(config: TrainConfig, *, started: float | None = None, told: bool = False) -> Run:
    """Train from the start.

    Args:
        config: the pictures, and whatever is asked for beside them; the rest is chosen by what the pictures are.
        started: time.monotonic() from when on `--minutes` count, by default now. Preparing counts, but for decoding
            pictures into the cache, which happens once for a data set.
        told: whether what there is to say of the pictures and the start was said before, of another fold.

    Returns:
        The run, with the weights of its best epoch and what they say of the validation pictures.

    Raises:
        ConfigError, DataError, WeightsError: what was asked for can't be; told before a run folder is made.
        TrainingError: the numbers are no longer finite, or there was no time for a step.
        MachineError: the disk is full, or there is too little memory.
        Interrupted: by Ctrl-C; `resume_run` goes on.

    Example:
        run = train_run(TrainConfig(data=Path("photos")))
        print(run.metrics["accuracy"])
    """
    started = time.monotonic() if started is None else started
    require_boards(config)
    with ExitStack() as held:
        # Told before anything is read, where a place was given; else it is named after what is read.
        run = None if config.out is None else held.enter_context(new_run(config.out))
        with silence() if told else nullcontext():
            start = setup(config)
            run = run or held.enter_context(next_run(start.config.data, start.config.model))
            job, model = prepare(start, run)
        with machine_errors_told(job), job.plan.watch:
            return _sealed(_begin(job, model, started))


def resume_run(path: Path) -> Run:
    """Go on from the newest saved state; a training by epochs ends with the weights it would have had.

    Args:
        path: folder of a run that was cut off; of one that has ended nothing changes.

    Returns:
        The run, as `train_run` does.

    Raises:
        RunError: the folder is no run, or has no state that is whole, or another process trains in it.
        DataError: its pictures have changed since.
        TrainingError, MachineError, Interrupted: as `train_run` does.

    Example:
        run = resume_run(Path("runs/photos-resnet18-1"))
    """
    started = time.monotonic()
    require_begun(path)
    with only_writer(open_run(path).path):
        job = prepare_again(path)
        with machine_errors_told(job), job.plan.watch:
            model = first_weights(job)
            if job.run.states("step-*"):
                run = _run(job, _resume(job, model))
                load(run.path, device="cpu")  # its best weights may be of a session long ago
                return _sealed(run)
            require_unfinished(job)
            say("resume    from the beginning: it was cut off before its first checkpoint")
            remove_manifest(job.run.path)
            return _sealed(_begin(job, model, started))


def _sealed(run: Run) -> Run:
    """A run that is finished, with the list of its files."""
    write_manifest(run.path)
    return run


def _begin(job: Job, model: Classifier, started: float) -> Run:
    """Train from the first step on, or only solve the head on vectors of the frozen backbone."""
    if job.config.transfer.knows:
        save_backbone(job.run.backbone_path, model)
    if job.config.transfer.on_features and _solves(job, model):
        return _solve_alone(job, model, started)
    return _run(job, _start(job, model, started + job.decode_seconds, fits=_solves(job, model)))


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
    """A training as its newest saved state has it."""
    session = _start(job, model, 0.0, fits=False)
    counters = load_state(
        job.run.state_path, model=session.learner.trained, average=session.learner.average, optimizer=session.optimizer
    )
    say(f"resume    after step {counters.step}, epoch {counters.epoch + 1}, {clock(counters.seconds)} trained")
    session.counters, session.started = counters, time.monotonic() - counters.seconds
    tell_lost_results(job.run)
    remove_manifest(job.run.path)  # it is of what was there until now
    restore_results(job, session)
    return session


def _start(job: Job, model: Classifier, started: float, *, fits: bool) -> Session:
    """A training before its first step; what a frozen backbone makes of the pictures is computed here.

    That counts for --minutes only where a head is fitted before all of the model is trained: features are computed
    once for a backbone and its pictures, as pixels are decoded once.
    """
    before = time.monotonic()
    try:
        if fits:
            fit_head(job, model)
        learner = HeadAlone(job, model) if job.config.transfer.on_features else WholeModel(job, model)
        session = Session(learner, learner.make_optimizer(), Counters(), started=started)
        if fits:
            scores, _ = judge_weights(job, session, epoch=0)  # it is kept until an epoch is better
            say(f"head      validation accuracy {scores['val_accuracy']:.1%} before the rest is trained")
    except KeyboardInterrupt:
        raise Interrupted(job.run) from None  # features that are computed are kept, and a head is quickly fitted anew
    looking_seconds = time.monotonic() - before
    session.started += looking_seconds
    if fits:
        session.counters.fitting_seconds = looking_seconds
    return session


def _run(job: Job, session: Session) -> Run:
    schedule, counters = job.config.schedule, session.counters
    length = Length(
        steps=job.steps,
        seconds=None if schedule.minutes is None else max(0.0, schedule.minutes * 60 - counters.fitting_seconds),
    )
    begin_threads(job, session)
    told = following(job.run, job.config, told=len(counters.log))
    with TrainProgress() as display, interrupt_flag() as interrupted, told as tell_boards:
        save_session(job, session)
        while counters.pictures > 0 or (progress_of(job, session, length) < 1 and not has_stalled(job, counters)):
            _train_epoch(job, session, length, display=display, interrupted=interrupted)
            _finish_epoch(job, session, length, display=display)
            tell_boards(counters.log)
        if counters.log and counters.log[-1]["val_accuracy"] is None:  # the time was up just after it was not yet
            _validate(job, session, counters.log[-1], display=display)
            job.run.write_log(counters.log)
            tell_boards(counters.log)
        save_session(job, session)
    if not counters.log:
        _end_without_epoch(job, session)
    session.learner.finish()
    if has_stalled(job, counters):
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
        shutil.rmtree(job.run.path, ignore_errors=True)  # nothing was learnt
    raise TrainingError(
        "enough time for one step",
        found=f"--minutes {minutes:g}",
        fix=f"Give at least --minutes {2 * session.seconds / 60:.1g}, preferably ten times that.",
    )


def _train_epoch(
    job: Job, session: Session, length: Length, *, display: TrainProgress, interrupted: threading.Event
) -> None:
    """The steps of an epoch that are still to do, or as many as the time allows."""
    config, counters, learner = job.config, session.counters, session.learner
    learner.set_training()
    optimization = config.optimization
    rules = StepRules(
        config.seed, job.plan.device, class_weights=weigh_classes(job),
        label_smoothing=resolved(optimization.label_smoothing), clip_grad_norm=optimization.clip_grad_norm,
    )  # fmt: skip
    follower = Follower(learner.average, learner.trained)
    order = job.epoch_order(counters.epoch)

    asked_for_pictures = time.monotonic()
    for batch in learner.batches(order, epoch=counters.epoch, first=counters.batch):
        progress = progress_of(job, session, length)
        if progress >= 1:
            break
        keep_threads(job, session)
        inputs, targets = learner.prepare_batch(batch, epoch=counters.epoch, step=counters.step, progress=progress)
        have_pictures = time.monotonic()

        loss, logits = take_step(
            learner.outputs, session.optimizer, inputs=inputs, targets=targets, lr=lr_of(job, counters, progress),
            number=counters.step, rules=rules,
        )  # fmt: skip
        if not math.isfinite(loss):
            raise diverged(job, found=f"loss {loss} at step {counters.step + 1}")
        follower.follow(decay=optimization.ema_decay, step=counters.step)

        mostly = max(targets, key=lambda target: target[1])[0]  # the label that most of each picture has
        count_step(counters, mostly, loss=loss, logits=logits)
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
    scores, best = judge_weights(job, session, epoch=row["epoch"])
    session.counters.validated_at_seconds = session.seconds
    row.update(scores)
    display.epoch(row, best=best)
