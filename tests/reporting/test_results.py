from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pictaxa.judge.judging import judgement_of
from pictaxa.reporting.results import result_figures, result_numbers
from pictaxa.runs.folder import open_run


def test_the_figures_of_a_finished_run(tmp_path: Path, judged_run: Callable[..., Path]):
    """Those that it has: reliability where it is judged, errors where there are any whose files are there."""
    run = open_run(judged_run(tmp_path, ["a", "b", "c"], pictures=6, wrong=0.6))
    assert set(result_figures(run)) == {"confusion", "surest_errors"}
    judgement_of(run.path)
    assert "reliability" in result_figures(run)
    (tmp_path / "photos").rename(tmp_path / "gone")
    assert "surest_errors" not in result_figures(run)
    assert result_numbers(run)["accuracy"] == run.metrics["accuracy"]
