"""What a finished run comes to, as figures of matplotlib and numbers: for boards, which have pages of their own."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..data.fetching import Fetcher
from ..errors import PictureError
from ..images.decode import decode
from ..runs.folder import Run
from ..runs.judgement import Judgement, read_judgement
from ..runs.records import read_index, read_predictions
from .figures import BAD, Tile, confusion, grid
from .judged import SUREST, order_of

ACROSS = 4  # errors in a row


def result_numbers(run: Run) -> dict[str, float]:
    """The figures of a finished run, by name.

    Args:
        run: a run that has been validated.

    Returns:
        Those of metrics.json that are single numbers.
    """
    return {name: float(value) for name, value in run.metrics.items() if isinstance(value, (int, float))}


def result_figures(run: Run) -> dict[str, Figure]:
    """The figures of a finished run, by name.

    Args:
        run: a run that has been validated.

    Returns:
        The confusion matrix; the reliability diagram where the run is judged; the surest errors where there are any.
    """
    found = {"confusion": confusion(np.array(run.metrics["confusion"]), run.classes)}
    judgement = read_judgement(run)
    if judgement is not None:
        found["reliability"] = reliability_figure(judgement)
    errors = _errors(run)
    if errors:
        found["surest_errors"] = grid([errors[start : start + ACROSS] for start in range(0, len(errors), ACROSS)])
    return found


def reliability_figure(judgement: Judgement) -> Figure:
    """Draw how often answers are right against how sure they are, before and after calibration.

    Args:
        judgement: of a run.

    Returns:
        The drawing.
    """
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 100], [0, 100], linestyle=":", color="#718096", label="as it should be")
    for calibration, label, colour in ((judgement.before, "before", "#a0aec0"), (judgement.after, "after", "#2b6cb0")):
        axis.plot(
            [100 * one.confidence for one in calibration.bins], [100 * one.accuracy for one in calibration.bins],
            marker="o", color=colour, label=label,
        )  # fmt: skip
    axis.set_xlabel("probability of the answer, %")
    axis.set_ylabel("right, %")
    axis.legend(frameon=False)
    return figure


def _errors(run: Run) -> list[Tile]:
    """The surest errors as tiles; those whose files are gone are left out."""
    index, predictions = read_index(run), read_predictions(run)
    tiles = []
    with Fetcher(index) as fetcher:
        for place in order_of(predictions).wrong[:SUREST].tolist():
            row, label, answer = predictions.rows[place], predictions.labels[place], predictions.predicted[place]
            try:
                picture = decode(
                    fetcher.fetch(row), name=fetcher.name(row), decoding=run.geometry.decoding, least_side=256
                )
            except PictureError:
                continue
            picture.thumbnail((256, 256))
            title = f"{run.classes[answer]} {predictions.probabilities[place, answer]:.0%}"
            tiles.append(Tile(np.asarray(picture), title, BAD, below=f"labelled {run.classes[label]}"))
    return tiles
