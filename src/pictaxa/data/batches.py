"""Batches of cached squares: which rows in which order, read one batch ahead of the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from .fetching import MAX_OPEN
from .squares import Squares


@dataclass(frozen=True)
class Batch:
    """Pictures on the device, as stored in the cache."""

    images: torch.Tensor  # (N, S, S, C) uint8, in memory as (N, C, S, S): sampling is faster from planes
    labels: torch.Tensor  # (N,) int64
    rows: np.ndarray  # (N,) int64, on the host: randomness is a function of them
    aspects: np.ndarray  # (N,) float32: width / height
    repeats: np.ndarray  # (N,) int64: how often each row came before in its epoch


def epoch_order(
    rows: np.ndarray,
    epoch: int,
    *,
    seed: int,
    batch_size: int,
    balance: np.ndarray | None = None,
    files: np.ndarray | None = None,
) -> list[np.ndarray]:
    """The batches of an epoch as row numbers: a permutation that only (seed, epoch) decides, in nearly equal parts.

    Nearly equal parts rather than a small rest: batch statistics of a few pictures would be noise. With `balance`, the
    labels of these rows (n,), every class comes equally often: pictures of rare classes several times. With `files`,
    the file of every row of the index, no more than MAX_OPEN are read from at any time of the epoch.
    """
    chosen = rows if balance is None else _equal_classes(rows, balance, epoch, seed=seed)
    order = np.random.default_rng([seed, epoch]).permutation(chosen)
    if files is not None:
        # Files in a random order, a few of them together in a random order: as WebDataset shuffles shards.
        turn = np.random.default_rng([seed, epoch]).permutation(files.max() + 1) // MAX_OPEN
        order = order[np.argsort(turn[files[order]], kind="stable")]
    parts = max(1, -(-len(order) // batch_size))
    return np.array_split(order, parts)


def nth_part(
    order_of: Callable[[int], list[np.ndarray]], number: int, *, of: int, steps_per_pass: int
) -> list[np.ndarray]:
    """Batches number * of to (number + 1) * of of passes over the pictures, one after the other, without end."""
    start = number * of
    passes = range(start // steps_per_pass, -(-(start + of) // steps_per_pass))
    batches = [batch for each in passes for batch in order_of(each)]
    begin = start - passes[0] * steps_per_pass
    return batches[begin : begin + of]


def _equal_classes(rows: np.ndarray, labels: np.ndarray, epoch: int, *, seed: int) -> np.ndarray:
    """As many rows, each class' share of them the next in its endless row of permutations."""
    present = np.unique(labels)
    share = -(-len(rows) // len(present))
    chosen = []
    for label in present:
        own = rows[labels == label]
        start, end = epoch * share, (epoch + 1) * share
        passes = range(start // len(own), -(-end // len(own)))
        endless = np.concatenate([np.random.default_rng([seed, int(label), turn]).permutation(own) for turn in passes])
        begin = start - passes[0] * len(own)
        chosen.append(endless[begin : begin + share])
    whole = np.concatenate(chosen)
    return np.random.default_rng([seed, epoch, len(rows)]).permutation(whole)[: len(rows)]


def count_turns(order: list[np.ndarray]) -> list[np.ndarray]:
    """For each row of an epoch's batches, how often it came before."""
    if not order:
        return []
    rows = np.concatenate(order)
    places = np.argsort(rows, kind="stable")
    firsts = np.flatnonzero(np.diff(rows[places], prepend=-1))
    repeats = np.empty(len(rows), dtype=np.int64)
    repeats[places] = np.arange(len(rows)) - np.repeat(firsts, np.diff(firsts, append=len(rows)))
    return np.split(repeats, np.cumsum([len(batch) for batch in order])[:-1])


def in_order(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Rows as they are, in batches of `batch_size` and a rest."""
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def read_batches(
    cache: Squares, batches: list[np.ndarray], *, labels: np.ndarray, device: torch.device, first: int = 0
) -> Iterator[Batch]:
    """The batches' pictures from batch `first` on, each read from the memory map while the one before it is worked on.

    `labels` is (rows of the index,) int64.
    """
    repeats = count_turns(batches)[first:]
    batches = batches[first:]

    def read(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.from_numpy(cache.read(rows))
        if device.type == "cuda":
            images = images.pin_memory()
        return images, torch.from_numpy(labels[rows])

    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        ahead = reader.submit(read, batches[0]) if batches else None
        for number, rows in enumerate(batches):
            assert ahead is not None
            images, targets = ahead.result()
            if number + 1 < len(batches):
                ahead = reader.submit(read, batches[number + 1])
            yield Batch(
                images=images.to(device, non_blocking=True),
                labels=targets.to(device, non_blocking=True),
                rows=rows,
                aspects=cache.aspects[rows],
                repeats=repeats[number],
            )
