"""Self-contained pages of HTML: their templates, style and scripts, in the language of messages, and nothing from
elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from .. import __version__
from ..errors import printable
from ..system.language import language, shown
from .fonts import has_wide

TEMPLATES = Path(__file__).parent / "templates"


def render(name: str, values: Mapping[str, Any], *, styles: tuple[str, ...] = (), scripts: tuple[str, ...] = ()) -> str:
    """Write a page from its template.

    A browser runs no script of the page but those named here, by their hash, and loads nothing: whatever the names of
    classes and files are made of, they are text.

    Args:
        name: the template, which extends frame.html.
        values: what it shows, by name.
        styles: style sheets beside the frame's.
        scripts: scripts beside the frame's, in their order.

    Returns:
        The page.

    Example:
        render("inspection.html", {"name": "photos", "parts": []})
    """
    code = "\n".join(_text(file) for file in ("frame.js", *scripts))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    style = "\n".join(_text(file) for file in ("frame.css", *styles))
    fixed = {"policy": policy, "styles": Markup(style), "scripts": Markup(code), "version": __version__}
    return _environment().get_template(name).render({**fixed, **values})


def as_data(value: Any) -> Markup:
    """A value as JSON in a page: no text of it ends the element that it is in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def told(text: str, *values: object) -> Markup:
    """A message with values in it, in the language of messages, each isolated from the direction of the others.

    Args:
        text: the English message, with numbered fields.
        *values: what stands in these.

    Returns:
        The message as HTML.

    Example:
        told("{0} of {1} pictures", 3, 40)
    """
    isolated = [Markup("<bdi>{}</bdi>").format(_escaped(value)) for value in values]
    return Markup(escape(shown(text))).format(*isolated)


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_escaped,
    )  # fmt: skip
    # In the language of messages, which may change from page to page: a text, one with fields to fill, and one with
    # names of any direction in its fields.
    environment.filters["shown"] = _when_rendered(shown)
    environment.filters["filled"] = _when_rendered(lambda text, *values: shown(text).format(*values))
    environment.filters["told"] = _when_rendered(told)
    environment.filters["percent"] = percent
    environment.globals["language"] = language
    environment.tests["wide"] = has_wide
    return environment


def _when_rendered(make: Callable[..., str]) -> Callable[..., str]:
    """A filter that Jinja asks for each page anew, and not once, in the language of that moment, when it compiles."""
    return jinja2.pass_context(lambda context, *values: make(*values))


def percent(value: float) -> str:
    """A share as people read it, such as 94.8%."""
    return f"{100 * value:.1f}%"


def _escaped(value: object) -> object:
    """What a page has of a value: names in a form that can be shown; what is markup already stays as it is."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
