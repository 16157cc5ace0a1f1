"""session.py: how far a training is, its figures, which epoch is kept, and when its numbers are no longer finite."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pictaxa.config.by_name import with_words
from pictaxa.config.learning import OptimizerConfig
from pictaxa.config.training import TrainConfig
from pictaxa.errors import TrainingError
from pictaxa.runs.folder import Run
from pictaxa.training import session as module
from pictaxa.training.averaging import start_average
from pictaxa.training.checkpoint import Counters, load_state
from pictaxa.training.job import diverged
from pictaxa.training.optimizer import make_optimizer
from pictaxa.training.schedule import Length
from pictaxa.training.session import (
    FINISH_SECONDS,
    Session,
    count_step,
    has_stalled,
    judge_weights,
    lr_of,
    progress_of,
    row_of,
    save_session,
)


def a_job(tmp_path: Path, *, judged: int = 10, passes: int = 1, **settings: object) -> Any:
    """As much of a Job as these functions read; its usual rate is 0.15."""
    usual = {"model": "lenet5", "weights": "none", "warmup": 0.0, "epochs": 9}
    config = with_words(TrainConfig(data=tmp_path), usual | settings).resolved()
    index = SimpleNamespace(labels=np.array([0, 1, 1, 0]), classes=("ant", "bee"))
    return SimpleNamespace(
        config=config, peak_lr=0.2, judged_rows=range(judged), geometry=SimpleNamespace(passes=passes),
        run=Run(tmp_path), index=index, size_at=lambda progress: 64 if progress < 0.5 else 128,
    )  # fmt: skip


def a_session(counters: Counters, *, seconds: float = 0.0) -> Session:
    """A training of one dense layer that has gone on for so long."""
    layer = nn.Linear(3, 2)
    learner: Any = SimpleNamespace(trained=layer, average=start_average(layer))
    optimizer = make_optimizer(layer, OptimizerConfig(optimizer="sgd", weight_decay=0.0))
    return Session(learner, optimizer, counters, started=time.monotonic() - seconds)


def test_time_for_the_last_validation_is_set_aside(tmp_path: Path):
    """100 s, of which 20 s are over: what writing and the last validation take belongs to the end."""
    job, length = a_job(tmp_path, judged=50, passes=2), Length(steps=None, seconds=100.0)
    validated = a_session(Counters(validation_seconds=10.0, pictures=40, epoch_seconds=8.0), seconds=20.0)
    assert progress_of(job, validated, length) == pytest.approx(20 / (90 - FINISH_SECONDS), rel=1e-3)
    # Not yet validated: 40 pictures took 8 s of training, so 50 that are looked at twice may take 20 s.
    trained = a_session(Counters(pictures=40, epoch_seconds=8.0), seconds=20.0)
    assert progress_of(job, trained, length) == pytest.approx(20 / (80 - FINISH_SECONDS), rel=1e-3)
    new = a_session(Counters(), seconds=20.0)
    assert progress_of(job, new, length) == pytest.approx(20 / (100 - FINISH_SECONDS), rel=1e-3)
    assert progress_of(job, a_session(Counters(step=3), seconds=20.0), Length(steps=12, seconds=None)) == 0.25


def test_steps_are_added_up():
    """Loss by pictures, not by batches; right is what the logits before the step had right."""
    counters = Counters(step=5)
    count_step(counters, torch.tensor([0, 1, 1]), loss=2.0, logits=torch.tensor([[2.0, 1], [2, 1], [0, 1]]))
    count_step(counters, torch.tensor([1]), loss=1.0, logits=torch.tensor([[0.0, 3]]))
    assert (counters.loss_sum, counters.right, counters.pictures) == (7.0, 3, 4)
    assert (counters.batch, counters.step) == (2, 7)


def test_a_row_of_the_log(tmp_path: Path):
    """Means over the epoch's pictures, epochs counted from 1, the rate and the size of the next step."""
    counters = Counters(
        epoch=2, step=9, loss_sum=7.0, right=3, pictures=4, epoch_seconds=2.0, waiting_seconds=0.5
    )  # fmt: skip
    job, session = a_job(tmp_path), a_session(counters, seconds=30.0)
    row = row_of(job, session, 0.5)
    assert row.pop("seconds") == pytest.approx(30, abs=1)
    assert row == {
        "epoch": 3, "step": 9, "lr": pytest.approx(0.1), "size": 128, "train_loss": 1.75, "train_accuracy": 0.75,
        "pictures_per_second": 2.0, "waiting_share": 0.25,
    }  # fmt: skip
    assert row_of(job, session, 0.25)["size"] == 64


