"""Slices: how accurate a run is on parts of the judged pictures, by what can be seen or is known of them.

Of many slices one is always the worst by chance. So each is compared with all other pictures by Fisher's exact test,
and the p-values are corrected for how many slices there are (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from ..data.fetching import Fetcher
from ..data.index import SPLITS, Index
from ..data.labels import clean_label
from ..errors import PictaxaError, PictureError
from ..images.decode import Square
from ..images.shot import HEAD, Shot, read_head, shot_of
from ..inference.own_pictures import own_squares
from ..inspection.quality import MIN_SIDE, measure_quality
from ..runs.derived import digests
from ..runs.folder import Run, open_run
from ..runs.names import INDEX, PREDICTIONS
from ..runs.records import read_index
from ..runs.slices import Slice, Slices, keep_slices, read_slices
from ..system.device import usable_cores
from .intervals import Units, proportion
from .paired import holm

MIN_PICTURES = 20  # of a slice: of fewer an accuracy says little
MAX_BINS = 5  # of a number
MAX_SHOTS = 20_000  # files whose EXIF is read
BLOCK = 32  # squares measured at a time
TOLD = 0.05  # corrected p-values below it are told as more than chance
SHOWN = 8  # slices in the text

WORDS: dict[str, Callable[[float], str]] = {  # how a number is written
    "brightness": lambda value: f"{value:.0%}",
    "sharpness": lambda value: f"{value:.2f}",
    "size": lambda value: f"{value:.0f} px",
    "aspect": lambda value: f"{value:.2f}",
}


class Measures:
    """Brightness, sharpness, size and aspect of squares, measured in blocks as they come."""

    def __init__(self) -> None:
        self.waiting: list[np.ndarray] = []
        self.brightness: list[np.ndarray] = []
        self.sharpness: list[np.ndarray] = []
        self.sides: list[tuple[int, int]] = []

    def add(self, square: Square) -> None:
        """Take one more."""
        self.sides.append((square.width, square.height))
        self.waiting.append(square.pixels)
        if len(self.waiting) == BLOCK:
            self._measure()

    def columns(self) -> dict[str, np.ndarray]:
        """(n,) of each that could be measured, in their order."""
        self._measure()
        widths, heights = np.array(self.sides, dtype=np.float64).reshape(-1, 2).T
        found = {"size": np.maximum(widths, heights), "aspect": widths / np.maximum(heights, 1)}
        if self.brightness:
            found["brightness"] = np.concatenate(self.brightness)
        if self.sharpness:
            found["sharpness"] = np.concatenate(self.sharpness)
        return found

    def _measure(self) -> None:
        if self.waiting:
            brightness, sharpness = _quality(np.stack(self.waiting))
            self.brightness.append(brightness)
            if sharpness is not None:
                self.sharpness.append(sharpness)
            self.waiting.clear()


def _quality(squares: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(n, S, S, C) uint8 -> brightness (n,), and sharpness where squares are large enough to show it."""
    quality = measure_quality(torch.from_numpy(squares))
    return quality.brightness, quality.sharpness if squares.shape[1] >= MIN_SIDE else None


def slices_of(path: str | Path) -> Slices:
    """The slices of a run's validation pictures: what is kept, or found now and kept where that is possible.

    Args:
        path: the run's folder.

    Returns:
        The Slices.

    Raises:
        RunError: the folder is not a run, has no validation predictions, or damaged ones.

    Example:
        worst = slices_of("runs/photos-resnet18-1").worst
    """
    run = open_run(path)
    slices = read_slices(run)
    if slices is None:
        slices = _slice_run(run)
        keep_slices(run, slices)
    return slices


def _slice_run(run: Run) -> Slices:
    from .judging import validated  # with scikit-learn, which takes a second to load

    predictions, units = validated(run)
    index, rows = read_index(run), predictions.rows
    right = predictions.predicted == predictions.labels
    columns, notes = _measured(run, index, rows)
    columns |= known_columns(index, rows, shots=_shots(index, rows, notes))
    return find_slices(columns, right, units, notes=notes, made_from=digests(run, (PREDICTIONS, INDEX)))


