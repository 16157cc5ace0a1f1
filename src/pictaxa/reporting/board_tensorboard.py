"""A training on TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from ..runs.folder import Run
from ..runs.records import read_predictions
from .results import result_figures, result_numbers

MAX_CURVES = 50  # classes with a precision-recall curve


class TensorBoard:
    """Writes event files in a folder, which TensorBoard reads while they grow."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(folder)

    def settings(self, settings: Mapping[str, Any]) -> None:
        """As a table of text."""
        lines = ["| setting | value |", "|---|---|", *(f"| {name} | `{value}` |" for name, value in settings.items())]
        self._writer.add_text("settings", "\n".join(lines))

    def pictures(self, images: np.ndarray) -> None:
        """(N, C, H, W) float32 in [0, 1]."""
        self._writer.add_images("training pictures", images)

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """A point of each curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, number)
        self._writer.flush()

    def result(self, run: Run) -> None:
        """Figures, numbers, and a precision-recall curve of each class."""
        for name, figure in result_figures(run).items():
            self._writer.add_figure(f"result/{name}", figure)
        for name, value in result_numbers(run).items():
            self._writer.add_scalar(f"result/{name}", value)
        predictions = read_predictions(run)
        for label, name in enumerate(run.classes[:MAX_CURVES]):
            shares = predictions.probabilities[:, label]
            self._writer.add_pr_curve(f"precision-recall/{name}", predictions.labels == label, shares)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
