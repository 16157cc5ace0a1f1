from __future__ import annotations

import pytest

from pictaxa.cli.arguments import InspectArguments
from pictaxa.cli.help import CommonFirst
from pictaxa.cli.parse import app_of

CASES = [((), ("--html", "--folds", "--layout"), ()), (("html",), ("--html", "DATA"), ("--folds", "--layout"))]


@pytest.mark.parametrize(("common", "shown", "left"), CASES)
def test_common_settings_alone(
    common: tuple[str, ...], shown: tuple[str, ...], left: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """Those that are named, and what can't be left out; a group without any has no title either."""
    app = app_of(InspectArguments, "inspect", common=common)
    assert isinstance(app.help_formatter, CommonFirst)
    app.help_print([])
    said = capsys.readouterr().out
    assert all(flag in said for flag in shown) and not any(flag in said for flag in left)
    assert ("data layout" in said) == (not common)
