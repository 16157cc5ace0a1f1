"""How far a run's probabilities are to be believed, and what follows from that, as the report's page shows it."""

from __future__ import annotations

from typing import Any

from ..inference.none_of_these import least_closeness
from ..runs.judgement import Abstaining, Calibration, Figure, Judgement, SetRule
from ..runs.vectors import Vectors
from ..system.language import shown
from .charts import Axes, Chart, Line, line_chart
from .pages import percent

SETS = (0.9, 0.95)  # shares of which the rules are shown


def told_figure(figure: Figure, *, share: bool = True) -> str:
    """A figure with its 95% interval, such as "94.8% (91.3 – 96.9%)".

    Args:
        figure: of a judgement.
        share: whether it is a share, which is told in percent.

    Returns:
        The text; a dash where there is no such figure.
    """
    if figure.value is None:
        return "–"
    form = percent if share else "{:.3f}".format
    ends = "" if figure.low is None or figure.high is None else f" ({form(figure.low)} – {form(figure.high)})"
    return f"{form(figure.value)}{ends}"


def calibration_rows(judgement: Judgement) -> list[dict[str, str]]:
    """Calibration before and after, figure by figure.

    Args:
        judgement: of a run.

    Returns:
        Of each its name, and both values with their intervals.
    """
    before, after = judgement.before, judgement.after
    return [
        {
            "name": "off on average (expected calibration error)",
            "before": told_figure(before.error), "after": told_figure(after.error),
        },
        {
            "name": "log loss",
            "before": told_figure(before.log_loss, share=False), "after": told_figure(after.log_loss, share=False),
        },
        {
            "name": "Brier score",
            "before": told_figure(before.brier, share=False), "after": told_figure(after.brier, share=False),
        },
    ]  # fmt: skip


def reliability_chart(judgement: Judgement) -> Chart:
    """Draw the share of right answers against their probability, before and after calibration.

    Args:
        judgement: of a run.

    Returns:
        The Chart; on the dotted line probabilities are as they should be.
    """
    lines = [
        Line(shown("as it should be"), [(0.0, 0.0), (100.0, 100.0)], "ideal"),
        _line(judgement.before, shown("before calibration"), "training"),
        _line(judgement.after, shown("after calibration"), "validation"),
    ]
    axes = Axes(shown("probability of the answer, %"), shown("right, %"), (0.0, 0.0), (100.0, 100.0))
    return line_chart(
        lines, axes, label=shown("reliability diagram: how often answers are right against how sure they are")
    )


def _line(calibration: Calibration, name: str, kind: str) -> Line:
    return Line(name, [(100 * one.confidence, 100 * one.accuracy) for one in calibration.bins], kind, dots=True)


def bin_rows(judgement: Judgement) -> list[list[str]]:
    """The calibrated diagram as a table: pictures, mean probability, share that is right with its interval."""
    return [
        [
            str(one.pictures),
            percent(one.confidence),
            f"{percent(one.accuracy)} ({percent(one.low)} – {percent(one.high)})",
        ]
        for one in judgement.after.bins
    ]


def abstaining_rows(judgement: Judgement) -> list[dict[str, str]]:
    """From which probability on answers are given, so that a share of them is right."""
    return [_abstaining(rule) for rule in judgement.abstaining]


def _abstaining(rule: Abstaining) -> dict[str, str]:
    return {
        "wanted": percent(rule.wanted),
        "threshold": "–" if rule.threshold is None else percent(rule.threshold),
        "coverage": told_figure(rule.coverage),
        "accuracy": told_figure(rule.accuracy),
    }


def refused(vectors: Vectors | None) -> tuple[int, int] | None:
    """How many validation pictures `predict` would answer with "none of these", and of how many.

    Args:
        vectors: of the run's pictures, or None.

    Returns:
        (refused, all of them); None where nothing is kept, or they are too few to say.
    """
    least = None if vectors is None else least_closeness(vectors.closeness)
    if vectors is None or least is None:
        return None
    return int((vectors.closeness < least).sum()), len(vectors.closeness)


def set_rows(judgement: Judgement) -> list[dict[str, Any]]:
    """Sets of classes that have the true one with a share: how often they do, and how large they are."""
    return [_set(rule) for rule in judgement.sets if rule.wanted in SETS]


def _set(rule: SetRule) -> dict[str, Any]:
    return {
        "wanted": percent(rule.wanted),
        "per_class": rule.per_class,
        "coverage": told_figure(rule.coverage),
        "size": told_figure(rule.size, share=False),
    }
