"""Automatic splits: stratified, seeded, independent of file order; pictures that belong together stay on one side."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import DataError
from .index import Index

VAL_FRACTION = 0.2
MAX_ALIKE = 50  # pictures that stay together because they are alike
NO_PAIRS = np.empty((0, 2), dtype=np.int64)


def places_in_class(labels: np.ndarray) -> np.ndarray:
    """(n,) labels in some order -> (n,) int64: how many of its own class come before each."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    places = np.empty(len(labels), dtype=np.int64)
    places[order] = np.arange(len(labels)) - np.repeat(counts.cumsum() - counts, counts)
    return places


def parts_of_class(labels: np.ndarray) -> np.ndarray:
    """The same as parts of the class, from 0 for its first to below 1 for its last: (n,) float64."""
    return places_in_class(labels) / np.bincount(labels)[labels]


@dataclass(frozen=True)
class Units:
    """Pictures that stay together: identical ones, those of a group, and those that are alike."""

    of: np.ndarray  # (pool,) int64: the unit of each of the pool's rows
    sizes: np.ndarray  # (units,) int64: pictures
    keys: list[str]  # of each unit, of its content alone
    labels: np.ndarray  # (n, 2) int64: label and unit, once for every label that stands in a unit
    contradict: np.ndarray  # (units,) bool: whether one picture stands in it under two labels


def split_index(
    index: Index,
    seed: int,
    *,
    val_fraction: float = VAL_FRACTION,
    fold: tuple[int, int] | None = None,
    alike: np.ndarray = NO_PAIRS,
) -> Index:
    """Give every usable row a split, taking validation out of the rows that training may use.

    Where the owner has made a validation folder, nothing changes. Otherwise each class gives `val_fraction` of its
    pictures (at least one, and never all) to validation, in an order drawn from the seed and each picture's content:
    neither the listing order nor other pictures move one across. `fold` (i, K), from 1 on, takes the i-th of K parts of
    that order instead. Rows of a group, and the pairs (m, 2) of rows in `alike`, stay together. Needs the index's
    hashes.
    """
    splits = index.column("split").copy()
    if (splits == "val").any() and fold is None:
        _check_each_class_can_train(index)
        return index
    pool = np.flatnonzero(index.usable & np.isin(splits, ["", "train"] if fold is None else ["", "train", "val"]))
    _check_pool(index, pool=pool)
    units = find_units(index, pool, alike=alike)
    by_class = _ordered(units, seed=seed)
    chosen = _share(by_class, units, val_fraction) if fold is None else _part(by_class, units, fold)
    splits[pool] = np.where(chosen[units.of], "val", "train")
    splits[splits == ""] = "train"  # the ones set aside: `usable` keeps them out
    split = index.with_columns({"split": splits})
    _check_each_class_can_train(split)
    return split


def find_units(index: Index, pool: np.ndarray, *, alike: np.ndarray = NO_PAIRS) -> Units:
    """The pool's rows in units, by content, by group and by the pairs of rows that are alike."""
    labels, hashes, groups = index.labels[pool], _column(index, "hash", pool), _column(index, "group", pool)
    content, together = _codes(hashes), _codes(groups)
    grouped = pc.not_equal(groups, "").to_numpy(zero_copy_only=False)
    joined = content
    if grouped.any():
        # A node for every content, then one for every group; a grouped picture is the line between its two.
        nodes = int(content.max()) + 1 + together
        count = int(nodes.max()) + 1
        lines = coo_array((np.ones(grouped.sum()), (content[grouped], nodes[grouped])), shape=(count, count))
        joined = connected_components(lines, directed=False)[1][content]
    of = _join_alike(joined, pool, rows=len(index), alike=alike)
    sizes = np.bincount(of)
    words = pc.if_else(pc.equal(groups, ""), hashes, groups).dictionary_encode()
    rank = np.empty(len(words.dictionary), dtype=np.int64)
    in_order = pc.sort_indices(words.dictionary).to_numpy()
    rank[in_order] = np.arange(len(rank))
    least = _least(of, rank[words.indices.to_numpy()])
    low, high = _least(content, labels), -_least(content, -labels)
    contradict = np.zeros(len(sizes), dtype=bool)
    contradict[of[(low != high)[content]]] = True
    keys = words.dictionary.take(pa.array(in_order[least])).to_pylist()
    return Units(of, sizes, keys, np.unique(np.stack([labels, of], axis=1), axis=0), contradict)


