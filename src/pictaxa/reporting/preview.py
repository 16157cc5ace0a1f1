"""Shows what training will see: a grid of random views, and one of each operation from mild to full strength."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..augment.augmenter import Augmenter
from ..augment.policy import Policy, find_policy, read_policies
from ..augment.preprocess import Geometry, model_input
from ..augment.stages import stages_of
from ..config.data import AugmentConfig, DecodingConfig, PicturesConfig, ReadingConfig
from ..config.usual import FROM_KNOWN
from ..data.drawing import draw_pictures
from ..data.fetching import Fetcher
from ..data.index import Index
from ..data.levels import USUAL, choose_decoding
from ..data.reading import PLAIN, read_data, survey
from ..data.squares import CacheSpec
from ..errors import DataError, PictureError
from ..images.decode import Square
from ..system.files import require_suffix, writing
from ..system.printing import picture_html
from .samples import class_after_class

PICTURES = 6  # rows of the grid
VIEWS = 6  # augmented views of each
MIN_SIDE = 32  # pixels of a view


class Preview(NamedTuple):
    """The pictures that `draw_preview` has drawn; a notebook shows them."""

    picture: Path
    operations: Path | None = None  # a row for each operation of the policy; None for one without any, and for a grid

    def _repr_html_(self) -> str:
        return "".join(picture_html(path) for path in self if path is not None)


@dataclass(frozen=True)
class Source:
    """The pictures of a data set, and what training would make of each."""

    index: Index
    policy: Policy
    geometry: Geometry

    def squares(self, rows: Iterable[int], *, count: int) -> tuple[np.ndarray, list[Square]]:
        """The first `count` of some rows that can be read, and their squares; DataError where none can."""
        spec = CacheSpec(self.geometry.square, self.geometry.channels, self.geometry.decoding)
        readable, squares = [], []
        with Fetcher(self.index) as fetcher:
            for row in rows:
                try:
                    squares.append(spec.square_of(fetcher.fetch(row), name=fetcher.name(row)))
                    readable.append(row)
                except PictureError:
                    continue
                if len(readable) == count:
                    break
        if not readable:
            found = f"none under {self.index.root}"
            raise DataError("pictures that can be decoded", found=found, fix="Check the files.")
        return np.array(readable, dtype=np.int64), squares

    def augmenter(self, rows: np.ndarray, squares: Sequence[Square], *, seed: int) -> Augmenter:
        """What augments the squares of these rows as training would."""
        heights = np.zeros(len(self.index), dtype=np.int64)
        heights[rows] = [square.height for square in squares]
        return Augmenter(self.policy, self.geometry.view, seed=seed, heights=heights)


def read_source(
    data: str | Path,
    *,
    augmentation: AugmentConfig,
    pictures: PicturesConfig,
    reading: ReadingConfig = PLAIN,
    asked: DecodingConfig = USUAL,
    seed: int = 0,
) -> Source:
    """Read a data set, and choose what is left open of its sizes and augmentation.

    Args:
        data: the pictures, in any layout.
        augmentation: the policy and its changes; by default that of a training from known weights.
        pictures: size, square, channels and view.
        reading: how `data` is laid out.
        asked: how pictures are decoded, such as the range of 16-bit ones.
        seed: decides which pictures are drawn, where `pictures` asks for a number of them.

    Returns:
        A Source; no picture is decoded yet.

    Raises:
        ConfigError: the policy is unknown.
        DataError: the place can't be read as a data set.
    """
    augmentation = read_policies(augmentation)
    policy = find_policy(augmentation.policy or FROM_KNOWN.policy, augmentation.augment)
    index = draw_pictures(read_data(data, reading), pictures.pictures, seed=seed)
    longer_side, all_grey = survey(index)
    size = pictures.size or max(MIN_SIDE, min(128, longer_side))
    side = pictures.square or max(size, min(longer_side, size * 5 // 4))
    channels = {"1": 1, "3": 3, "auto": 1 if all_grey else 3}[pictures.channels]
    decoding, _ = choose_decoding(index, asked)
    view = pictures.view or FROM_KNOWN.view
    return Source(index, policy, Geometry(side, channels, view, size, tta="none", decoding=decoding))


def draw_preview(
    data: str | Path,
    out: str | Path,
    *,
    augmentation: AugmentConfig,
    pictures: PicturesConfig,
    reading: ReadingConfig = PLAIN,
    asked: DecodingConfig = USUAL,
    seed: int = 0,
) -> Preview:
    """Draw a few pictures, the view that prediction has of each, and augmented views.

    No cache is built: only the pictures shown are decoded.

    Args:
        data: the pictures, in any layout.
        out: the PNG to write; its folder is made where it is not there.
        augmentation: the policy and its changes; by default that of a training from known weights.
        pictures: size, square, channels and view.
        reading: how `data` is laid out.
        asked: how pictures are decoded, such as the range of 16-bit ones.
        seed: decides which pictures and which random draws.

    Returns:
        The path of the PNG, and that of a second one, OUT-operations.png, with a row for each operation of the policy
        from mild to full; None for a policy without any.

    Raises:
        ConfigError: the policy is unknown, or the PNG can't be written.
        DataError: no picture can be decoded.
    """
    require_suffix(Path(out), ".png", flag="--out")
    from .figures import GOOD, Tile, grid, save_figure  # matplotlib takes half a second to load

    source = read_source(data, augmentation=augmentation, pictures=pictures, reading=reading, asked=asked, seed=seed)
    index, policy, geometry = source.index, source.policy, source.geometry
    view, size = geometry.view, geometry.size
    rows, squares = source.squares(class_after_class(index, np.flatnonzero(index.usable), seed=seed), count=PICTURES)
    images = torch.from_numpy(np.stack([square.pixels for square in squares]))
    aspects = np.array([square.aspect for square in squares], dtype=np.float32)

    plain = model_input(images, aspects, geometry=geometry)
    augment = source.augmenter(rows, squares, seed=seed)
    heights = np.array([square.height for square in squares])
    once = np.zeros(len(rows), dtype=np.int64)
    columns = [augment(images, rows, repeats=once, aspects=aspects, epoch=epoch, size=size) for epoch in range(VIEWS)]
    tiles = []
    for i, row in enumerate(rows):
        name = index.classes[index.labels[row]]
        line = [Tile(_pixels(plain[i]), title=name, colour=GOOD)]
        heads = [f"training, epoch {epoch + 1}" if i == 0 else "" for epoch in range(VIEWS)]
        line += [Tile(_pixels(column[i]), title=head) for column, head in zip(columns, heads, strict=True)]
        tiles.append(line)
    steps = []
    for i, stages in enumerate(stages_of(policy)):
        at = i % len(rows)  # another picture in each row
        mixed = np.array([(at - 1) % len(rows), at])  # behind the one that it is mixed with
        line = [Tile(_pixels(plain[at]), title="as it is", colour=GOOD)]
        for stage in stages:
            shown = stage.show(images[mixed], aspects=aspects[mixed], view=view, size=size, heights=heights[mixed])
            line.append(Tile(_pixels(shown[1]), title=stage.title))
        steps.append(line)
    out = Path(out)
    operations = out.with_name(f"{out.stem}-operations.png") if steps else None
    with writing(out, flag="--out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        save_figure(grid(tiles), out)
        if operations:
            save_figure(grid(steps), operations)
    return Preview(out, operations)


def _pixels(view: torch.Tensor) -> np.ndarray:
    """(C, H, W) float in [0, 1] -> (H, W, C) uint8."""
    return (view.permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