def _measured(run: Run, index: Index, rows: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """What can be measured of a run's own pictures, and what can't; NaN for a picture that is gone."""
    widths, heights = (index.column(name)[rows].astype(np.float64) for name in ("width", "height"))
    columns = {"size": np.maximum(widths, heights), "aspect": widths / np.maximum(heights, 1)}
    place = np.full(len(index), -1)
    place[rows] = np.arange(len(rows))
    brightness, sharpness = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    notes: list[str] = []
    try:
        for batch in own_squares(run, index, rows, threads=usable_cores()):
            for start in range(0, len(batch.rows), BLOCK):
                at = place[batch.rows[start : start + BLOCK]]
                light, sharp = _quality(np.ascontiguousarray(batch.squares[start : start + BLOCK]))
                brightness[at] = light
                if sharp is not None:
                    sharpness[at] = sharp
    except PictaxaError as error:
        notes.append(f"brightness and sharpness were not measured: {error.found}")
    gone = int(np.isnan(brightness).sum())
    if gone and not notes:
        notes.append(f"{gone} of {len(rows)} pictures are gone, and in no slice by brightness or sharpness")
    return columns | {"brightness": brightness, "sharpness": sharpness}, notes


def _shots(index: Index, rows: np.ndarray, notes: list[str]) -> list[Shot]:
    """What EXIF says of each picture, from the beginning of its file."""
    if len(rows) > MAX_SHOTS:
        found = f"there are {len(rows)} pictures, and at most {MAX_SHOTS} are read"
        notes.append(f"cameras and months were not read: {found}")
        return []
    with Fetcher(index) as fetcher:
        return [_shot(fetcher, row) for row in rows.tolist()]


def _shot(fetcher: Fetcher, row: int) -> Shot:
    path, inside = fetcher.index.location(row)
    if not inside:
        return shot_of(read_head(path))
    try:
        picture = fetcher.fetch(row)
    except PictureError:
        return Shot()
    return shot_of(picture[:HEAD]) if isinstance(picture, bytes) else Shot()


def known_columns(index: Index, rows: np.ndarray, *, shots: Sequence[Shot] = ()) -> dict[str, np.ndarray]:
    """What is known of pictures besides their pixels.

    Args:
        index: that they are of.
        rows: (n,) int64 rows of it.
        shots: what EXIF says of each; none where it was not read.

    Returns:
        (n,) texts by the names of columns, "" where nothing is known. Folders are without those named after splits and
        the picture's own class.
    """
    columns = {"folder": np.array([_folder(index, row) for row in rows.tolist()], dtype=object)}
    columns["group"] = index.column("group")[rows]
    if shots:
        columns["camera"] = np.array([shot.camera for shot in shots], dtype=object)
        columns["month"] = np.array([shot.month for shot in shots], dtype=object)
    return columns


def _folder(index: Index, row: int) -> str:
    label = index.classes[index.labels[row]] if index.labels[row] >= 0 else ""
    folders = PurePosixPath(index.name(row).partition("#")[0]).parts[:-1]
    return "/".join(folder for folder in folders if folder not in SPLITS and clean_label(folder) != label)


def find_slices(
    columns: Mapping[str, np.ndarray],
    right: np.ndarray,
    units: Units,
    *,
    notes: Sequence[str] = (),
    made_from: Mapping[str, str] | None = None,
) -> Slices:
    """Judge each slice of some pictures.

    Args:
        columns: of each picture (n,), by names: numbers, which are cut into at most five parts with as many pictures
            each, NaN for unknown ones; or texts, "" for unknown ones.
        right: (n,) bool, whether each was classified correctly.
        units: which pictures belong together.
        notes: what could not be looked at.
        made_from: of the Slices.

    Returns:
        The Slices of 20 pictures or more, the least accurate first.

    Example:
        find_slices({"folder": np.array(["north", "south"] * 50)}, right, Units(np.arange(100))).worst
    """
    from scipy.stats import fisher_exact

    found: list[tuple[str, str, np.ndarray]] = []
    for by, values in columns.items():
        parts = _by_number(by, values) if np.issubdtype(values.dtype, np.floating) else _by_text(values)
        enough = [(name, chosen) for name, chosen in parts if MIN_PICTURES <= chosen.sum() < len(right)]
        found += [(by, name, chosen) for name, chosen in enough]
    p_values = []
    for _, _, chosen in found:
        here, there = right[chosen], right[~chosen]
        table = [[int(here.sum()), int((~here).sum())], [int(there.sum()), int((~there).sum())]]
        p_values.append(min(1.0, float(fisher_exact(table).pvalue)))
    slices = []
    for (by, name, chosen), p_value, p_holm in zip(found, p_values, holm(p_values), strict=True):
        figure = proportion(right[chosen], units.some(chosen))
        assert figure.low is not None and figure.high is not None
        slices.append(
            Slice(by, name, int(chosen.sum()), int(right[chosen].sum()), figure.low, figure.high, p_value, p_holm)
        )
    slices.sort(key=lambda one: (one.accuracy, one.p_value, one.by, one.name))
    if not slices:
        notes = [*notes, f"no slice has enough pictures ({MIN_PICTURES})"]
    return Slices(dict(made_from or {}), len(right), int(right.sum()), tuple(slices), tuple(notes))


def _by_number(by: str, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Parts with as many pictures each, and their names."""
    known = np.isfinite(values)
    bins = min(MAX_BINS, int(known.sum()) // MIN_PICTURES)
    if bins < 2:
        return
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)))
    if len(edges) < 3:  # most are the same
        return
    told = WORDS.get(by, "{:g}".format)
    part = np.searchsorted(edges[1:-1], values, side="right")
    for number in range(len(edges) - 1):
        chosen = known & (part == number)
        if chosen.any():
            low, high = told(values[chosen].min()), told(values[chosen].max())
            yield low if low == high else f"{low} to {high}", chosen


def _by_text(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Pictures with the same text."""
    names, places, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    for number, (name, count) in enumerate(zip(names.tolist(), counts.tolist(), strict=True)):
        if name and count >= MIN_PICTURES:
            yield name, places == number


def worst_line(slices: Slices) -> str:
    """The worst slice in a line, and whether it is more than chance.

    Args:
        slices: what was found.

    Returns:
        A line of text without its first word.
    """
    worst = slices.worst
    if worst is None:
        return f"no slice has enough pictures ({MIN_PICTURES})"
    chance = "more than chance" if worst.p_holm < TOLD else "which may be chance"
    return (
        f"the worst of {len(slices.slices)} is {worst.by} {worst.name}: accuracy {worst.accuracy:.1%} (95% interval "
        f"{worst.low:.1%} to {worst.high:.1%}) on {worst.pictures} pictures, {_elsewhere(slices, worst):.1%} on all "
        f"others; {chance} (p {worst.p_holm:.2g}, corrected for their number)"
    )


def _elsewhere(slices: Slices, one: Slice) -> float:
    return (slices.right - one.right) / (slices.pictures - one.pictures)


def slice_lines(slices: Slices) -> list[str]:
    """The least accurate slices as a table, and what could not be looked at.

    Args:
        slices: what was found.

    Returns:
        Lines of text.
    """
    lines = [f"slices    {worst_line(slices)}"]
    if slices.slices:
        lines += ["", "slice                                     pictures  accuracy  95% interval      corrected p"]
    for one in slices.slices[:SHOWN]:
        name = f"{one.by} {one.name}"
        interval = f"{one.low:.1%} to {one.high:.1%}"
        lines.append(f"{name:<40}  {one.pictures:8d}  {one.accuracy:8.1%}  {interval:<16}  {one.p_holm:11.2g}")
    return lines + [f"note      {note}" for note in slices.notes if slices.slices]


def slices_json(slices: Slices) -> dict[str, Any]:
    """Slices as a document: `slices` (by, name, pictures, right, accuracy, low, high, p_value, p_holm; the worst first)
    and `notes`.
    """
    return {
        "slices": [{**vars(one), "accuracy": one.accuracy} for one in slices.slices],
        "notes": list(slices.notes),
    }
