from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pictaxa.judge.judging import judge_run
from pictaxa.reporting.reliability import (
    abstaining_rows,
    bin_rows,
    calibration_rows,
    reliability_chart,
    set_rows,
    told_figure,
)
from pictaxa.reporting.results import reliability_figure
from pictaxa.runs.folder import open_run
from pictaxa.runs.judgement import Figure


def test_figures_are_told_with_their_interval():
    """In percent or as numbers; without an interval the value alone, without a value a dash."""
    assert told_figure(Figure(0.948, 0.913, 0.969, 250)) == "94.8% (91.3% – 96.9%)"
    assert told_figure(Figure(0.25, 0.2, 0.3, 9), share=False) == "0.250 (0.200 – 0.300)"
    assert told_figure(Figure(1.0, None, None, 9, "few")) == "100.0%"
    assert told_figure(Figure(None, None, None, 0, "none")) == "–"


def test_what_a_judgement_says_is_shown(tmp_path: Path, judged_run: Callable[..., Path]):
    """Every bin of the diagram before and after, and each rule of abstaining."""
    judgement = judge_run(open_run(judged_run(tmp_path, ["a", "b", "c"], pictures=40)))
    chart = reliability_chart(judgement)
    assert [len(line.dots) for line in chart.lines] == [0, len(judgement.before.bins), len(judgement.after.bins)]
    assert sum(int(row[0]) for row in bin_rows(judgement)) == 120
    assert [row["name"] for row in calibration_rows(judgement)][1:] == ["log loss", "Brier score"]
    assert len(abstaining_rows(judgement)) == len(judgement.abstaining) and set_rows(judgement)
    drawn = reliability_figure(judgement).axes[0]
    assert len(drawn.lines) == 3 and drawn.get_xlabel() == "probability of the answer, %"
