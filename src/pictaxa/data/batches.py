"""Batches of cached squares: which rows in which order, read one batch ahead of the device."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from .cache import PixelCache


@dataclass(frozen=True)
class Batch:
    """Pictures on the device, as they lie in the cache."""

    images: torch.Tensor  # (N, S, S, C) uint8, in memory as (N, C, S, S): sampling is faster from planes
    labels: torch.Tensor  # (N,) int64
    rows: np.ndarray  # (N,) int64, on the host: randomness is a function of them
    aspects: np.ndarray  # (N,) float32: width / height


def epoch_order(rows: np.ndarray, epoch: int, *, seed: int, batch_size: int) -> list[np.ndarray]:
    """The batches of an epoch as row numbers: a permutation that only (seed, epoch) decides, in nearly equal parts.

    Nearly equal parts rather than a small rest: batch statistics of a few pictures would be noise.
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    parts = max(1, -(-len(order) // batch_size))
    return np.array_split(order, parts)


def in_order(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Rows as they are, in batches of `batch_size` and a rest."""
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def read_batches(
    cache: PixelCache, batches: list[np.ndarray], *, labels: np.ndarray, device: torch.device
) -> Iterator[Batch]:
    """The batches' pictures, each read from the memory map while the one before it is being worked on.

    `labels` is (rows of the index,) int64.
    """

    def read(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        planes = np.ascontiguousarray(cache.read(rows).transpose(0, 3, 1, 2))
        images = torch.from_numpy(planes).permute(0, 2, 3, 1)
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
            )
