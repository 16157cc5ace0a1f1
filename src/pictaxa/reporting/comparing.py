"""Draws runs beside each other: accuracy against cost, their curves, and pictures that they take for other things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..data.fetching import Fetcher
from ..data.index import Index
from ..errors import PictureError
from ..images.decode import decode
from ..images.decoding import Decoding
from ..runs.folder import Run, open_run
from ..system.files import require_suffix, writing
from .curves import COLOURS, Curve, curves_axes
from .figures import BAD, INK, RIGHT, Tile, grid, save_figure
from .fonts import font_for, writable

MAX_PICTURES = 24  # of a grid
SIDE = 320  # pixels of its pictures


@dataclass(frozen=True)
class Worth:
    """A run as a point: its accuracy with the ends of the 95% interval, from 0 to 1, and its costs."""

    label: str
    accuracy: float
    low: float
    high: float
    multiply_adds: int
    pictures_per_second: float


def draw_worths(worths: Sequence[Worth], runs: Sequence[Path], out: Path) -> Path:
    """Draw accuracy against multiply-adds and against speed; below, where the runs have epochs, their curves.

    Args:
        worths: of each run.
        runs: the runs' folders, in the same order.
        out: the .png or .svg to write.

    Returns:
        The file.

    Raises:
        ConfigError: the file has another suffix, or can't be written.
        RunError: a run's log is damaged.
    """
    import matplotlib

    require_suffix(out, ".png", ".svg", flag="--plot")
    curves = [
        (Curve(worth.label, rows), number)
        for number, (worth, path) in enumerate(zip(worths, runs, strict=True))
        if (rows := _log(open_run(path)))
    ]
    figure = Figure(figsize=(10, 8.4 if curves else 4.4), layout="constrained")
    axes = figure.subplots(2 if curves else 1, 2, squeeze=False)
    handles = _points(axes[0], worths)
    if curves:
        colours = [COLOURS[number % len(COLOURS)] for _, number in curves]
        curves_axes(axes[1], [curve for curve, _ in curves], colours=colours)
    labels = [worth.label for worth in worths]
    lines = "; lines: validation, dashed: training" if curves else ""
    legend = figure.legend(
        handles, writable(labels), loc="outside lower center", ncols=min(3, len(worths)), frameon=False,
        prop=font_for(labels), title=f"bars: 95% intervals{lines}",
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pictaxa"}), writing(out, flag="--plot"):
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=130, metadata={"Date": None} if out.suffix.lower() == ".svg" else {})
    return out


def _log(run: Run) -> list[dict[str, str]]:
    return run.log_rows() if run.log_path.exists() else []


def _points(axes: Sequence[Any], worths: Sequence[Worth]) -> list[Any]:
    """A point for each run in both drawings; the first one's are returned."""
    handles = []
    for axis, what, scale in zip(axes, ("multiply_adds", "pictures_per_second"), (1e6, 1.0), strict=True):
        costs = np.array([getattr(worth, what) / scale for worth in worths])
        # Runs of one network would cover each other.
        places = costs + 0.008 * costs.max() * (np.arange(len(worths)) - (len(worths) - 1) / 2)
        for number, (worth, place) in enumerate(zip(worths, places.tolist(), strict=True)):
            accuracy = 100 * worth.accuracy
            point = axis.errorbar(
                [place], [accuracy], yerr=[[accuracy - 100 * worth.low], [100 * worth.high - accuracy]],
                fmt="o", capsize=4, color=COLOURS[number % len(COLOURS)],
            )  # fmt: skip
            if what == "multiply_adds":
                handles.append(point)
        axis.set_xlim(0, 1.15 * costs.max())
        axis.set_xlabel({"multiply_adds": "million multiply-adds"}.get(what, "pictures per second on this machine"))
        axis.set_ylabel("accuracy, %")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    return handles


def draw_differing(
    index: Index, rows: np.ndarray, answers: Sequence[Sequence[str]], out: Path, *, decoding: Decoding, seed: int = 0
) -> str:
    """Draw pictures that runs take for different classes, a random few of many.

    Args:
        index: that the pictures are of.
        rows: (n,) int64 rows of the index.
        answers: of each picture its label, and after it the class that each run takes it for.
        out: the PNG to write.
        decoding: how they are decoded.
        seed: decides which are drawn.

    Returns:
        In words: where the drawing is, and of how many.

    Raises:
        ConfigError: the file is no PNG, or can't be written.
    """
    require_suffix(out, ".png", flag="--grid")
    chosen = np.arange(len(rows))
    if len(rows) > MAX_PICTURES:
        chosen = np.sort(np.random.default_rng(seed).choice(len(rows), MAX_PICTURES, replace=False))
    tiles = []
    with Fetcher(index) as fetcher:
        for place in chosen.tolist():
            try:
                name = fetcher.name(rows[place])
                picture = decode(fetcher.fetch(rows[place]), name=name, decoding=decoding, least_side=SIDE)
            except PictureError:
                continue
            picture.thumbnail((SIDE, SIDE))
            label, *said = answers[place]
            told = ", ".join(f"{chr(ord('A') + number)} {answer}" for number, answer in enumerate(said))
            colour = INK if label not in said else RIGHT if said[-1] == label else BAD
            tiles.append(Tile(np.asarray(picture), title=told, below=f"labelled {label}", colour=colour))
    if not tiles:
        return "no grid is drawn: there is no picture on which the runs differ, or none can be read"
    columns = min(4, len(tiles))
    with writing(out, flag="--grid"):
        out.parent.mkdir(parents=True, exist_ok=True)
        save_figure(grid([tiles[at : at + columns] for at in range(0, len(tiles), columns)], inches=2.4), out)
    some = f"{len(tiles)} of {len(rows)} pictures" if len(tiles) < len(rows) else f"{len(tiles)} pictures"
    return f"{out}: {some} on which the runs differ; green where the last run is right, red where another one is"
