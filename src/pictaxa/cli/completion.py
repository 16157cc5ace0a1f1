"""Completion of commands, flags and values in the shell, by cyclopts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UsageError
from .parse import app_of

if TYPE_CHECKING:
    from cyclopts import App

Shell = Literal["zsh", "bash", "fish", "powershell"]


def whole_app(takes: Mapping[str, type[Any]]) -> App:
    """All commands as one app of cyclopts, from their names (a second word is within the first) and what they take."""
    from cyclopts import App

    whole = App(name="pictaxa", help_format="markdown")
    within: dict[str, App] = {}
    for name, kind in takes.items():
        first, _, second = name.partition(" ")
        app = app_of(kind, name)
        if second:
            if first not in within:
                within[first] = App(name=first)
                whole.command(within[first])
            within[first].command(app, name=second)
        else:
            within[first] = app  # which may have others within it too
            whole.command(app, name=first)
    return whole


def install_completion(takes: Mapping[str, type[Any]], shell: Shell | None = None) -> Path:
    """Write the completion for a shell, by default the one that runs, where it looks for it; the file's path.

    Raises:
        UsageError: the shell is none that is known.
    """
    try:
        return Path(whole_app(takes).install_completion(shell=shell))
    except Exception as error:  # cyclopts' ShellDetectionError and those of other shells
        raise UsageError(f"Unknown shell: {error}", fix="Run it from bash, zsh, fish or PowerShell.") from None
