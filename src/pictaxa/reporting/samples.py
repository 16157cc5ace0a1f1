"""Plain samples of a data set with their labels, as a grid: different pictures, drawn at random, of all classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config.data import DecodingConfig, ReadingConfig
from ..data.cache import digest_of
from ..data.fetching import Fetcher
from ..data.index import SPLITS, Index
from ..data.levels import USUAL, choose_decoding
from ..data.reading import PLAIN, read_data
from ..errors import ConfigError, DataError, PictureError, close_matches
from ..images.decode import decode
from ..images.decoding import Decoding
from ..system.files import require_suffix, writing

if TYPE_CHECKING:  # matplotlib takes half a second to load
    from .figures import Tile

MAX_PICTURES = 100  # of a grid
THUMBNAIL = 260  # pixels of a picture's longer side


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which pictures a grid shows.

    Args:
        rows, columns: of the grid; at most MAX_PICTURES pictures in all.
        class_name: the only class that is shown; "" for all, in turns.
        split: train, val or test; "" for all pictures.
        seed: decides which pictures.
    """

    rows: int
    columns: int
    class_name: str = ""
    split: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.rows * self.columns <= MAX_PICTURES or min(self.rows, self.columns) < 1:
            raise ConfigError(
                f"a grid of 1 to {MAX_PICTURES} pictures", found=f"{self.rows}x{self.columns}", fix="Use --grid 3x4."
            )
        if self.split and self.split not in SPLITS:
            raise ConfigError(f"--split {', '.join(SPLITS)}", found=repr(self.split), fix="Use --split val, or none.")


def read_grid(text: str) -> tuple[int, int]:
    """Read a grid's size.

    Args:
        text: rows x columns, as in matplotlib's subplot(3, 4, ...): "3x4".

    Returns:
        (rows, columns).

    Raises:
        ConfigError: it is something else.

    Example:
        read_grid("3x4")  # (3, 4)
    """
    match = re.fullmatch(r"(\d{1,3})[x×X*,](\d{1,3})", text.replace(" ", ""))
    if match is None:
        raise ConfigError("rows x columns for --grid", found=repr(text), fix="Use --grid 3x4, for example.")
    return int(match[1]), int(match[2])


def draw_samples(
    data: str | Path,
    out: str | Path,
    *,
    wanted: Wanted,
    reading: ReadingConfig = PLAIN,
    asked: DecodingConfig = USUAL,
) -> tuple[Path, int]:
    """Draw pictures of a data set as they are, each with its class.

    Args:
        data: labelled pictures in any layout.
        out: the PNG to write; its folder is made where it is not there.
        wanted: how many, and of which class and split.
        reading: how `data` is laid out.
        asked: how pictures are decoded, such as the range of 16-bit ones.

    Returns:
        The path of the PNG, and the number of pictures in it: fewer than asked for where there are no more.

    Raises:
        ConfigError: the PNG can't be written.
        DataError: there is no such class, no picture of that split, or none that can be decoded.

    Example:
        draw_samples("photos", "samples.png", wanted=Wanted(rows=3, columns=4))
    """
    require_suffix(Path(out), ".png", flag="--out")
    from .figures import grid, save_figure

    index = read_data(data, reading)
    rows = class_after_class(index, _rows_of(index, wanted), seed=wanted.seed)
    decoding, _ = choose_decoding(index, asked)
    tiles = _tiles(index, rows, decoding=decoding, count=wanted.rows * wanted.columns)
    if not tiles:
        raise DataError("pictures that can be decoded", found=f"none under {index.root}", fix="Check the files.")
    out = Path(out)
    with writing(out, flag="--out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        lines = [tiles[first : first + wanted.columns] for first in range(0, len(tiles), wanted.columns)]
        save_figure(grid(lines, inches=1.9), out)
    return out, len(tiles)


def class_after_class(index: Index, rows: np.ndarray, *, seed: int) -> list[int]:
    """Put rows in a random order in which classes take turns, in their own order, as long as they have pictures.

    Args:
        index: the pictures.
        rows: (n,) int64 rows of usable ones.
        seed: decides the order.

    Returns:
        The rows.
    """
    order = np.random.default_rng(seed).permutation(rows)
    labels = index.labels[order]
    by_class = np.split(order[np.argsort(labels, kind="stable")], np.bincount(labels).cumsum()[:-1])
    return [int(row) for turn in zip_longest(*by_class) for row in turn if row is not None]


def _rows_of(index: Index, wanted: Wanted) -> np.ndarray:
    """(n,) rows of the pictures that may be shown, of some classes alone where a grid has no place for all."""
    chosen = index.usable.copy()
    if wanted.class_name:
        if wanted.class_name not in index.classes:
            fix = close_matches(wanted.class_name, index.classes)
            raise DataError(f"a class of {str(index.root)!r} (--class)", found=repr(wanted.class_name), fix=fix)
        chosen &= index.labels == index.classes.index(wanted.class_name)
    splits = index.column("split")
    if wanted.split:
        if not (splits == wanted.split).any():
            there = ", ".join(split for split in SPLITS if (splits == split).any())
            raise DataError(
                f"pictures of {wanted.split} (--split)", found=there or "a data set that is not split yet",
                fix="Leave out --split; a training's own split is in its run: pictaxa evaluate RUN --grid FILE.png."
                if not there else f"Use --split {there.partition(',')[0]}.",
            )  # fmt: skip
        chosen &= splits == wanted.split
    rows = np.flatnonzero(chosen)
    if not len(rows):
        of = f"{wanted.class_name!r} in {wanted.split or 'the data set'}"
        raise DataError("pictures to show", found=f"none of {of}", fix="Choose another --class or --split.")
    present, count = np.unique(index.labels[rows]), wanted.rows * wanted.columns
    if len(present) > count:
        present = np.random.default_rng(wanted.seed).choice(present, count, replace=False)
    return rows[np.isin(index.labels[rows], present)]


def _tiles(index: Index, rows: list[int], *, decoding: Decoding, count: int) -> list[Tile]:
    """The first `count` different pictures that can be read."""
    from .figures import Tile

    tiles: list[Tile] = []
    seen: set[str] = set()
    with Fetcher(index) as fetcher:
        for row in rows:
            try:
                picture = fetcher.fetch(row)
                digest = digest_of(picture)
                if digest in seen:
                    continue
                image = decode(picture, name=fetcher.name(row), decoding=decoding, least_side=THUMBNAIL)
            except PictureError:
                continue
            seen.add(digest)
            image.thumbnail((THUMBNAIL, THUMBNAIL), reducing_gap=3.0)
            tiles.append(Tile(np.asarray(image), title=index.classes[index.labels[row]]))
            if len(tiles) == count:
                break
    return tiles
