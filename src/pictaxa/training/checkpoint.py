"""Checkpoints: everything that a killed training needs to continue as if it had not been killed.

A state is one safetensors file: the model's weights, their average, the optimizer's tensors, and beside them the
counters as JSON. There is no generator state: every draw is a function of (seed, epoch, step, row).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import RunError, as_word
from ..runs.folder import Run
from ..runs.format_1 import log_row_of_1
from ..runs.log import LOG_COLUMNS
from ..runs.typed import damaged, typed
from ..system.files import make_folder
from ..system.progress import say
from ..weights.files import check_fit, load_tensors, read_notes, save_tensors
from .optimizer import Optimizer

KEPT = 2


@dataclass
class Counters:
    """Where a training is; plain numbers only."""

    epoch: int = 0
    batch: int = 0  # batches done in this epoch
    step: int = 0  # steps done in all
    seconds: float = 0.0  # trained for so long, over all sessions
    fitting_seconds: float = 0.0  # before that, of a head on the frozen backbone
    loss_sum: float = 0.0  # over the pictures of this epoch so far
    right: int = 0
    pictures: int = 0
    epoch_seconds: float = 0.0  # of training steps in this epoch
    waiting_seconds: float = 0.0  # of them, waiting for pictures
    best_accuracy: float = -1.0  # of the epoch that is kept
    best_loss: float | None = None  # likewise
    best_epoch: int = -1
    one_answer: int = 0  # validations in a row in which every picture got the same answer
    validated_at_seconds: float = 0.0
    validation_seconds: float = 0.0  # the last validation took so long
    threads: list[list[int]] = field(default_factory=list)  # [step, how many compute from this one on], changes only
    log: list[dict[str, Any]] = field(default_factory=list)

    def note_threads(self, threads: int) -> bool:
        """Keep how many threads compute the next step; whether they are others than before."""
        if self.threads and self.threads[-1][1] == threads:
            return False
        if self.threads and self.threads[-1][0] == self.step:  # no step was taken with those before
            self.threads.pop()
        self.threads.append([self.step, threads])
        return True

    def start_epoch(self) -> None:
        """Forget the sums of the epoch before."""
        self.batch = 0
        self.loss_sum, self.right, self.pictures = 0.0, 0, 0
        self.epoch_seconds, self.waiting_seconds = 0.0, 0.0


def save_state(folder: Path, counters: Counters, *, model: nn.Module, average: nn.Module, optimizer: Optimizer) -> Path:
    """Write a state in one step and drop all but the last two. What it leans on is on the disk before."""
    make_folder(folder)
    parts = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.tensors()}
    tensors = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
    path = folder / f"step-{counters.step:09d}.safetensors"
    save_tensors(tensors, path, notes={"counters": json.dumps(asdict(counters), allow_nan=False)})
    for old in sorted(folder.glob("step-*.safetensors"))[:-KEPT]:
        old.unlink()
    return path


def save_backbone(path: Path, model: nn.Module) -> None:
    """Write the weights that a training starts with, for one whose states hold no backbone."""
    make_folder(path.parent)
    save_tensors(model.state_dict(), path)


def has_state(folder: Path) -> bool:
    """Whether there is a checkpoint, complete or not."""
    return any(folder.glob("step-*.safetensors"))


def load_state(folder: Path, *, model: nn.Module, average: nn.Module, optimizer: Optimizer) -> Counters:
    """Fill model, average and optimizer from the newest whole state; RunError when there is none.

    A newer one that is damaged or changed is passed over, and said: the steps from the one before are done again.
    """
    run = Run(folder.parent)
    problems: list[str] = []
    paths = sorted(run.states("step-*"), reverse=True)
    for path in paths:
        if path.is_dir():
            raise RunError("a file", found=f"a folder at {str(path)!r}", fix="Remove it, and resume again.")
    for path in paths:
        own = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.tensors()}
        try:
            run.existing_state(path)
            counters, tensors = _read_counters(path), load_tensors(path)
            for part, values in own.items():
                check_fit(_part(tensors, part), values, path=path, finite=part != "optimizer")
        except RunError as error:
            problems.append(f"{path.name}: {error.found}")
            continue
        if problems:
            say(f"note      resuming from {path.name}, as a newer state can't be used: {problems[0]}")
        model.load_state_dict(_part(tensors, "model"))
        average.load_state_dict(_part(tensors, "average"))
        optimizer.load(_part(tensors, "optimizer"))
        return counters
    raise RunError(
        "a checkpoint to resume from",
        found=problems[0] if problems else f"none in {str(folder)!r}",
        fix=f"To train it all again: pictaxa train --config {as_word(folder.parent / 'config.json')}",
    )


def _read_counters(path: Path) -> Counters:
    try:
        document = json.loads(read_notes(path).get("counters", ""))
    except (ValueError, RecursionError) as error:
        raise damaged(path, "where the training was", str(error)) from None
    counters: Counters = typed(document, Counters, path=path, expected="where the training was")
    counters.log = [typed(log_row_of_1(row), dict[str, float | None], path=path) for row in counters.log]
    missing = [column for row in counters.log for column in LOG_COLUMNS if column not in row]
    if missing:
        raise damaged(path, "whole rows of the log", f"no {missing[0]}")
    return counters


def _part(tensors: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.partition(".")[0] == part}
