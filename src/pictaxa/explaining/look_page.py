"""The page of `pictaxa look`: a picture of each part, and what one sees in it; one file, readable without a network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import jinja2

from ..errors import printable
from ..system.language import language, shown
from .drawing import draw
from .sections import Section

ABOUT = {
    "kernels": "The kernels of the first layer are the only ones that work on colours. Trained ones become edges of "
    "many directions, spots and pairs of colours; fresh ones are noise, and smooth ones have learned.",
    "features": "Each stage has more channels and fewer places than the one before. Early maps look like the picture "
    "with its edges; late ones are bright in a few places, where they have found something.",
    "channels": "For each channel the validation pictures that excite it most, cut to what its unit sees. Where they "
    "have something in common, the channel stands for it: a colour, a texture, a part of an object.",
    "attention": "Each head of each block chooses by itself which patches the class token takes from. In the first "
    "blocks heads look nearby or everywhere; in the last ones many look at the same object.",
    "positions": "Each small picture compares the position embedding of one patch with those of all others. Trained "
    "ones have learned rows, columns and neighbourhoods, though nobody told them that patches lie in a plane.",
    "field": "The frame is what a unit can see, by the sizes of kernels and strides. What it goes by is in red: mostly "
    "the middle of its frame.",
    "augmentation": "What a training makes of this very picture. If one would not recognise it any more, neither can "
    "the network.",
}
DPI = 110


def look_page(title: str, sections: Mapping[str, Section], left_out: Sequence[str]) -> str:
    """Write the page.

    Args:
        title: of the page.
        sections: by what they show, a name of ABOUT.
        left_out: what is not shown, and why.

    Returns:
        HTML in the language of messages.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pictaxa.explaining", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )  # fmt: skip
    environment.filters["shown"] = lambda text: shown(printable(text))
    environment.globals["language"] = language
    parts = [
        {"title": section.title, "about": ABOUT[word], "image": _image(section)} for word, section in sections.items()
    ]
    return environment.get_template("look.html").render(title=title, parts=parts, left_out=left_out)


def _image(section: Section) -> str:
    """The section without its title, as PNG in base64."""
    buffer = io.BytesIO()
    draw("", [Section("", section.rows, across=section.across)]).savefig(buffer, format="png", dpi=DPI)
    return base64.b64encode(buffer.getvalue()).decode()
