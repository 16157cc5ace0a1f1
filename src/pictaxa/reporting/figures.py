"""Drawings: the curves of a training, the confusion matrix, and a grid of pictures."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from PIL import Image

from ..errors import one_line

GOOD, INK = "#2b6cb0", "#1a202c"

# Fonts with Chinese glyphs, as systems have them; DejaVu Sans, which matplotlib brings, has none.
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei", "Heiti SC", "Arial Unicode MS",
)  # fmt: skip


@cache
def _font_file(characters: frozenset[str]) -> str | None:
    """A font file that has these characters: matplotlib's own, the system's, or the `chinese` extra's; None if none."""
    by_family = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    files = [str(font_manager.findfont("DejaVu Sans"))]
    files += [str(by_family[family]) for family in CHINESE_FONTS if family in by_family]
    # The package is looked for and not imported: importing it changes matplotlib's settings.
    package = importlib.util.find_spec("zhplot")
    if package and package.origin:
        files += [str(file) for file in (Path(package.origin).parent / "fonts").glob("*.ttf")]
    for file in files:
        known = FT2Font(file).get_charmap()
        if all(ord(character) in known for character in characters):
            return file
    return None


def font_for(texts: Sequence[str]) -> font_manager.FontProperties:
    """Find a font that can write the texts; matplotlib's own where no installed font can.

    Args:
        texts: all that is to be written with it.

    Returns:
        The font.
    """
    characters = frozenset(character for text in texts for character in text if character.isprintable())
    file = _font_file(characters - {" "})
    return font_manager.FontProperties(fname=file or font_manager.findfont("DejaVu Sans"))


def writable(texts: Sequence[str]) -> list[str]:
    """The texts, with characters that no installed font has as their code points: never as empty boxes."""
    known = FT2Font(str(font_for(texts).get_file())).get_charmap()
    return ["".join(c if ord(c) in known or c == " " else f"\\u{ord(c):04x}" for c in one_line(text)) for text in texts]


def curves(log: list[dict[str, str]]) -> Figure:
    """Draw loss and accuracy over the epochs, training and validation.

    Args:
        log: rows of log.csv, one or more.

    Returns:
        Two drawings side by side.
    """
    epochs = [int(row["epoch"]) for row in log]
    validated = [row for row in log if row["val_loss"]]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axis, what, factor in zip(figure.subplots(1, 2), ("loss", "accuracy"), (1, 100), strict=True):
        axis.plot(epochs, [factor * float(row[f"train_{what}"]) for row in log], color="#a0aec0", label="training")
        axis.plot(
            [int(row["epoch"]) for row in validated],
            [factor * float(row[f"val_{what}"]) for row in validated],
            color=GOOD, label="validation", marker="." if len(validated) < 40 else "",
        )  # fmt: skip
        axis.set_xlabel("epoch")
        axis.set_ylabel(what if factor == 1 else f"{what}, %")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    return figure


def confusion(matrix: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """Draw a confusion matrix, each row in parts of its sum.

    Args:
        matrix: (classes, classes) int counts, row the true class, column the predicted one.
        classes: their names.

    Returns:
        The drawing; with counts in its cells up to 30 classes.
    """
    count = len(classes)
    side = min(4 + 0.35 * count, 20)
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    font, names = font_for(classes), writable(classes)
    as_it_is: dict[str, Any] = {"fontproperties": font, "parse_math": False}  # a name with $ is no formula
    axis.set_xticks(range(count), names, rotation=60, ha="right", **as_it_is)
    axis.set_yticks(range(count), names, **as_it_is)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    if count <= 30:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = "white" if shares[row, column] > 0.5 else INK
            axis.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=8)
    return figure


@dataclass(frozen=True)
class Tile:
    """A picture of a grid: (H, W, C) uint8, with a title above it."""

    pixels: np.ndarray
    title: str = ""
    colour: str = INK


def grid(rows: list[list[Tile]], *, inches: float = 1.5) -> Figure:
    """Draw pictures in a grid, with their titles.

    Args:
        rows: rows of tiles, of any lengths.
        inches: width of a tile.

    Returns:
        The drawing.
    """
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=(columns * inches, len(rows) * (inches + 0.25)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    titles = [tile.title for row in rows for tile in row]
    font = font_for(titles).copy()
    font.set_size(8)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, row in enumerate(rows):
        for axis, tile in zip(axes[i], row, strict=False):
            grey = tile.pixels.ndim == 2 or tile.pixels.shape[2] == 1
            axis.imshow(tile.pixels.squeeze(), cmap="gray" if grey else None, vmin=0, vmax=255)
            title = writable([tile.title])[0]
            axis.set_title(title, fontproperties=font, color=tile.colour, pad=2, parse_math=False)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG."""
    figure.savefig(path, dpi=130)


def svg(figure: Figure) -> str:
    """The drawing as an <svg> element, text as text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pictaxa"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def jpeg_bytes(image: Any, *, side: int) -> bytes:
    """A small JPEG of a Pillow picture, its longer side at most `side` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