def _column(index: Index, name: str, rows: np.ndarray) -> pa.Array:
    return index.table[name].take(pa.array(rows)).combine_chunks()


def _codes(words: pa.Array) -> np.ndarray:
    """A number for each different word."""
    codes: np.ndarray = words.dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes


def _least(numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The least value of each number from 0 on."""
    least = np.full(numbers.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, numbers, values)
    return least


def _join_alike(units: np.ndarray, pool: np.ndarray, *, rows: int, alike: np.ndarray) -> np.ndarray:
    """(pool,) units, with those joined that hold pictures that are alike, numbered from 0 on."""
    place = np.full(rows, -1)
    place[pool] = np.arange(len(pool))
    pairs = place[alike]
    above = list(range(int(units.max()) + 1))  # union-find: each unit points towards its first
    sizes = np.bincount(units).tolist()

    def first(unit: int) -> int:
        while above[unit] != unit:
            above[unit] = above[above[unit]]
            unit = above[unit]
        return unit

    for one, other in units[pairs[(pairs >= 0).all(axis=1)]].tolist():
        low, high = first(one), first(other)
        # Likeness leads on from picture to picture; a unit that takes in a whole class says no more.
        if low != high and sizes[low] + sizes[high] <= MAX_ALIKE:
            above[low] = high
            sizes[high] += sizes[low]
    firsts = np.array([first(unit) for unit in range(len(above))]) if len(pairs) else np.array(above)
    numbered: np.ndarray = np.unique(firsts[units], return_inverse=True)[1]
    return numbered


def _ordered(units: Units, *, seed: int) -> dict[int, np.ndarray]:
    """Label -> its units in an order that seed and content alone decide; one of several labels stands under each.

    Identical pictures under two labels: one label is wrong, and such a unit must not judge the model.
    """
    digests = b"".join(hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=16).digest() for key in units.keys)
    high, low = np.frombuffer(digests, dtype=">u8").reshape(-1, 2).T
    labels, numbers = units.labels[~units.contradict[units.labels[:, 1]]].T
    order = np.lexsort((low[numbers], high[numbers], labels))
    present, starts = np.unique(labels[order], return_index=True)
    return dict(zip(present.tolist(), np.split(numbers[order], starts[1:]), strict=True))


def _share(by_class: dict[int, np.ndarray], units: Units, val_fraction: float) -> np.ndarray:
    """(units,) bool: the first of each class' order, until its share is reached; the last always stays in training."""
    chosen = np.zeros(len(units.sizes), dtype=bool)
    for own in by_class.values():
        wanted = max(1, round(int(units.sizes[own].sum()) * val_fraction))
        taken = int(units.sizes[own[chosen[own]]].sum())
        for unit in own[:-1]:
            if taken >= wanted:
                break
            if not chosen[unit]:
                chosen[unit] = True
                taken += units.sizes[unit]
    return chosen


def _part(by_class: dict[int, np.ndarray], units: Units, fold: tuple[int, int]) -> np.ndarray:
    """(units,) bool: the i-th of K equal parts of each class' order, by pictures; a unit of several classes counts
    with its first.
    """
    number, parts = fold
    chosen = np.zeros(len(units.sizes), dtype=bool)
    first_label = _least(units.labels[:, 1], units.labels[:, 0])
    for label, units_in_order in by_class.items():
        own = units_in_order[first_label[units_in_order] == label]
        if len(own):
            ends = np.cumsum(units.sizes[own])
            middles = ends - units.sizes[own] / 2
            chosen[own[(middles * parts / ends[-1]).astype(int) == number - 1]] = True
    return chosen


def _check_pool(index: Index, *, pool: np.ndarray) -> None:
    if not len(pool):
        raise DataError(
            "pictures to train on", found="only pictures for validation or test", fix="Give the whole data set."
        )
    content = np.stack([index.labels[pool], _codes(_column(index, "hash", pool))], axis=1)
    distinct = np.bincount(np.unique(content, axis=0)[:, 0], minlength=len(index.classes)).tolist()
    few = [f"{name!r} has {count}" for name, count in zip(index.classes, distinct, strict=True) if count < 2]
    if few:
        raise DataError(
            "at least two different readable pictures in each class, one to train on and one to validate",
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
            fix="Add pictures to train, remove the class, or put fewer of its pictures into the same group.",
        )
    if len(index.rows("val")) == 0:
        raise DataError(
            "readable validation pictures",
            found="none",
            fix="Replace the pictures in val, or put fewer pictures of a class into the same group.",
        )
