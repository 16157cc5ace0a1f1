"""heatmaps.npz: low-resolution heat maps of some validation pictures, so that a page can show them without torch.

A map covers what the network saw of a picture, which may be less than the picture (a crop of its middle) or more (black
borders around it): its box says where that is, in parts of the upright picture's width and height.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import RunError
from .contents import read_arrays
from .derived import changed_since, digests, find_derived, keep_derived, tell_made_again
from .folder import Run
from .names import CONFIG, HEATMAPS, INDEX, MODEL, PICTURES
from .typed import damaged, typed

MADE_FROM = (MODEL, INDEX, CONFIG, PICTURES)
KINDS: dict[str, type[np.generic]] = {
    "rows": np.int64, "labels": np.int64, "maps": np.float16, "boxes": np.float32, "about": np.uint8,
}  # fmt: skip


@dataclass(frozen=True)
class HeatMaps:
    """Heat maps of a run's validation pictures, each of a picture and a class.

    Args:
        method: how they were made, such as "grad-cam".
        made_from: SHA-256 of the files that they rest on.
        rows: (n,) int64, of the run's index.
        labels: (n,) int64, the class that a map explains, by its place in the run's classes.
        maps: (n, h, w) float16 in [0, 1], the largest value of each 1, or 0 where nothing speaks for the class.
        boxes: (n, 4) float32: left, top, right and bottom of a map, in parts of the upright picture; below 0 and above
            1 where the map reaches beyond it.
    """

    method: str
    made_from: dict[str, str]
    rows: np.ndarray
    labels: np.ndarray
    maps: np.ndarray
    boxes: np.ndarray

    @cached_property
    def _places(self) -> dict[tuple[int, int], int]:
        return {(int(row), int(label)): i for i, (row, label) in enumerate(zip(self.rows, self.labels, strict=True))}

    def find(self, row: int, label: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Find the map of a picture for a class.

        Args:
            row: of the run's index.
            label: the class.

        Returns:
            The map, (h, w) float16 in [0, 1], and its box, (4,) float32; None where there is none.
        """
        place = self._places.get((int(row), int(label)))
        return None if place is None else (self.maps[place], self.boxes[place])

    def has(self, rows: np.ndarray, labels: np.ndarray) -> bool:
        """Whether there is a map of each of these pictures for its class."""
        return all(self.find(row, label) is not None for row, label in zip(rows, labels, strict=True))


def read_heatmaps(run: Run) -> HeatMaps | None:
    """Read the heat maps that a run keeps.

    Args:
        run: the run.

    Returns:
        The HeatMaps; None where there are none, or some that are not of this run as it is now, which is said.

    Example:
        heatmaps = read_heatmaps(open_run("runs/photos-resnet18-1"))
    """
    path = find_derived(run, HEATMAPS)
    try:
        found = None if path is None else _read(path, classes=len(run.classes))
    except RunError:  # torn, or of another version
        found = None
    changed = [] if found is None else changed_since(run, found.made_from)
    if found is not None and not changed:
        return found
    tell_made_again(run, HEATMAPS, changed=changed)
    return None


def keep_heatmaps(run: Run, heatmaps: HeatMaps) -> bool:
    """Write heat maps into their run.

    Args:
        run: the run.
        heatmaps: what was computed.

    Returns:
        Whether they are kept; a folder that can't be written to is no fault.
    """
    about = json.dumps({"method": heatmaps.method, "made_from": heatmaps.made_from}).encode()

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(
                file, rows=heatmaps.rows, labels=heatmaps.labels, maps=heatmaps.maps, boxes=heatmaps.boxes,
                about=np.frombuffer(about, dtype=np.uint8),
            )  # fmt: skip

    return keep_derived(run, HEATMAPS, write)


def made_from(run: Run) -> dict[str, str]:
    """SHA-256 of the files of a run on which its heat maps rest."""
    return digests(run, MADE_FROM)


@dataclass(frozen=True)
class _About:
    method: str
    made_from: dict[str, str]


def _read(path: Path, *, classes: int) -> HeatMaps:
    arrays = read_arrays(path, KINDS)
    about = arrays.pop("about")
    try:
        document = json.loads(about.tobytes().decode())
    except ValueError as error:
        raise damaged(path, f"how the maps in {HEATMAPS} were made", str(error)) from None
    told: _About = typed(document, _About, path=path)
    rows, labels, maps, boxes = (arrays[name] for name in ("rows", "labels", "maps", "boxes"))
    count = len(rows) if rows.ndim == 1 else -1
    if maps.ndim != 3 or 0 in maps.shape[1:] or len(maps) != count or labels.shape != (count,):
        raise damaged(
            path, f"a row, a class and a map each in {HEATMAPS}", f"{rows.shape}, {labels.shape}, {maps.shape}"
        )
    if boxes.shape != (count, 4) or (boxes[:, :2] >= boxes[:, 2:]).any():
        raise damaged(path, f"a box of each map in {HEATMAPS}", f"shape {boxes.shape}")
    if count and (maps.min() < 0 or maps.max() > 1 or labels.min() < 0 or labels.max() >= classes):
        raise damaged(path, f"maps from 0 to 1 of {classes} classes in {HEATMAPS}", "others")
    return HeatMaps(told.method, told.made_from, **arrays)
