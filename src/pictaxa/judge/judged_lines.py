"""What predictions are worth, as lines of text: each figure with its 95% interval in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len, set_cell_size

from ..metrics import Metrics
from ..runs.judgement import ClassJudgement

if TYPE_CHECKING:
    from .judging import Judged

MAX_MATRIX = 20  # classes up to which the confusion matrix is shown
CELLS = 19  # of a figure with its interval


def figure_lines(judged: Judged, metrics: Metrics) -> list[str]:
    """Format the figures of all pictures together.

    Args:
        judged: what the predictions are worth.
        metrics: of the same predictions.

    Returns:
        Lines of text.

    Example:
        lines = figure_lines(evaluation.judged, evaluation.metrics)
    """
    figures, before, after = judged.figures, judged.before, judged.after
    lines = [
        f"accuracy  {metrics['accuracy']:.1%} (95% interval {metrics['accuracy_95_low']:.1%} to "
        f"{metrics['accuracy_95_high']:.1%}), {metrics['right']} right",
        f"balanced  {figures.balanced_accuracy.percent}: the mean recall of the classes",
    ]
    lines += [f"top {k}     {found.percent}" for k, found in figures.top.items()]
    lines += [
        f"means     F1 {figures.f1.number}   precision {figures.precision.percent}",
        f"ranking   ROC AUC {figures.roc_auc.number}   average precision {figures.average_precision.number}",
        f"agreement kappa {figures.kappa.number}   MCC {figures.mcc.number}",
        f"loss      {after.log_loss.number} calibrated, {before.log_loss.number} before",
        f"Brier     {after.brier.number} calibrated, {before.brier.number} before",
        f"error     of probabilities: {after.error.percent} calibrated, {before.error.percent} before",
    ]
    if judged.temperature is None:
        lines.append("          calibrated across folds: each picture by what the others say")
    elif judged.temperature == 1:
        lines.append("          not calibrated: the run has no temperature")
    else:
        lines.append(f"          calibrated by the run's validation pictures: temperature {judged.temperature:.2f}")
    return lines


def class_lines(classes: Sequence[ClassJudgement]) -> list[str]:
    """Format a row for each class: its pictures, precision, recall and F1.

    Args:
        classes: what was found of them.

    Returns:
        Lines of text, the first the head; "-" is what is not defined.

    Example:
        lines = class_lines(evaluation.figures.classes)
    """
    width = max(8, *(cell_len(one.name) for one in classes))
    lines = [f"{'class'.ljust(width)}  pictures  {'precision':>{CELLS}}  {'recall':>{CELLS}}  {'F1':>{CELLS}}"]
    for one in classes:
        cells = f"{one.precision.percent:>{CELLS}}  {one.recall.percent:>{CELLS}}  {one.f1.number:>{CELLS}}"
        lines.append(f"{set_cell_size(one.name, width)}  {one.pictures:8d}  {cells}")
    return lines


def matrix_lines(names: Sequence[str], matrix: np.ndarray) -> list[str]:
    """Format a confusion matrix in counts, and in percent of the pictures of each class.

    Args:
        names: of the classes.
        matrix: (classes, classes) counts, a row for each true class.

    Returns:
        Lines of text; none above MAX_MATRIX classes.

    Example:
        lines = matrix_lines(evaluation.classes, evaluation.confusion)
    """
    if len(names) > MAX_MATRIX:
        return []
    width, wide = max(8, *map(cell_len, names)), max(4, len(str(matrix.max())))
    totals = matrix.sum(axis=1, keepdims=True)
    rates = np.divide(100 * matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    lines = ["rows: true class; columns, in the same order: predicted class; then the same in percent of the row"]
    for name, counts, shares in zip(names, matrix.tolist(), rates.tolist(), strict=True):
        cells = "  ".join(str(count).rjust(wide) for count in counts)
        percents = "  ".join(f"{share:4.0f}%" for share in shares)
        lines.append(f"{set_cell_size(name, width)}  {cells}  |{percents}")
    return lines
