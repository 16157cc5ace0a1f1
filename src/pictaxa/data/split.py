"""Splitting by us: stratified, seeded, independent of the order of files, identical files on one side."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np

from ..errors import DataError
from .index import Index

VAL_FRACTION = 0.2


def split_index(index: Index, seed: int, *, val_fraction: float = VAL_FRACTION) -> Index:
    """Give every usable row a split, taking validation out of the rows that training may use.

    Where the owner has made a validation folder, nothing changes. Otherwise each class gives `val_fraction` of its
    pictures (at least one, and never all) to validation, in an order drawn from the seed and each picture's content:
    neither the listing order nor other pictures move one across. Needs the index's hashes.
    """
    splits = index.column("split").copy()
    if (splits == "val").any():
        _check_each_class_can_train(index)
        return index
    pool = np.flatnonzero(index.usable & ((splits == "") | (splits == "train")))
    _check_pool(index, pool=pool)
    splits[pool] = "train"
    splits[list(_validation_rows(index, pool=pool, seed=seed, val_fraction=val_fraction))] = "val"
    splits[splits == ""] = "train"  # the ones set aside: `usable` keeps them out
    return index.with_columns({"split": splits})


def _validation_rows(index: Index, *, pool: np.ndarray, seed: int, val_fraction: float) -> set[int]:
    hashes, labels = index.column("hash"), index.labels
    copies: dict[str, list[int]] = defaultdict(list)
    for row in pool:
        copies[hashes[row]].append(int(row))
    by_class: dict[int, list[str]] = defaultdict(list)
    for content, rows in copies.items():
        # Identical files under two labels: one label is wrong, and such a picture must not judge the model.
        if len({labels[row] for row in rows}) == 1:
            by_class[int(labels[rows[0]])].append(content)

    chosen: set[int] = set()
    for contents in by_class.values():
        contents.sort(key=lambda content: hashlib.blake2b(f"{seed}:{content}".encode(), digest_size=16).digest())
        pictures = sum(len(copies[content]) for content in contents)
        wanted = max(1, round(pictures * val_fraction))
        taken = 0
        for content in contents[: len(contents) - 1]:  # the last content always stays in training
            if taken >= wanted:
                break
            chosen.update(copies[content])
            taken += len(copies[content])
    return chosen


def _check_pool(index: Index, *, pool: np.ndarray) -> None:
    hashes, labels = index.column("hash"), index.labels
    distinct = [len(set(hashes[pool[labels[pool] == label]])) for label in range(len(index.classes))]
    few = [f"{name!r} has {count}" for name, count in zip(index.classes, distinct, strict=True) if count < 2]
    if few:
        raise DataError(
            "at least two different readable pictures in each class, one to learn from and one to judge by",
            found=", ".join(few[:5]),
            fix="Add pictures, remove the class, or make train/ and val/ folders yourself.",
        )


def _check_each_class_can_train(index: Index) -> None:
    counts = np.bincount(index.labels[index.rows("train")], minlength=len(index.classes))
    empty = [name for name, count in zip(index.classes, counts, strict=True) if count == 0]
    if empty:
        raise DataError(
            "at least one readable training picture in each class",
            found=f"none of {', '.join(map(repr, empty[:5]))}",
            fix="Add pictures to train or remove the class.",
        )
    if len(index.rows("val")) == 0:
        raise DataError("readable validation pictures", found="none", fix="Replace the pictures in val.")
