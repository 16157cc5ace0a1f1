"""What a training goes on from: the weights that it began with, and what it had kept until it was cut off."""

from __future__ import annotations

from ..errors import RunError, as_word
from ..models.contract import Classifier
from ..runs.folder import Run
from ..runs.manifest import read_manifest
from ..runs.names import RESULTS
from ..system.progress import say
from ..weights.files import load_model_weights, load_tensors
from .checkpoint import has_state
from .job import Job
from .session import Session, judge_weights
from .transfer import start_from_weights


def first_weights(job: Job) -> Classifier:
    """Make the model as its training began, on its device.

    Args:
        job: of a run that goes on.

    Returns:
        The model: with the weights that the run keeps of its backbone, or again with those of `--weights`.

    Raises:
        RunError: the run was saved beside a backbone that it lacks now.
        WeightsError: `--weights` is no longer what it was, and nothing was saved of the run.
    """
    model = job.fresh_model()
    backbone, transfer = job.run.backbone_path, job.config.transfer
    if backbone.exists():
        load_model_weights(model, job.run.existing_state(backbone))
    elif not has_state(job.run.state_path):
        start_from_weights(model, transfer, job.index.classes)
    elif transfer.on_features:  # its states have the head alone
        raise RunError(
            "the backbone's weights beside the saved states", found=f"none at {str(backbone)!r}", fix=_anew(job)
        )
    return model


def require_unfinished(job: Job) -> None:
    """RunError for a run without a saved state that was trained all the same; beginning again would replace it."""
    if job.run.log_path.exists() and job.run.log_rows():  # a head that is solved has no epochs, and no states
        raise RunError(
            "saved states to go on from", found=f"none in {str(job.run.state_path)!r}, of a training that had begun",
            fix=_anew(job),
        )  # fmt: skip


def tell_lost_results(run: Run) -> None:
    """Say which results of a finished run are lost, as they are about to be made again.

    Args:
        run: the run, with its manifest if it was finished.
    """
    listed = read_manifest(run.path) or {}
    lost = [name for name in RESULTS if name in listed and not (run.path / name).exists()]
    if lost:
        say(f"note      {', '.join(lost)}: lost since the training ended; made again from the newest checkpoint")


def restore_results(job: Job, session: Session) -> None:
    """Where the best weights until now are lost, keep those of the saved state, and say so; a lost log is written anew.

    Where the state is in the middle of an epoch, the next validation keeps weights.
    """
    counters, learner = session.counters, session.learner
    if not job.run.log_path.exists() and counters.log:
        job.run.write_log(counters.log)
    if counters.best_epoch < 0:
        return
    try:
        load_tensors(learner.best_path)
        return
    except RunError:
        lost = counters.best_epoch
    counters.best_accuracy, counters.best_loss, counters.best_epoch = -1.0, None, -1
    if counters.pictures == 0:
        judge_weights(job, session, epoch=counters.epoch)
    if counters.best_epoch != lost:
        say(
            f"note      the weights of epoch {lost}, which were the best, are no longer in {learner.best_path}; "
            f"the best from step {counters.step} on are kept instead. {_anew(job)}"
        )


def _anew(job: Job) -> str:
    return f"To train it all again: pictaxa train --config {as_word(job.run.path / 'config.json')}"
