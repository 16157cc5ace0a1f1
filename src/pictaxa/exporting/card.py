"""MODEL_CARD.md: what an exported network is, does and was found to be worth, from the run's own figures.

Mitchell et al. 2019, Model cards for model reporting, names the sections.
"""

from __future__ import annotations

from ..errors import printable
from ..runs.exported import Checked, ExportDocument
from ..runs.folder import Run
from ..runs.judgement import Judgement

SHOWN_CLASSES = 100


def card_of(run: Run, document: ExportDocument, checked: Checked, judgement: Judgement | None) -> str:
    """Write a card.

    Args:
        run: the run that was exported.
        document: the export's.
        checked: how it compares with the run.
        judgement: what the validation pictures said of its probabilities; None for nothing.

    Returns:
        The text, in Markdown.
    """
    metrics, chosen, geometry = run.metrics, run.chosen, document.geometry
    parts = [
        f"# {_cell(document.run)}",
        f"{_cell(document.model)} for {len(document.classes)} classes, {geometry.size} x {geometry.size} pixels, as "
        f"{document.kind} in {document.precision}. {document.weights}",
        "## Intended use",
        "Pictures like those it was trained on. It gives one of its classes, or their probabilities, for any picture, "
        "also for one that shows none of them.",
        "## Evaluation",
        f"On {metrics['pictures']} validation pictures, which it was not trained on, {metrics['accuracy']:.1%} are "
        f"right (95% interval {metrics['accuracy_95_low']:.1%} to {metrics['accuracy_95_high']:.1%}); mean F1 "
        f"{metrics['macro_f1']:.3f}, log loss {metrics['log_loss']:.3f} before calibration.",
        _calibration(judgement),
        "\n".join(_class_rows(run)),
        "## Training data",
        f"{chosen.train_pictures} pictures of the owner, and {chosen.val_pictures} for validation.",
        "## This file",
        f"Compared with the run on {checked.pictures} validation pictures: probabilities within "
        f"{checked.largest_difference:.2g}, the same answer for {checked.agreement:.1%}, {checked.right_before} right "
        f"before and {checked.right_after} after.",
        "## Limits",
        "The figures are of pictures from the same source as the training's. Of others, look at how it does before "
        "relying on it: `pictaxa evaluate RUN OTHER-PICTURES`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _calibration(judgement: Judgement | None) -> str:
    if judgement is None:
        return "Its probabilities are not calibrated."
    return (
        f"Its probabilities are calibrated on {judgement.pictures} validation pictures by a temperature of "
        f"{judgement.temperature:.2f}."
    )


def _class_rows(run: Run) -> list[str]:
    rows = ["| class | pictures | precision | recall | F1 |", "|---|---:|---:|---:|---:|"]
    classes = run.metrics["classes"]
    for row in classes[:SHOWN_CLASSES]:
        rows.append(
            f"| {_cell(row['name'])} | {row['pictures']} | {row['precision']:.1%} | {row['recall']:.1%} | "
            f"{row['f1']:.3f} |"
        )
    if len(classes) > SHOWN_CLASSES:
        rows.append(f"| ... {len(classes) - SHOWN_CLASSES} more | | | | |")
    return rows


def _cell(text: str) -> str:
    """A name in a table of Markdown."""
    return printable(text).replace("|", "\\|").replace("<", "&lt;")
