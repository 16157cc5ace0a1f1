"""Splitting by us: stratified, seeded, independent of the order of files; what belongs together stays on one side."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .index import Index

VAL_FRACTION = 0.2
MOST_ALIKE = 50  # pictures that stay together because they are alike
NO_PAIRS = np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True)
class Unit:
    """Pictures that stay together: identical ones, those of a group, and those that are alike."""

    key: str  # of its content alone
    rows: tuple[int, ...]
    labels: frozenset[int]
    contradicts: bool  # whether one picture stands in it under two labels


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
    chosen = _share(by_class, val_fraction) if fold is None else _part(by_class, fold)
    splits[pool] = "train"
    splits[[row for unit in chosen for row in unit.rows]] = "val"
    splits[splits == ""] = "train"  # the ones set aside: `usable` keeps them out
    split = index.with_columns({"split": splits})
    _check_each_class_can_train(split)
    return split


def find_units(index: Index, pool: np.ndarray, *, alike: np.ndarray = NO_PAIRS) -> list[Unit]:
    """The pool's rows in units, by content, by group and by the pairs of rows that are alike."""
    hashes, groups, labels = index.column("hash"), index.column("group"), index.labels
    above = np.arange(len(index))  # union-find: each row points towards its unit's first

    def first(row: int) -> int:
        while above[row] != row:
            above[row] = above[above[row]]
            row = above[row]
        return row

    owners: dict[str, int] = {}
    for row in map(int, pool):
        for word in (f"hash {hashes[row]}", f"group {groups[row]}" if groups[row] else ""):
            if word:
                above[first(row)] = first(owners.setdefault(word, row))
    inside, sizes = set(map(int, pool)), Counter(first(row) for row in map(int, pool))
    for one, other in alike.tolist():
        if one not in inside or other not in inside:
            continue
        low, high = first(one), first(other)
        # Likeness leads on from picture to picture; a unit that takes in a whole class says no more.
        if low != high and sizes[low] + sizes[high] <= MOST_ALIKE:
            above[low] = high
            sizes[high] += sizes[low]
    members: dict[int, list[int]] = defaultdict(list)
    for row in map(int, pool):
        members[first(row)].append(row)
    units = []
    for rows in members.values():
        seen: dict[str, int] = {}
        contradicts = any(seen.setdefault(hashes[row], labels[row]) != labels[row] for row in rows)
        key = min(groups[row] or hashes[row] for row in rows)
        units.append(Unit(key, tuple(rows), frozenset(int(labels[row]) for row in rows), contradicts))
    return units


def _ordered(units: list[Unit], *, seed: int) -> dict[int, list[Unit]]:
    """Label -> its units in an order that seed and content alone decide; one of several labels stands under each.

    Identical pictures under two labels: one label is wrong, and such a unit must not judge the model.
    """
    by_class: dict[int, list[Unit]] = defaultdict(list)
    for unit in units:
        if not unit.contradicts:
            for label in unit.labels:
                by_class[label].append(unit)
    for own in by_class.values():
        own.sort(key=lambda unit: hashlib.blake2b(f"{seed}:{unit.key}".encode(), digest_size=16).digest())
    return dict(sorted(by_class.items()))


def _share(by_class: dict[int, list[Unit]], val_fraction: float) -> set[Unit]:
    """The first of each class' order, until its share is reached; the last always stays in training."""
    chosen: set[Unit] = set()
    for units in by_class.values():
        wanted = max(1, round(sum(len(unit.rows) for unit in units) * val_fraction))
        taken = sum(len(unit.rows) for unit in units if unit in chosen)
        for unit in units[:-1]:
            if taken >= wanted:
                break
            if unit not in chosen:
                chosen.add(unit)
                taken += len(unit.rows)
    return chosen


def _part(by_class: dict[int, list[Unit]], fold: tuple[int, int]) -> set[Unit]:
    """The i-th of K equal parts of each class' order, by pictures; a unit of several classes counts with its first."""
    number, parts = fold
    chosen: set[Unit] = set()
    for label, units in by_class.items():
        own = [unit for unit in units if min(unit.labels) == label]
        ends = np.cumsum([len(unit.rows) for unit in own])
        for unit, end in zip(own, ends, strict=True):
            middle = end - len(unit.rows) / 2
            if int(middle * parts / ends[-1]) == number - 1:
                chosen.add(unit)
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
            fix="Add pictures to train, remove the class, or put fewer of its pictures into one group.",
        )
    if len(index.rows("val")) == 0:
        raise DataError(
            "readable validation pictures",
            found="none",
            fix="Replace the pictures in val, or put fewer of a class into one group.",
        )
