"""What a training decided before its first step, as config.json keeps it under `chosen`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import RunError


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
    machine: dict[str, Any] = field(default_factory=dict)  # device, precision, memory_format, threads, reason


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
    asked, chosen = document.get("asked"), document.get("chosen")
    if not isinstance(asked, dict) or not isinstance(chosen, dict):
        raise _damaged(where, "no `asked` and `chosen` with settings")
    known = {name: chosen[name] for name in Chosen.__dataclass_fields__ if name in chosen}
    known.setdefault("root", asked.get("data"))
    known.setdefault("new_head", True)
    kinds: dict[str, type | tuple[type, ...]] = {
        "model": str, "model_options": list, "root": str, "size": int, "peak_lr": (int, float), "new_head": bool,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(known.get(name), kind):
            raise _damaged(where, f"{name} = {known.get(name)!r}")
    for name in ("model_options", "notes"):
        known[name] = tuple(map(str, known.get(name, ())))
    return Chosen(**known)


def _damaged(where: str, found: str) -> RunError:
    return RunError(f"what was chosen for the training in {where}", found=found, fix="Restore the file.")
