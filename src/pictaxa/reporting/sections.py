"""What the parts of the report's page show, from the figures and the log of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics import Metrics, wilson_interval
from ..runs.judgement import Figure, Judgement
from ..runs.slices import Slices
from ..system.language import shown
from ..system.progress import clock
from .charts import Axes, Chart, Line, line_chart
from .judged import pairs_of
from .pages import percent
from .reliability import told_figure

MATRIX_CLASSES = 30  # beyond them a list of pairs says more
MAX_PAIRS, MAX_CLASS_ROWS, MAX_EPOCH_ROWS, MAX_SLICES = 300, 2000, 1000, 30


def key_figures(metrics: Metrics, judgement: Judgement | None) -> list[dict[str, str]]:
    """The few figures at the top.

    Args:
        metrics: of the validation pictures.
        judgement: of the same pictures, where there is one.

    Returns:
        Of each its name and its value, with its interval where there is one.
    """
    low, high = percent(metrics["accuracy_95_low"]), percent(metrics["accuracy_95_high"])
    known = {"accuracy": f"{percent(metrics['accuracy'])} ({low} – {high})"}
    if judgement is None:
        known |= {"mean F1": f"{metrics['macro_f1']:.3f}", "log loss": f"{metrics['log_loss']:.3f}"}
    else:
        figures = judgement.figures
        known = {
            "accuracy": told_figure(figures.accuracy),
            "balanced accuracy": told_figure(figures.balanced_accuracy),
            **{f"among the first {k}": told_figure(figure) for k, figure in figures.top.items()},
            "mean F1": told_figure(figures.f1, share=False),
            "mean precision": told_figure(figures.precision),
            "area under the ROC curve": told_figure(figures.roc_auc, share=False),
            "average precision": told_figure(figures.average_precision, share=False),
            "Cohen's kappa": told_figure(figures.kappa, share=False),
            "Matthews' correlation": told_figure(figures.mcc, share=False),
            "log loss": told_figure(judgement.after.log_loss, share=False),
        }
    known["validation pictures"] = str(metrics["pictures"])
    found = []
    for name, text in known.items():
        value, _, beside = text.partition(" ")
        found.append({"name": name, "value": value, "beside": beside})
    return found


def class_rows(metrics: Metrics, judgement: Judgement | None) -> list[dict[str, Any]]:
    """The table of classes, in their order; of very many those that do worst.

    Args:
        metrics: of the validation pictures.
        judgement: of the same pictures, where there is one, for the intervals and areas.

    Returns:
        A row for each class, with the texts of its figures and whether it was ever answered.
    """
    answers = np.array(metrics["confusion"]).sum(axis=0)
    rows: list[dict[str, Any]] = []
    for label, figures in enumerate(metrics["classes"]):
        low, high = wilson_interval(round(figures["recall"] * figures["pictures"]), figures["pictures"])
        told = {
            "precision": percent(figures["precision"]),
            "recall": f"{percent(figures['recall'])} ({percent(low)} – {percent(high)})",
            "f1": f"{figures['f1']:.3f}", "auc": "",
        }  # fmt: skip
        if judgement is not None:
            own = judgement.figures.classes[label]
            told = {
                "precision": told_figure(own.precision), "recall": told_figure(own.recall),
                "f1": told_figure(own.f1, share=False), "auc": told_figure(own.roc_auc, share=False),
            }  # fmt: skip
        rows.append({**figures, "label": label, "answers": int(answers[label]), "told": told})
    if len(rows) > MAX_CLASS_ROWS:
        rows = sorted(rows, key=lambda row: row["recall"])[:MAX_CLASS_ROWS]
    return rows


def confusion_of(metrics: Metrics) -> dict[str, Any]:
    """The matrix, or without it where there are too many classes, and the pairs that are taken for each other.

    Args:
        metrics: of the validation pictures.

    Returns:
        `matrix`, rows of cells with `count` and `share` of the row, or None; `pairs`, and how many more there are.
    """
    counts = np.array(metrics["confusion"])
    totals = np.maximum(counts.sum(axis=1), 1)
    matrix = None
    if len(counts) <= MATRIX_CLASSES:
        matrix = [
            [{"count": int(count), "share": count / total} for count in row]
            for row, total in zip(counts.tolist(), totals.tolist(), strict=True)
        ]
    names = [figures["name"] for figures in metrics["classes"]]
    pairs = [
        {"true": names[true], "answer": names[answer], "labels": (true, answer), "count": count,
         "share": count / int(totals[true])}
        for true, answer, count in pairs_of(counts, most=MAX_PAIRS)
    ]  # fmt: skip
    every = int((counts > 0).sum() - (np.diag(counts) > 0).sum())
    return {"matrix": matrix, "pairs": pairs, "more_pairs": every - len(pairs)}


def slice_rows(slices: Slices | None) -> list[dict[str, Any]]:
    """The accuracy of parts of the validation pictures, as a table.

    Args:
        slices: of a run, if any.

    Returns:
        Of each what it has in common, its pictures, its accuracy with its interval, and its corrected p-value; the
        least accurate first.
    """
    return [
        {
            "by": one.by, "name": one.name, "pictures": one.pictures, "p_holm": one.p_holm,
            "accuracy": told_figure(Figure(one.accuracy, one.low, one.high, one.pictures)),
        }
        for one in (slices.slices[:MAX_SLICES] if slices else ())
    ]  # fmt: skip


def curves_of(log: list[dict[str, str]]) -> list[Chart]:
    """Draw loss and accuracy over the epochs.

    Args:
        log: the rows of log.csv.

    Returns:
        Two charts, or none of a run without epochs.
    """
    if not log:
        return []
    return [
        _curve(log, "loss", "loss", label=shown("loss over the epochs, of training and of validation")),
        _curve(log, "accuracy", "accuracy, %", label=shown("accuracy over the epochs, of training and of validation")),
    ]


def _curve(log: list[dict[str, str]], what: str, up: str, *, label: str) -> Chart:
    factor = 100.0 if what == "accuracy" else 1.0
    lines = []
    for part, column in (("training", f"train_{what}"), ("validation", f"val_{what}")):
        points = [(float(row["epoch"]), factor * float(row[column])) for row in log if row[column]]
        lines.append(Line(shown(part), points, part, dots=len(points) < 40))
    values = [value for line in lines for _, value in line.points]
    bottom, top = (min(values) // 10 * 10, 100.0) if what == "accuracy" else (0.0, max(values))
    first, last = (1.0, float(len(log))) if len(log) > 1 else (0.0, 2.0)  # a single epoch stands in the middle
    return line_chart(lines, Axes(shown("epoch"), shown(up), (first, bottom), (last, top)), label=label)


def epochs_of(log: list[dict[str, str]]) -> list[list[str]]:
    """The epochs as a table; of very many the last ones.

    Args:
        log: the rows of log.csv.

    Returns:
        Of each its number, when it ended, and loss and accuracy of training and validation; "" where not validated.
    """
    table = []
    for row in log[-MAX_EPOCH_ROWS:]:
        losses = [f"{float(row[name]):.3f}" if row[name] else "" for name in ("train_loss", "val_loss")]
        shares = [percent(float(row[name])) if row[name] else "" for name in ("train_accuracy", "val_accuracy")]
        table.append([row["epoch"], clock(float(row["seconds"])), *losses, *shares])
    return table
