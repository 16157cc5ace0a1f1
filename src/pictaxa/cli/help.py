"""What --help prints, in the language of messages: the common settings and a line that points to the others, or all."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel, InlineText, PanelSpec
from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions

from ..system.language import language, shown


def help_console() -> Console:
    """Where help is printed; as plain text, without bold type, with NO_COLOR (no-color.org) or on a dumb terminal."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Console(no_color=True, force_terminal=False) if plain else Console()


class CommonFirst:
    """Lines of the settings that are named in `common`, or of all where none are."""

    def __init__(self, common: Sequence[str]) -> None:
        self.common = {"--" + name.replace("_", "-") for name in common}
        self.plain = DefaultFormatter(panel_spec=PanelSpec(box=SIMPLE, padding=0))

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a group of settings."""
        if self.common:
            some = [entry for entry in panel.entries if self.common.intersection(entry.names) or entry.required]
            panel = panel.copy(entries=some)
        if panel.entries:
            panel = panel.copy(title=shown(str(panel.title)), entries=[_shown_entry(entry) for entry in panel.entries])
            self.plain(console, options, panel)


def _shown_entry(entry: HelpEntry) -> HelpEntry:
    """A setting with its help and what cyclopts adds to it, such as [default: 5], in the language of messages."""
    if language() == "en":
        return entry
    from rich.markdown import Markdown  # 50 ms, which every command would wait for
    from rich.text import Text

    told = entry.description
    if not (isinstance(told, InlineText) and isinstance(told.primary_renderable, Markdown)):
        return entry
    translated = InlineText(Markdown(shown(" ".join(told.primary_renderable.markup.split()))))
    if entry.choices:
        translated.append(Text(shown(f"[choices: {', '.join(entry.choices)}]"), "cyclopts.choices"))
    if entry.default is not None:
        translated.append(Text(shown(f"[default: {entry.default}]"), "cyclopts.default"))
    return entry.copy(description=translated, choices=(), default=None)
