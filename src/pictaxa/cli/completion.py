"""Completion of commands, flags and values in the shell, by cyclopts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import UsageError
from . import arguments
from .parse import app_of

if TYPE_CHECKING:
    from cyclopts import App

Shell = Literal["zsh", "bash", "fish", "powershell"]

# What each command takes; one of two words is within its first.
TAKES = {
    "train": arguments.TrainArguments,
    "evaluate": arguments.EvaluateArguments,
    "predict": arguments.PredictArguments,
    "report": arguments.ReportArguments,
    "preview": arguments.PreviewArguments,
    "inspect": arguments.InspectArguments,
    "probe": arguments.ProbeArguments,
    "plan": arguments.PlanArguments,
    "data convert": arguments.ConvertDataArguments,
    "cache": arguments.CacheArguments,
    "classes": arguments.ClassesArguments,
    "models": arguments.ModelsArguments,
    "recipes": arguments.RecipesArguments,
    "weights convert": arguments.ConvertArguments,
    "demo": arguments.DemoArguments,
}


def whole_app() -> App:
    """All commands as one app of cyclopts."""
    from cyclopts import App

    whole = App(name="pictaxa", help_format="markdown")
    within: dict[str, App] = {}
    for command, kind in TAKES.items():
        first, _, second = command.partition(" ")
        app = app_of(kind, command)
        if second:
            if first not in within:
                within[first] = App(name=first)
                whole.command(within[first])
            within[first].command(app, name=second)
        else:
            whole.command(app, name=first)
    return whole


def install_completion(shell: Shell | None = None) -> Path:
    """Write the completion for a shell, by default the one that runs, where it looks for it; the file's path.

    Raises:
        UsageError: the shell is none that is known.
    """
    try:
        return Path(whole_app().install_completion(shell=shell))
    except Exception as error:  # cyclopts' ShellDetectionError and those of other shells
        raise UsageError(f"The shell is not known: {error}", fix="Run it from bash, zsh, fish or PowerShell.") from None
