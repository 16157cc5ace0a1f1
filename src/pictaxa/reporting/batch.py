"""A training batch in numbers: the shape, type, range and mean of what the model gets, and its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..config.data import AugmentConfig, DecodingConfig, PicturesConfig, ReadingConfig
from ..data.levels import USUAL
from ..data.reading import PLAIN
from ..errors import ConfigError
from ..system.printing import lines_html
from .preview import read_source

SHOWN_LABELS = 16  # of a batch's labels, and of its classes


@dataclass(frozen=True, repr=False)
class Batch:
    """What a model gets in one step of a training, as arrays; its repr has them in numbers.

    Example:
        batch = pictaxa.preview_batch("photos", batch_size=8)
        print(batch.images.shape, batch.labels)  # (8, 3, 128, 128) [3 0 1 ...]
    """

    images: np.ndarray  # (N, C, size, size) float32 in [0, 1]: the model normalises them itself
    labels: np.ndarray  # (N,) int64
    paths: tuple[str, ...]  # of the pictures, relative to the data set
    classes: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """In words: shape, type, range, mean, labels, and how many there are of each class."""
        images, labels = self.images, self.labels
        yield f"batch     {images.shape} {images.dtype}: pictures, channels, height, width"
        channels = " ".join(f"{mean:.3f}" for mean in images.mean(axis=(0, 2, 3)))
        of = "red, green, blue" if images.shape[1] == 3 else "grey"
        yield f"range     {images.min():.3f} to {images.max():.3f}; the model does its own normalization"
        yield f"mean      {images.mean():.3f} ({of}: {channels}), standard deviation {images.std():.3f}"
        more = " ..." if len(labels) > SHOWN_LABELS else ""
        yield f"labels    {labels.shape} {labels.dtype}: {' '.join(map(str, labels[:SHOWN_LABELS]))}{more}"
        counts = np.bincount(labels, minlength=len(self.classes))
        present = np.flatnonzero(counts)
        told = ", ".join(f"{label} {self.classes[label]} {counts[label]}" for label in present[:SHOWN_LABELS])
        yield f"classes   {told}{', ...' if len(present) > SHOWN_LABELS else ''}"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return lines_html(self.lines())


def make_batch(
    data: str | Path,
    *,
    augmentation: AugmentConfig,
    pictures: PicturesConfig,
    batch_size: int,
    reading: ReadingConfig = PLAIN,
    asked: DecodingConfig = USUAL,
    seed: int = 0,
) -> Batch:
    """Make the first batch of a training: pictures in random order, augmented.

    Args:
        data: labelled pictures in any layout.
        augmentation: the policy and its changes; by default that of a training from known weights.
        pictures: size, square, channels and view.
        batch_size: how many pictures; fewer where the data set has fewer.
        reading: how `data` is laid out.
        asked: how pictures are decoded, such as the range of 16-bit ones.
        seed: decides which pictures and which random draws.

    Returns:
        A Batch.

    Raises:
        ConfigError: the policy is unknown, or `batch_size` is less than 1.
        DataError: no picture can be decoded.

    Example:
        print(make_batch("photos", augmentation=AugmentConfig(), pictures=PicturesConfig(size=224), batch_size=8))
    """
    if batch_size < 1:
        raise ConfigError("--batch-size 1 or more", found=str(batch_size), fix="Use --batch-size 8, for example.")
    source = read_source(data, augmentation=augmentation, pictures=pictures, reading=reading, asked=asked, seed=seed)
    index, geometry = source.index, source.geometry
    splits = index.column("split")
    trained = np.flatnonzero(index.usable & np.isin(splits, ["train", ""]))  # where there is nothing else, all
    order = np.random.default_rng(seed).permutation(trained if len(trained) else np.flatnonzero(index.usable))
    rows, squares = source.squares(order.tolist(), count=batch_size)
    augment = source.augmenter(rows, squares, seed=seed)
    images = augment(
        torch.from_numpy(np.stack([square.pixels for square in squares])), rows,
        repeats=np.zeros(len(rows), dtype=np.int64),
        aspects=np.array([square.aspect for square in squares], dtype=np.float32), epoch=0, size=geometry.size,
    )  # fmt: skip
    paths = tuple(index.name(row) for row in rows)
    return Batch(images.clamp(0, 1).numpy(), index.labels[rows], paths, index.classes)