def test_the_rate_counts_steps_and_epochs(tmp_path: Path):
    """A schedule by epochs asks for the epoch, one by steps for the step."""
    counters = Counters(epoch=5, step=30)
    assert lr_of(a_job(tmp_path, lr_schedule="every:2=0.5"), counters, 0.3) == pytest.approx(0.2 * 0.25)
    assert lr_of(a_job(tmp_path, lr_schedule="steps:0=1,30=0.1"), counters, 0.3) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("best_by", "scores", "kept"),
    [
        ("accuracy", [(0.5, 1.0), (0.6, 2.0), (0.6, 3.0), (0.5, 0.1)], 2),
        ("accuracy", [(0.5, 1.0), (0.5, 0.9), (0.5, 0.95)], 2),
        ("accuracy", [(0.5, 1.0), (0.5, 1.0)], 2),
        ("loss", [(0.5, 1.0), (0.4, 0.9), (0.9, 0.95)], 2),
        ("loss", [(0.5, 1.0), (0.5, 1.0)], 2),
        ("last", [(0.9, 0.1), (0.5, 1.0)], 2),
    ],
)
def test_which_epoch_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best_by: str, scores: list[tuple[float, float]], kept: int
):
    """The best; of equal accuracies the one of the smaller loss, of those equal in both the later one."""
    job, session, written = a_job(tmp_path, best_by=best_by), a_session(Counters()), []
    said = iter([{"val_accuracy": accuracy, "val_loss": loss} for accuracy, loss in scores])
    session.learner.validate = lambda: (np.arange(2), np.eye(2, dtype=np.float32))
    session.learner.keep_best = lambda: written.append(session.counters.best_epoch)
    monkeypatch.setattr(module, "evaluate", lambda *_: next(said))
    monkeypatch.setattr(module, "save_predictions", lambda *_: None)
    best = [judge_weights(job, session, epoch=epoch)[1] for epoch in range(1, len(scores) + 1)]
    counters = session.counters
    assert counters.best_epoch == kept == written[-1] and best[kept - 1] and not any(best[kept:])
    assert (counters.best_accuracy, counters.best_loss) == scores[kept - 1]


def one_answer_lines(job: Any, answers: list[list[int]], capsys: pytest.CaptureFixture[str], *, rows: int = 4) -> str:
    """What is said while a training answers so, one list for each validation."""
    session = a_session(Counters())
    session.learner.keep_best = lambda: None
    for epoch, said in enumerate(answers, start=1):
        logits = np.eye(2, dtype=np.float32)[said]
        session.learner.validate = lambda logits=logits: (np.arange(rows), logits)
        judge_weights(job, session, epoch=epoch)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("answers", "lines"),
    [
        ([[1, 1, 1, 1]], 0),
        ([[1, 1, 1, 1], [0, 0, 0, 0]], 1),
        ([[1, 1, 1, 1]] * 6, 1),
        ([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]], 0),
    ],
)
def test_one_answer_to_everything_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    answers: list[list[int]], lines: int,
):  # fmt: skip
    """At the second validation in a row, with the class and what to try; not where the pictures are of one class."""
    monkeypatch.setattr(module, "save_predictions", lambda *_: None)
    job = a_job(tmp_path)
    said = one_answer_lines(job, answers, capsys)
    assert said.count("note ") == said.count("\n") == lines
    if lines:
        assert repr(job.index.classes[answers[1][0]]) in said and "--lr 0.02 or --weights imagenet" in said
    known = a_job(tmp_path, weights="imagenet")
    assert "imagenet" not in one_answer_lines(known, answers, capsys)
    job.index.labels[:] = 1
    assert one_answer_lines(job, answers, capsys) == ""


def test_patience_counts_validations(tmp_path: Path):
    """So many since the epoch that is kept; epochs that were not validated don't count."""
    rows = [{"val_accuracy": accuracy} for accuracy in (0.5, 0.7, 0.6, None, 0.6)]
    job = a_job(tmp_path, patience=2, lr_schedule="constant")
    assert has_stalled(job, Counters(best_epoch=2, log=rows))
    assert not has_stalled(job, Counters(best_epoch=2, log=rows[:4]))
    assert not has_stalled(a_job(tmp_path), Counters(best_epoch=2, log=rows * 9))


@pytest.mark.parametrize("part", ["trained", "average"])
def test_a_state_that_is_not_finite_is_not_saved(tmp_path: Path, part: str):
    """The error says the step, the rate and what to try; the state before stays, with the seconds until then."""
    job, session = a_job(tmp_path), a_session(Counters(step=3), seconds=50.0)
    save_session(job, session)
    assert time.monotonic() - session.last_saved < 5
    session.counters.step = 4
    with torch.no_grad():
        getattr(session.learner, part).bias[1] = float("inf")
    with pytest.raises(TrainingError, match=r"not finite at step 4, at up to --lr 0.2\. Try --lr 0.067"):
        save_session(job, session)
    learner = session.learner
    loaded = load_state(tmp_path / "state", model=learner.trained, average=learner.average, optimizer=session.optimizer)
    assert loaded.step == 3 and loaded.seconds == pytest.approx(50, abs=2)


def test_what_is_left_of_a_training_that_ran_away(tmp_path: Path):
    """The peak rate is told; a state and weights that were kept are named, where there are any."""
    job, session = a_job(tmp_path), a_session(Counters())
    said = str(diverged(job, found="loss nan at step 1"))
    assert "loss nan at step 1, at up to --lr 0.2" in said and str(tmp_path) not in said
    assert "Try --lr 0.067," in said
    job.peak_lr = 1e9
    assert "Try --lr 0.15," in str(diverged(job, found="loss nan at step 1"))
    save_session(job, session)
    (tmp_path / "model.safetensors").write_bytes(b"")
    said = str(diverged(job, found="loss nan at step 1"))
    assert str(tmp_path / "state") in said and str(tmp_path / "model.safetensors") in said
