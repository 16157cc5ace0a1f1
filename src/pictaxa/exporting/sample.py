"""Pictures of a run, decoded as it decodes them: to calibrate int8 with, and to compare an export on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.drawing import draw_rows
from ..data.fetching import Fetcher
from ..data.squares import CacheSpec
from ..errors import PictureError
from ..runs.folder import Run
from ..runs.records import read_index
from ..system.pool import results_ahead

AHEAD = 64  # pictures that are decoded before they are asked for


@dataclass(frozen=True)
class Sample:
    """Decoded pictures with their labels."""

    squares: np.ndarray  # (n, S, S, C) uint8
    aspects: np.ndarray  # (n,) float32, width / height
    labels: np.ndarray  # (n,) int64
    gone: int = 0  # that were asked for and can't be read any more

    def __len__(self) -> int:
        return len(self.labels)


def sample_of(run: Run, *, split: str, count: int, seed: int = 0, threads: int = 1) -> Sample:
    """Decode some of a run's pictures, drawn at random, each class in its proportion.

    Args:
        run: the run; its pictures are read from where it was trained.
        split: "train" or "val".
        count: how many, at most.
        seed: decides which.
        threads: that decode.

    Returns:
        The pictures that can be read, in the order of the index; maybe none.

    Example:
        sample = sample_of(open_run("runs/photos-resnet18-1"), split="val", count=200)
    """
    index, geometry = read_index(run), run.geometry
    rows = index.rows(split)
    if count < len(rows):
        rows = draw_rows(index, rows, max(count, len(set(index.labels[rows].tolist()))), seed=seed)
    spec = CacheSpec(geometry.square, geometry.channels, geometry.decoding)
    squares, aspects, labels = [], [], []
    with Fetcher(index) as fetcher:

        def load(row: int) -> tuple[np.ndarray, float] | None:
            try:
                square = spec.square_of(fetcher.fetch(row), name=fetcher.name(row))
            except PictureError:
                return None
            return square.pixels, square.aspect

        for row, loaded in zip(rows, results_ahead(load, rows.tolist(), threads=threads, ahead=AHEAD), strict=True):
            if loaded is not None:
                squares.append(loaded[0])
                aspects.append(loaded[1])
                labels.append(int(index.labels[row]))
    shape = (0, geometry.square, geometry.square, geometry.channels)
    return Sample(
        squares=np.stack(squares) if squares else np.zeros(shape, dtype=np.uint8),
        aspects=np.array(aspects, dtype=np.float32),
        labels=np.array(labels, dtype=np.int64),
        gone=len(rows) - len(labels),
    )
