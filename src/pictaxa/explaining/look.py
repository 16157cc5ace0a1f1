"""`pictaxa look`: what a network looks with and what it sees, as one picture or one page."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch

from ..errors import ConfigError, close_matches, printable
from ..models.vit import VisionTransformer
from ..system.files import require_suffix, writing
from .exciting import most_exciting, validation_images
from .sections import Panel, Row, Section
from .seen import attention, first_kernels, position_similarity, stages, strongest, unit_fields
from .subject import Subject
from .varied import vary

Show = Literal["kernels", "features", "channels", "attention", "positions", "field", "augmentation"]
SHOWS: tuple[Show, ...] = get_args(Show)
CHANNELS = 12  # that are shown of a stage
EXCITED, PATCHES = 3, 12  # channels of a stage, and what excites each
VIEWS = 10  # of the picture, augmented
NEED_PICTURE = ("features", "attention", "field", "augmentation")


class Look(NamedTuple):
    """The drawing or page that `look_at` has made; a notebook shows it."""

    path: Path
    shown: tuple[Show, ...]
    left_out: tuple[str, ...]  # what is not in it, and why

    def _repr_html_(self) -> str:
        if self.path.suffix.lower() != ".png":
            return f"<p>{escape(printable(str(self.path)))}</p>"
        return f'<img src="data:image/png;base64,{base64.b64encode(self.path.read_bytes()).decode()}">'


def look_at(subject: Subject, out: str | Path, *, show: Sequence[str] = ()) -> Look:
    """Draw what a network looks with and what it sees.

    Args:
        subject: the network and the picture, from `find_subject`.
        out: the PNG or SVG to write, or an HTML page with a picture of each part and what one sees in it.
        show: what to draw, of SHOWS; () for all that the network has.

    Returns:
        The file and what is in it.

    Raises:
        ConfigError: something asked for is unknown, needs a picture, or is not in this network; the file can't be
            written.

    Example:
        look_at(find_subject("efficientnet_lite0", "photo.jpg"), "look.png", show=("kernels", "field"))
    """
    for word in show:
        if word not in SHOWS:
            raise ConfigError("--show with known words", found=repr(word), fix=close_matches(word, SHOWS))
    shown: list[Show] = []
    left_out: list[str] = []
    for word in SHOWS:
        if show and word not in show:
            continue
        problem = _problem(subject, word)
        if problem and show:
            fix = "Give a picture after the model." if subject.image is None else f"Leave {word} out."
            raise ConfigError(f"what --show {word} needs", found=problem, fix=fix)
        if problem:
            left_out.append(f"{word}: {problem}")
        else:
            shown.append(word)
    path = Path(out)
    require_suffix(path, ".png", ".svg", ".html", flag="--out")
    from .drawing import draw, svg_of  # matplotlib takes half a second to load

    title = f"what {subject.name} looks with and sees, with {subject.told}"
    sections = [_SECTIONS[word](subject) for word in shown]
    with writing(path, flag="--out"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".html":
            from .look_page import look_page

            path.write_text(look_page(title, dict(zip(shown, sections, strict=True)), left_out), encoding="utf-8")
        elif path.suffix.lower() == ".svg":
            path.write_text(svg_of(draw(title, sections)), encoding="utf-8")
        else:
            draw(title, sections).savefig(path, dpi=130)
    return Look(path, tuple(shown), tuple(left_out))


def _problem(subject: Subject, word: Show) -> str:
    """Why something can't be drawn; "" where it can."""
    if word in ("attention", "positions") and not isinstance(subject.model, VisionTransformer):
        return f"{subject.name} is no Vision Transformer"
    if word == "channels" and subject.run is None:
        return "no validation pictures, which a run has"
    if word == "channels" and not _others(subject):
        return "the validation pictures are not where they were"
    return "no picture" if word in NEED_PICTURE and subject.image is None else ""


def _kernels(subject: Subject) -> Section:
    kernels, components = first_kernels(subject.model)
    across = 14 if components else 16
    panels = [Panel(kernel) for kernel in kernels]
    count, rows, columns, _ = kernels.shape
    title = f"first layer: {count} kernels of {rows} x {columns} pixels; grey is 0"
    if components:
        title = f"first layer: {count} principal components of its kernels of {rows} x {columns} pixels; grey is 0"
    lines = [Row("", panels[start : start + across]) for start in range(0, len(panels), across)]
    return Section(title, lines, across=across)


