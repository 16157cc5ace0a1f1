"""Some of a data set's pictures: drawn by a seed, each class in its proportion, whatever the order of the files.

A picture's place in the draw depends on the seed and its path alone, so the pictures of a small draw are among those of
a larger one.
"""

from __future__ import annotations

import hashlib

import numpy as np

from ..errors import ConfigError
from .index import Index

LEAST = 2  # of each class to train with: one to learn from and one to validate


def draw_pictures(index: Index, count: int | None, *, seed: int) -> Index:
    """Keep some of the pictures that a training may use, and none of those for testing, which it never reads.

    Args:
        index: the data set, before anything is decoded.
        count: how many pictures to train and validate on; None for all, which also keeps those for testing.
        seed: decides which.

    Returns:
        The index of these pictures, in their order, with a note of how many they are. Where the data set has its own
        validation pictures, each split is drawn from in proportion.

    Raises:
        ConfigError: so few that a class would have less than two.

    Example:
        index = draw_pictures(read_data("mnist"), 256, seed=0)
    """
    if count is None:
        return index
    rows = np.flatnonzero(index.usable & (index.column("split") != "test") & (index.labels >= 0))
    drawn = draw_rows(index, rows, count, seed=seed, least=LEAST)
    return index.take(drawn).with_notes(f"{len(drawn):,} of {len(rows):,} pictures, drawn at random from each class")


def draw_rows(index: Index, rows: np.ndarray, count: int, *, seed: int, least: int = 1) -> np.ndarray:
    """Draw some rows of an index, each split and class in its proportion.

    Args:
        index: the pictures.
        rows: (n,) int64, those to draw from.
        count: how many; all of them where they are fewer.
        seed: decides which.
        least: how many of each split's every class at least, where it has so many.

    Returns:
        (count,) int64 rows in their order.

    Raises:
        ConfigError: `count` is less than `least` of each.

    Example:
        rows = draw_rows(index, index.rows("test"), 128, seed=0)
    """
    if count >= len(rows):
        return rows
    keys = np.char.add(index.column("split")[rows].astype(str), np.char.add("/", index.labels[rows].astype(str)))
    _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    parts = _parts(sizes, count, least=least)
    order = np.lexsort((_ranks(index, rows, seed=seed), group))
    starts = np.cumsum(sizes) - sizes
    chosen = np.concatenate([order[start : start + part] for start, part in zip(starts, parts, strict=True)])
    drawn: np.ndarray = np.sort(rows[chosen])
    return drawn


def _parts(sizes: np.ndarray, count: int, *, least: int) -> np.ndarray:
    """How many of each group: in proportion to its size, the largest remainders rounded up, and at least so many."""
    floor = np.minimum(sizes, least)
    if count < floor.sum():
        raise ConfigError(
            f"--pictures of {floor.sum()} or more, {least} of each class", found=str(count),
            fix=f"Use --pictures {floor.sum()}, or fewer classes with --only.",
        )  # fmt: skip
    wanted = sizes * (count / sizes.sum())
    parts: np.ndarray = np.maximum(wanted.astype(np.int64), floor)
    while parts.sum() != count:  # remainders, and what rare classes get beyond their part
        short = parts.sum() < count
        may = parts < sizes if short else parts > floor
        lacking = np.where(may, wanted - parts if short else parts - wanted, -np.inf)
        parts[lacking.argmax()] += 1 if short else -1
    return parts


def _ranks(index: Index, rows: np.ndarray, *, seed: int) -> np.ndarray:
    """(n,) uint64 of each row's path and the seed."""
    paths = index.column("path")[rows]
    digests = (hashlib.blake2b(f"{seed}:{path}".encode("utf-8", "surrogateescape"), digest_size=8) for path in paths)
    return np.frombuffer(b"".join(digest.digest() for digest in digests), dtype=">u8").astype(np.uint64)
