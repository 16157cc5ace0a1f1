"""`pictaxa look`: one picture of what a network looks with and what it sees."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch

from ..errors import ConfigError, close_matches
from ..models.vit import VisionTransformer
from ..system.files import require_suffix, writing
from .sections import Panel, Row, Section
from .seen import attention, first_kernels, position_similarity, stages, strongest, unit_fields
from .subject import Subject

Show = Literal["kernels", "features", "attention", "positions", "field"]
SHOWS: tuple[Show, ...] = get_args(Show)
CHANNELS = 12  # that are shown of a stage
NEED_PICTURE = ("features", "attention", "field")


class Look(NamedTuple):
    """The drawing that `look_at` has made; a notebook shows it."""

    path: Path
    shown: tuple[Show, ...]
    left_out: tuple[str, ...]  # what is not in it, and why

    def _repr_html_(self) -> str:
        return f'<img src="data:image/png;base64,{base64.b64encode(self.path.read_bytes()).decode()}">'


def look_at(subject: Subject, out: str | Path, *, show: Sequence[str] = ()) -> Look:
    """Draw what a network looks with and what it sees.

    Args:
        subject: the network and the picture, from `find_subject`.
        out: the PNG to write.
        show: what to draw, of SHOWS; () for all that the network has.

    Returns:
        The file and what is in it.

    Raises:
        ConfigError: something asked for is unknown, needs a picture, or is not in this network; the PNG can't be
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
    require_suffix(path, ".png", flag="--out")
    from .drawing import draw  # matplotlib takes half a second to load

    figure = draw(f"{subject.name}, {subject.told}", [_SECTIONS[word](subject) for word in shown])
    with writing(path, flag="--out"):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    return Look(path, tuple(shown), tuple(left_out))


def _problem(subject: Subject, word: Show) -> str:
    """Why something can't be drawn; "" where it can."""
    if word in ("attention", "positions") and not isinstance(subject.model, VisionTransformer):
        return f"{subject.name} is no Vision Transformer"
    return "no picture" if word in NEED_PICTURE and subject.image is None else ""


def _kernels(subject: Subject) -> Section:
    kernels, components = first_kernels(subject.model)
    what = "principal components of the kernels" if components else "kernels"
    across = 14 if components else 16
    panels = [Panel(kernel) for kernel in kernels]
    title = f"first layer: {len(kernels)} {what} of {kernels.shape[1]} x {kernels.shape[2]} pixels; grey is 0"
    rows = [Row("", panels[start : start + across]) for start in range(0, len(panels), across)]
    return Section(title, rows, across=across)


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


def _pixels(subject: Subject) -> np.ndarray:
    """The picture as the network takes it, (S, S, C)."""
    assert subject.image is not None
    return subject.image[0].permute(1, 2, 0).clamp(0, 1).numpy()


_SECTIONS: dict[Show, Callable[[Subject], Section]] = {
    "kernels": _kernels, "features": _features, "attention": _attention, "positions": _positions, "field": _field,
}  # fmt: skip