def _features(subject: Subject) -> Section:
    assert subject.image is not None
    with torch.no_grad():
        found = stages(subject.model, subject.image)
    rows = [
        Row(
            f"{stage.name}\n{' x '.join(map(str, stage.maps.shape))}",
            [Panel(m) for m in strongest(stage.maps, count=CHANNELS)],
        )
        for stage in found
    ]
    title = f"maps after each stage: of each the {CHANNELS} channels that vary most, each on its own scale"
    picture = Row("picture", [Panel(_pixels(subject))])
    return Section(title, [picture, *rows], across=CHANNELS)


def _attention(subject: Subject) -> Section:
    assert subject.image is not None
    found = attention(subject.model, subject.image)
    rows = [Row(path, [Panel(head) for head in heads]) for path, heads in found.items()]
    across = max(len(row.panels) for row in rows)
    title = "attention of the class token, by block and head: the brighter a patch, the more it counts"
    return Section(title, [Row("picture", [Panel(_pixels(subject))]), *rows], across=across)


def _positions(subject: Subject) -> Section:
    similarity = position_similarity(subject.model)
    assert similarity is not None
    title = "position embeddings: cosine similarity of the patch in a row and column to each other patch, -1 to 1"
    rows = [Row("", [Panel(patch, low=-1.0, high=1.0) for patch in patches]) for patches in similarity]
    return Section(title, rows, across=max(24, len(similarity)))


def _field(subject: Subject) -> Section:
    assert subject.image is not None
    grey = _pixels(subject).mean(axis=2, keepdims=True)  # so that colours are the unit's alone
    faded = np.repeat(0.25 + 0.6 * grey, 3, axis=2)
    panels = []
    for field in unit_fields(subject.model, subject.image):
        size = "the whole picture" if math.isinf(field.pixels) else f"{field.pixels:.0f} pixels"
        panels.append(
            Panel(
                faded, title=f"{field.name}: {size}", heat=field.gradient,
                box=None if math.isinf(field.pixels) else (*field.middle, field.pixels),
            )
        )  # fmt: skip
    title = (
        "what the middle unit of each stage sees: its receptive field as a frame, and in red how much each pixel "
        "changes the unit"
    )
    return Section(title, [Row("", panels)], across=max(5, len(panels)))


def _channels(subject: Subject) -> Section:
    assert subject.run is not None
    images = validation_images(subject.run, subject.geometry)
    assert images is not None
    found = most_exciting(subject.model, images, channels=EXCITED, patches=PATCHES)
    rows = [Row(f"{one.stage}\nchannel {one.channel}", [Panel(patch) for patch in one.patches]) for one in found]
    title = (
        f"what excites some channels of each stage most, of {len(images)} validation pictures: what the unit sees "
        "where it is largest"
    )
    return Section(title, rows, across=PATCHES)


def _others(subject: Subject) -> bool:
    """Whether a run's validation pictures can be read."""
    return subject.run is not None and validation_images(subject.run, subject.geometry, most=1) is not None


def _augmentation(subject: Subject) -> Section:
    assert subject.square is not None
    found = vary(subject.square, policy=subject.policy, geometry=subject.geometry, views=VIEWS)
    rows = [Row("picture", [Panel(_pixels(subject))]), Row("as in training", [Panel(view) for view in found.views])]
    rows += [Row(_wrapped(name), [Panel(view) for view in views]) for name, views in found.operations]
    title = "augmentation of this picture: random views, and each operation from mild to full"
    return Section(title, rows, across=VIEWS)


def _wrapped(titles: str) -> str:
    """The titles of a row's stages as its label: the operation's name, and from where to where."""
    first, *others = titles.split(", ")
    return f"{first}\nto {others[-1]}" if others else first


def _pixels(subject: Subject) -> np.ndarray:
    """The picture as the network takes it, (S, S, C)."""
    assert subject.image is not None
    return subject.image[0].permute(1, 2, 0).clamp(0, 1).numpy()


_SECTIONS: dict[Show, Callable[[Subject], Section]] = {
    "kernels": _kernels, "features": _features, "channels": _channels, "attention": _attention,
    "positions": _positions, "field": _field, "augmentation": _augmentation,
}  # fmt: skip
