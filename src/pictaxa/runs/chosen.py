"""What a training decided before its first step, as config.json keeps it under `chosen`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .typed import damaged, typed


@dataclass(frozen=True)
class Chosen:
    """The decisions that reading a run again depends on, and those that only people read."""

    model: str  # name of the zoo
    model_options: tuple[str, ...]  # such as dropout=0.3
    root: str  # folder that the pictures' paths begin at
    size: int  # side of the pictures in training, pixels
    peak_lr: float
    new_head: bool  # whether the weights that it started from lacked its head
    steps: int | None = None  # in all; None where time decided
    steps_per_epoch: int = 0
    train_pictures: int = 0
    val_pictures: int = 0
    notes: tuple[str, ...] = ()  # what the reader of the pictures passed over
    findings: tuple[str, ...] | None = None  # what the look before the training found; None of runs that keep nothing
    machine: dict[str, str | int] = field(default_factory=dict)  # device, precision, memory_format, threads, reason


def read_chosen(document: dict[str, Any], *, where: str) -> Chosen:
    """Read what was chosen from a config.json; runs of earlier versions lack `root` and `new_head`.

    Args:
        document: the whole config.json.
        where: its path, for errors.

    Returns:
        The Chosen.

    Raises:
        RunError: something of it is missing or of another kind.
    """
    path, expected = Path(where), f"what was chosen for the training in {where}"
    if not isinstance(document.get("asked"), dict) or not isinstance(document.get("chosen"), dict):
        raise damaged(path, expected, "no `asked` and `chosen` with settings")
    known = {"root": document["asked"].get("data"), "new_head": True} | document["chosen"]
    chosen: Chosen = typed(known, Chosen, path=path, expected=expected, passes_over=True)
    if chosen.size < 1 or chosen.peak_lr < 0:
        raise damaged(path, expected, f"size = {chosen.size}, peak_lr = {chosen.peak_lr:g}")
    return chosen
