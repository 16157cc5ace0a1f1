"""The command that shows the documentation."""

from __future__ import annotations

import sys

from ...system.pages import find_page, pages
from ...system.printing import print_line, print_lines
from ..arguments import DocsArguments


def docs(arguments: DocsArguments, started: float) -> int:
    """List the pages, or show one: formatted on a terminal, as it is written elsewhere."""
    if arguments.page is None:
        found = pages(arguments.language)
        width = max(map(len, found))
        print_lines(f"{name:{width}}  {page.title}" for name, page in found.items())
        return 0
    page = find_page(arguments.page, arguments.language)
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        from ..help import help_console

        help_console().print(Markdown(page.text, hyperlinks=False))
    else:
        for line in page.text.splitlines():
            print_line(line)
    return 0
