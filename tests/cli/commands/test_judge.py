from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.cli.commands.judge import compare
from pictaxa.cli.judging import CompareArguments
from pictaxa.errors import ConfigError


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"split": "test"}, "--on DATA beside --split"),
        ({"plot": Path("plot.pdf")}, r"--plot with the suffix \.png or \.svg"),
        ({"grid": Path("grid.svg")}, r"--grid with the suffix \.png"),
        ({"json": Path("none/a.json")}, "a file to write for --json"),
        ({}, "2 to 20 runs"),
    ],
)
def test_mistakes_are_told_before_the_work(tmp_path: Path, flags: dict[str, Path | str], said: str):
    """A flag without another, a drawing of another kind, a place that is not there, a run alone."""
    with pytest.raises(ConfigError, match=said):
        compare(CompareArguments((tmp_path,), **flags), 0.0)  # type: ignore[arg-type]
