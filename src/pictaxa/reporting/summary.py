"""A run in three sentences, for people who know nothing of classifiers: how good, how sure, what to watch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from ..metrics import Metrics
from ..runs.judgement import Judgement
from ..runs.slices import Slices
from ..system.language import shown
from .judged import pairs_of
from .pages import percent, told

FEW = 10  # validation pictures of a class, by which nothing certain can be said of it
MORE_THAN_CHANCE = 0.05  # corrected p-values below it
WIDE = 0.2  # an interval that says little
WEAK = 0.75  # of a class's pictures that are found, below which it is named


class Summary(NamedTuple):
    """The three sentences, as HTML."""

    good: Markup
    sure: Markup
    watch: Markup


def summarise_run(metrics: Metrics, judgement: Judgement | None = None, slices: Slices | None = None) -> Summary:
    """Say in words what the figures mean.

    Args:
        metrics: of the validation pictures.
        judgement: of the same pictures, where there is one.
        slices: of them, likewise.

    Returns:
        The Summary.

    Example:
        summarise_run(open_run("runs/photos-resnet18-1").metrics).watch
    """
    return Summary(_good(metrics), _sure(metrics, judgement), _watch(metrics, slices))


def _good(metrics: Metrics) -> Markup:
    share, right, pictures = metrics["accuracy"], metrics["right"], metrics["pictures"]
    if right == pictures:
        return told("All {0} validation pictures were put into the right class.", pictures)
    guess = max(figures["pictures"] for figures in metrics["classes"]) / pictures
    if share <= guess and len(metrics["classes"]) > 1:
        return told(
            "The model is of no use yet: it puts {0} of {1} validation pictures into the right class, and whoever "
            "always names the commonest class does as well.", right, pictures,
        )  # fmt: skip
    return told(
        "About {0} of 100 pictures are put into the right class: {1} of the {2} validation pictures were.",
        min(99, max(1, round(100 * share))), right, pictures,
    )  # fmt: skip


def _sure(metrics: Metrics, judgement: Judgement | None) -> Markup:
    low, high, pictures = percent(metrics["accuracy_95_low"]), percent(metrics["accuracy_95_high"]), metrics["pictures"]
    if judgement is not None and judgement.figures.accuracy.low is not None:  # by groups, where there are some
        low, high = percent(judgement.figures.accuracy.low), percent(judgement.figures.accuracy.high or 1.0)
    if metrics["accuracy_95_high"] - metrics["accuracy_95_low"] > WIDE:
        return told(
            "How sure this is: so few pictures ({2}) were judged that it says little; of many more of the same kind, "
            "{0} to {1} would be right (95% interval).", low, high, pictures,
        )  # fmt: skip
    off = None if judgement is None else judgement.after.error.value
    if off is not None:
        return told(
            "How sure this is: of many more pictures of the same kind, {0} to {1} would be right (95% interval), and "
            "the probabilities that it gives are off by {2} on average.", low, high, percent(off),
        )  # fmt: skip
    return told(
        "How sure this is: of many more pictures of the same kind, {0} to {1} would be right (95% interval).", low, high
    )


def _watch(metrics: Metrics, slices: Slices | None) -> Markup:
    """What matters most: a class that is never found, a kind of pictures, a class often missed, a frequent mix-up."""
    classes, matrix = metrics["classes"], np.array(metrics["confusion"])
    known = [(figures["recall"], label) for label, figures in enumerate(classes) if figures["pictures"]]
    never = [label for label in range(len(classes)) if classes[label]["pictures"] and not matrix[:, label].any()]
    if never:
        return told(
            "What to watch: the model never answers {0} ({1} pictures), so whatever belongs there is always wrong.",
            _named([classes[label]["name"] for label in never]), sum(classes[label]["pictures"] for label in never),
        )  # fmt: skip
    worst_slice = None if slices is None else slices.worst
    if worst_slice is not None and worst_slice.p_holm < MORE_THAN_CHANCE:
        return told(
            "What to watch: of {3} pictures ({0}: {1}) only {2} are right, which is less than on the others.",
            shown(worst_slice.by), shown(worst_slice.name), percent(worst_slice.accuracy), worst_slice.pictures,
        )  # fmt: skip
    pairs = pairs_of(matrix, most=1)
    if not pairs:
        return told("What to watch: no picture was wrong, but other pictures than these may well be.")
    recall, worst = min(known)
    true, answer, count = pairs[0]
    if recall < WEAK and worst != true:
        return told(
            "What to watch: of the {1} pictures of {0} only {2} are found, and {3} is most often taken for {4} ({5} "
            "times).", classes[worst]["name"], classes[worst]["pictures"], int(matrix[worst, worst]),
            classes[true]["name"], classes[answer]["name"], count,
        )  # fmt: skip
    few = [figures["name"] for figures in classes if 0 < figures["pictures"] < FEW]
    if few:
        return told(
            "What to watch: {0} is most often taken for {1} ({2} of {3} pictures), and nothing certain can be said of "
            "classes with fewer than {5} validation pictures: {4}.", classes[true]["name"], classes[answer]["name"],
            count, classes[true]["pictures"], _named(few), FEW,
        )  # fmt: skip
    return told(
        "What to watch: {0} is most often taken for {1} ({2} of {3} pictures); look at these before you rely on "
        "either.",
        classes[true]["name"], classes[answer]["name"], count, classes[true]["pictures"],
    )  # fmt: skip


def _named(names: list[str], *, most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" … (+{len(names) - most})" if len(names) > most else "")
