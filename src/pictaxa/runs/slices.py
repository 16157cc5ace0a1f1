"""slices.json: how accurate a run is on parts of its validation pictures: dark ones, those of one camera, and so on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import RunError
from .derived import changed_since, find_derived, keep_derived, tell_made_again
from .folder import Run
from .names import SLICES
from .typed import damaged, read_json, typed


@dataclass(frozen=True)
class Slice:
    """Some of the pictures that have something in common."""

    by: str  # brightness, sharpness, size, aspect, folder, group, camera or month
    name: str  # which of them, such as "12% to 31%"
    pictures: int
    right: int
    low: float  # of the accuracy, 95%
    high: float
    p_value: float  # Fisher's exact test against all other pictures
    p_holm: float  # corrected for the number of slices

    @property
    def accuracy(self) -> float:
        """The share of its pictures that were classified correctly, from 0 to 1."""
        return self.right / self.pictures


@dataclass(frozen=True)
class Slices:
    """The slices of judged pictures; judge/slices.py finds them."""

    made_from: dict[str, str]  # SHA-256 of the files that they rest on; of other pictures than the run's own none
    pictures: int
    right: int
    slices: tuple[Slice, ...]  # the least accurate first
    notes: tuple[str, ...]  # what could not be looked at, and why

    @property
    def worst(self) -> Slice | None:
        """The one with the least accuracy; None where no slice has enough pictures."""
        return self.slices[0] if self.slices else None


def read_slices(run: Run) -> Slices | None:
    """Read what is kept of a run's slices.

    Args:
        run: the run.

    Returns:
        The Slices; None where there are none, or some that are not of this run as it is now, which is said.

    Example:
        slices = read_slices(open_run("runs/photos-resnet18-1"))
    """
    path = find_derived(run, SLICES)
    try:
        slices = None if path is None else _read(path)
    except RunError:  # torn, or of another version
        slices = None
    changed = [] if slices is None else changed_since(run, slices.made_from)
    if slices is not None and not changed:
        return slices
    tell_made_again(run, SLICES, changed=changed)
    return None


def keep_slices(run: Run, slices: Slices) -> bool:
    """Write slices into their run.

    Args:
        run: the run.
        slices: what was found.

    Returns:
        Whether they are kept; a folder that can't be written to is no fault.
    """
    text = json.dumps(asdict(slices), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return keep_derived(run, SLICES, lambda path: path.write_bytes(text.encode()))


def _read(path: Path) -> Slices:
    slices: Slices = typed(read_json(path), Slices, path=path)
    for right, pictures in ((slices.right, slices.pictures), *((one.right, one.pictures) for one in slices.slices)):
        if not 0 <= right <= pictures or not 1 <= pictures <= slices.pictures:
            raise damaged(path, f"slices of one picture or more in {SLICES}", f"{right} right of {pictures}")
    shares = [share for one in slices.slices for share in (one.low, one.high, one.p_value, one.p_holm)]
    if not all(0 <= share <= 1 for share in shares):
        raise damaged(path, f"shares from 0 to 1 in {SLICES}", "others")
    accuracies = [one.accuracy for one in slices.slices]
    if accuracies != sorted(accuracies):
        raise damaged(path, f"the least accurate slice first in {SLICES}", "another order")
    return slices
