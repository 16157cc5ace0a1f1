"""Draws explanations: each picture, and beside it the heat of each class laid over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..errors import ConfigError
from ..reporting.figures import INK, shortened
from ..reporting.fonts import font_for, writable
from ..system.files import writing
from ..system.language import shown
from .pictures import Explanation, Heat

MAX_ROWS = 50  # of one PNG
MAX_NAME = 60  # characters of a file's name
INCHES = 2.6  # width of a panel
TITLE = 0.42  # inches above each, two lines
GAP = 0.08
DPI = 110
CELLS = 40  # of a title's line, at its size
UNSEEN = 0.35  # brightness of what the network did not see


def overlay(picture: np.ndarray, heat: Heat) -> np.ndarray:
    """Lay heat over a picture: it fades to grey where nothing counts, and keeps its colours where much does.

    Args:
        picture: (H, W) or (H, W, 3) uint8.
        heat: of the picture.

    Returns:
        (H, W, 3) uint8; what the network did not see is dark.
    """
    height, width = picture.shape[:2]
    values, seen = heat.on_picture(width, height)
    colour = _heat_colours(values)
    rgb = picture.reshape(height, width, -1).astype(np.float32)
    grey = rgb.mean(axis=2, keepdims=True)
    share = (0.65 * np.sqrt(values))[..., None]
    mixed = (1 - share) * (0.75 * grey + 0.25 * rgb) + share * colour
    mixed = np.where(seen[..., None], mixed, UNSEEN * grey)
    return mixed.clip(0, 255).astype(np.uint8)


def _heat_colours(values: np.ndarray) -> np.ndarray:
    """Blue through green to red: (H, W) in [0, 1] -> (H, W, 3) of 0 to 255."""
    from matplotlib import colormaps

    return 255 * colormaps["turbo"](0.15 + 0.8 * values)[..., :3]


def draw_all(explanations: Iterable[Explanation], out: Path) -> Iterator[tuple[Explanation, Path | None]]:
    """Draw explanations as they come: each to a PNG of its own in a folder, or all of them to one.

    Args:
        explanations: of any pictures.
        out: a folder, which is made, or a file whose name ends in .png.

    Returns:
        An iterator over each explanation with its drawing, None where the picture could not be read; one PNG for all
        is written at the end.

    Raises:
        ConfigError: it can't be written, or there are more than MAX_ROWS pictures for one PNG.
    """
    if out.suffix.lower() == ".png":
        yield from _on_one(explanations, out)
        return
    if out.exists() and not out.is_dir():
        raise ConfigError(
            "--out with a folder or a .png file", found=f"a file at {str(out)!r}", fix="Give another path with --out."
        )
    taken: Counter[str] = Counter()
    for one in explanations:
        if one.picture is None:
            yield one, None
            continue
        name = _file_name(one.prediction.path)
        taken[name] += 1
        unlike = f"-{taken[name]}" if taken[name] > 1 else ""
        yield one, draw_explanations([one], out / f"{name}{unlike}.png")


def _on_one(explanations: Iterable[Explanation], out: Path) -> Iterator[tuple[Explanation, Path | None]]:
    shown: list[Explanation] = []
    for one in explanations:
        if one.picture is not None:
            shown.append(one)
        if len(shown) > MAX_ROWS:
            raise ConfigError(
                f"at most {MAX_ROWS} pictures for one PNG", found="more", fix="Give a folder with --out instead."
            )
        yield one, None if one.picture is None else out
    if shown:
        draw_explanations(shown, out)


def _file_name(path: str) -> str:
    """What a picture's drawing is called: its own name without what file systems mind."""
    stem = path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    kept = "".join(c if c.isprintable() and c not in '<>:"|?*#' else "_" for c in stem).strip(". ")
    return (kept or "picture")[:MAX_NAME]


def draw_explanations(explanations: Sequence[Explanation], out: Path) -> Path:
    """Write a PNG with a row for each picture: the picture, and the heat of each class over it.

    Args:
        explanations: one or more, of pictures that could be read.
        out: the PNG.

    Returns:
        Its path.

    Raises:
        ConfigError: it can't be written.
    """
    figure = _figure(explanations)
    with writing(out, flag="--out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=DPI, pil_kwargs={"compress_level": 3})
    return out


def _figure(explanations: Sequence[Explanation]) -> Figure:
    across = 1 + max(len(one.heats) for one in explanations)
    heights = [_height(one) for one in explanations]
    width, height = across * (INCHES + GAP) + GAP, sum(heights) + len(heights) * (TITLE + GAP) + GAP
    figure = Figure(figsize=(width, height))
    titles = [[_title(one), *(_heat_title(heat) for heat in one.heats)] for one in explanations]
    font = font_for([text for row in titles for text in row]).copy()
    font.set_size(9)
    top = height - GAP
    for one, inches, texts in zip(explanations, heights, titles, strict=True):
        assert one.picture is not None
        picture = np.asarray(one.picture)
        panels = [picture, *(overlay(picture, heat) for heat in one.heats)]
        for place, (pixels, text) in enumerate(zip(panels, texts, strict=True)):
            left = GAP + place * (INCHES + GAP)
            axes = figure.add_axes((left / width, (top - TITLE - inches) / height, INCHES / width, inches / height))
            _panel(axes, pixels)
            figure.text(
                (left + INCHES / 2) / width, (top - TITLE + 0.05) / height, text, ha="center", va="bottom", color=INK,
                fontproperties=font, parse_math=False, linespacing=1.25,
            )  # fmt: skip
        top -= inches + TITLE + GAP
    return figure


def _panel(axes: Any, pixels: np.ndarray) -> None:
    axes.set_axis_off()
    axes.imshow(pixels, cmap="gray" if pixels.ndim == 2 else None, vmin=0, vmax=255, interpolation="antialiased")


def _height(one: Explanation) -> float:
    """Of its panels, inches; a panorama is low, an upright one no higher than two panels are wide."""
    assert one.picture is not None
    image: Image.Image = one.picture
    return min(2 * INCHES, INCHES * image.height / image.width)


def _title(one: Explanation) -> str:
    """The file's name, and the answer."""
    name = one.prediction.path.replace("\\", "/").rsplit("/", 1)[-1]
    return "\n".join(_fitted([name, f"{one.prediction.label} {one.prediction.probability:.1%}"]))


def _heat_title(heat: Heat) -> str:
    """The class, and its probability; that nothing speaks for it is said."""
    if heat.values.any():
        return "\n".join(_fitted([heat.label, f"{heat.probability:.1%}"]))
    return "\n".join(_fitted([heat.label, shown("nothing here speaks for it")]))


def _fitted(lines: Sequence[str]) -> list[str]:
    return [shortened(line, cells=CELLS) for line in writable(lines)]
