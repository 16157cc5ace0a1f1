"""The command that shows the documentation."""

from __future__ import annotations

import sys

from ...system.language import language
from ...system.pages import find_page, pages
from ...system.printing import print_line
from ..arguments import DocsArguments


def docs(arguments: DocsArguments, started: float) -> int:
    """List the pages, or show one: formatted on a terminal, as it is written elsewhere.

    In the language of messages; a page that is in English alone is shown in English.
    """
    found = pages("en") | pages(language())
    if arguments.page is None:
        width = max(map(len, found))
        for name, page in found.items():
            print_line(f"{name:{width}}  {page.title}", verbatim=True)
        return 0
    page = find_page(arguments.page, language())
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        from ..help import help_console

        help_console().print(Markdown(page.text, hyperlinks=False))
    else:
        for line in page.text.splitlines():
            print_line(line, verbatim=True)
    return 0
