"""Pictures with what a run says of them: a grid of a few, right in green and wrong in red, or one with its bars."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..data.labels import clean_label
from ..images.decode import Square
from ..inference.prediction import Prediction
from ..system.files import require_suffix, writing

if TYPE_CHECKING:  # matplotlib takes half a second to load
    from .figures import Tile

MAX_PICTURES = 24  # of a grid; of more a random few are drawn
MAX_BARS = 10  # classes beside a single picture


def known_label(path: str, classes: Collection[str]) -> str:
    """The class that a picture's folder names.

    Args:
        path: the picture's, or FILE#MEMBER in an archive.
        classes: of the run.

    Returns:
        The name of the folder that the picture is in, where it is one of the classes; else "".

    Example:
        known_label("photos/daisy/1.jpg", ("daisy", "rose"))  # "daisy"
    """
    folders = re.split(r"[/\\#]", path)[:-1]
    label = clean_label(folders[-1]) if folders else ""
    return label if label in classes else ""


@dataclass(frozen=True)
class _Shown:
    place: int  # in the stream
    square: Square
    prediction: Prediction
    label: str  # the true class; "" where it is not known


class Gallery:
    """Keeps a random few of a stream of predictions with their pictures, and draws them.

    Args:
        out: the PNG to write.
        seed: decides which pictures are kept where there are more than MAX_PICTURES.

    Raises:
        ConfigError: `out` is no PNG.

    Example:
        gallery = Gallery(Path("answers.png"))
        for prediction in predictor.judge(pictures, look=gallery.look):
            gallery.write(prediction)
        print(gallery.draw())
    """

    def __init__(self, out: Path, *, seed: int = 0) -> None:
        require_suffix(out, ".png", flag="--grid")
        self.out = out
        self._random = np.random.default_rng(seed)
        self._waiting: deque[Square] = deque()  # of pictures that are judged next
        self._kept: list[_Shown] = []
        self._read = self._known = self._right = 0

    def look(self, square: Square) -> None:
        """Take the square of the next picture that can be read, before its prediction."""
        self._waiting.append(square)

    def write(self, prediction: Prediction, *, label: str | None = None) -> None:
        """Take a prediction; `label` is its true class, by default what its folder says."""
        if prediction.probabilities is None:
            return
        if label is None:
            label = known_label(prediction.path, prediction.classes)
        shown = _Shown(self._read, self._waiting.popleft(), prediction, label)
        self._read += 1
        self._known += bool(label)
        self._right += label == prediction.label
        if len(self._kept) < MAX_PICTURES:
            self._kept.append(shown)
            return
        place = int(self._random.integers(self._read))  # algorithm R: each is kept with the same probability
        if place < MAX_PICTURES:
            self._kept[place] = shown

    def draw(self) -> str:
        """Draw what was kept.

        Returns:
            In words: where the drawing is, how many pictures it has, and how many of all were right.

        Raises:
            ConfigError: it can't be written.
        """
        from .figures import bars, grid, save_figure

        kept = sorted(self._kept, key=lambda shown: shown.place)
        if not kept:
            return "no grid is drawn: no picture could be read"
        if len(kept) == 1:
            answer = kept[0].prediction
            figure = bars(_tile(kept[0]), answer.top(MAX_BARS), others=len(answer.classes) - MAX_BARS)
        else:
            columns = 6 if len(kept) > 12 else min(4, len(kept))
            tiles = [_tile(shown) for shown in kept]
            figure = grid([tiles[first : first + columns] for first in range(0, len(tiles), columns)], inches=1.9)
        with writing(self.out, flag="--grid"):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            save_figure(figure, self.out)
        some = f"{len(kept)} of {self._read} pictures, drawn at random" if len(kept) < self._read else (
            f"{len(kept)} {'picture' if len(kept) == 1 else 'pictures'}"
        )  # fmt: skip
        right = f"; {self._right} of {self._known} with a known label are right" if self._known else ""
        return f"{self.out}: {some}{right}"


def _tile(shown: _Shown) -> Tile:
    """The picture in its own shape, with the answer above it."""
    from .figures import BAD, INK, RIGHT, Tile

    prediction, square = shown.prediction, shown.square
    title = f"{prediction.label} {prediction.probability:.0%}"
    if not prediction.answered:
        title = f"{prediction.answer}: {title}"
    colour = INK if not shown.label or not prediction.answered else RIGHT if shown.label == prediction.label else BAD
    below = f"labelled {shown.label}" if colour == BAD else ""
    pixels = in_shape(square.pixels, aspect=square.width / square.height)
    return Tile(pixels, title=title, colour=colour, below=below)


def in_shape(square: np.ndarray, *, aspect: float) -> np.ndarray:
    """(S, S, C) uint8 -> (H, W) or (H, W, 3) uint8: a picture in its own shape, its longer side S pixels."""
    side, grey = square.shape[0], square.shape[2] == 1
    size = (max(1, math.ceil(side * min(1.0, aspect))), max(1, math.ceil(side * min(1.0, 1 / aspect))))
    image = Image.fromarray(square[:, :, 0] if grey else square)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))
