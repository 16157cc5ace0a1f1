"""Shows what training will see: a grid of random views, and one of each operation from mild to full strength."""

from __future__ import annotations

import base64
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..augment.augmenter import Augmenter
from ..augment.policy import find_policy, read_policies
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
from ..system.files import writing

PICTURES = 6  # rows of the grid
VIEWS = 6  # augmented views of each
MIN_SIDE = 32  # pixels of a view


class Preview(NamedTuple):
    """The pictures that `draw_preview` has drawn; a notebook shows them."""

    picture: Path
    operations: Path | None  # a row for each operation of the policy; None for a policy without any

    def _repr_html_(self) -> str:
        data = [base64.b64encode(path.read_bytes()).decode() for path in self if path is not None]
        return "".join(f'<img src="data:image/png;base64,{text}">' for text in data)


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
    from .figures import GOOD, Tile, grid, save_figure  # matplotlib takes half a second to load

    augmentation = read_policies(augmentation)
    policy = find_policy(augmentation.policy or FROM_KNOWN.policy, augmentation.augment)
    view = pictures.view or FROM_KNOWN.view
    index = draw_pictures(read_data(data, reading), pictures.pictures, seed=seed)
    longer_side, all_grey = survey(index)
    size = pictures.size or max(MIN_SIDE, min(128, longer_side))
    side = pictures.square or max(size, min(longer_side, size * 5 // 4))
    channels = {"1": 1, "3": 3, "auto": 1 if all_grey else 3}[pictures.channels]
    decoding, _ = choose_decoding(index, asked)
    rows, squares = _some_squares(index, CacheSpec(side, channels, decoding), seed=seed)
    images = torch.from_numpy(np.stack([square.pixels for square in squares]))
    aspects = np.array([square.aspect for square in squares], dtype=np.float32)

    geometry = Geometry(square=side, channels=channels, view=view, size=size, tta="none")
    plain = model_input(images, aspects, geometry=geometry)
    heights = np.array([square.height for square in squares])
    of_rows = np.zeros(len(index), dtype=np.int64)
    of_rows[rows] = heights
    augment = Augmenter(policy, view, seed=seed, heights=of_rows)
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


def _some_squares(index: Index, spec: CacheSpec, *, seed: int) -> tuple[np.ndarray, list[Square]]:
    """A few readable pictures, one class after the other."""
    order = np.random.default_rng(seed).permutation(np.flatnonzero(index.usable))
    labels = index.labels[order]
    by_class = np.split(order[np.argsort(labels, kind="stable")], np.bincount(labels).cumsum()[:-1])
    rows, squares = [], []
    with Fetcher(index) as fetcher:
        for row in (row for turn in zip_longest(*by_class) for row in turn if row is not None):
            try:
                squares.append(spec.square_of(fetcher.fetch(row), name=fetcher.name(row)))
                rows.append(row)
            except PictureError:
                continue
            if len(rows) == PICTURES:
                break
    if not rows:
        raise DataError("pictures that can be decoded", found=f"none under {index.root}", fix="Check the files.")
    return np.array(rows, dtype=np.int64), squares


def _pixels(view: torch.Tensor) -> np.ndarray:
    """(C, H, W) float in [0, 1] -> (H, W, C) uint8."""
    return (view.permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
