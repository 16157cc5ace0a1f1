"""judgement.json: what the validation pictures say of a run's probabilities, and how predictions are to use them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import RunError
from .derived import find_derived, keep_derived, still_true, tell_made_again
from .folder import Run
from .names import JUDGEMENT
from .typed import damaged, read_json, typed

COLDEST, HOTTEST = 0.05, 20.0  # temperatures; beyond them probabilities are all but certain, or all but equal


@dataclass(frozen=True)
class Judgement:
    """What was found on the validation pictures of a run; judge/judging.py makes it."""

    made_from: dict[str, str]  # SHA-256 of the files that it rests on
    pictures: int
    units: int  # groups and pictures by themselves; pictures of a unit are never on both sides of a fold
    chose_epoch: bool  # whether the same pictures also chose the epoch that is kept
    temperature: float  # calibrated probabilities are softmax(log p / temperature)


def read_judgement(run: Run) -> Judgement | None:
    """Read what is kept of a run's judgement.

    Args:
        run: the run.

    Returns:
        The Judgement; None where there is none, or one that is not of this run as it is now, which is said.

    Example:
        judgement = read_judgement(open_run("runs/photos-resnet18-1"))
    """
    path = find_derived(run, JUDGEMENT)
    try:
        judgement = None if path is None else _read(path)
    except RunError:  # torn, or of another version
        judgement = None
    if judgement is not None and still_true(run, judgement.made_from):
        return judgement
    tell_made_again(run, JUDGEMENT)
    return None


def keep_judgement(run: Run, judgement: Judgement) -> bool:
    """Write a judgement into its run.

    Args:
        run: the run.
        judgement: what was found.

    Returns:
        Whether it is kept; a folder that can't be written to is no fault.
    """
    text = json.dumps(asdict(judgement), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return keep_derived(run, JUDGEMENT, lambda path: path.write_bytes(text.encode()))


def _read(path: Path) -> Judgement:
    judgement: Judgement = typed(read_json(path), Judgement, path=path)
    if not COLDEST <= judgement.temperature <= HOTTEST:
        raise damaged(path, f"a temperature of {COLDEST:g} to {HOTTEST:g} in {JUDGEMENT}", f"{judgement.temperature:g}")
    if judgement.pictures < 1 or not 1 <= judgement.units <= judgement.pictures:
        raise damaged(path, f"pictures in {JUDGEMENT}", f"{judgement.pictures} in {judgement.units} units")
    return judgement
