from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch

from pictaxa.data.batches import count_turns, epoch_order, in_order, nth_part, read_batches
from pictaxa.data.squares import PixelCache

ROWS = np.arange(100, 203)


def test_an_epoch_holds_every_row_once_in_nearly_equal_batches():
    """Every row comes once, batches differ by at most one picture, and none is a small rest."""
    batches = epoch_order(ROWS, 0, seed=0, batch_size=10)
    assert sorted(np.concatenate(batches)) == ROWS.tolist()
    sizes = {len(batch) for batch in batches}
    assert max(sizes) <= 10 and max(sizes) - min(sizes) <= 1


def test_the_order_is_a_function_of_seed_and_epoch():
    """The same (seed, epoch) gives the same order; another epoch or seed another."""

    def order(epoch: int, seed: int) -> list[int]:
        return np.concatenate(epoch_order(ROWS, epoch, seed=seed, batch_size=10)).tolist()

    assert order(3, 1) == order(3, 1)
    assert order(3, 1) != order(4, 1) and order(3, 1) != order(3, 2)


def test_batches_carry_the_pixels_labels_and_aspects_of_their_rows():
    """What is read ahead arrives in order, each row with its own square, label and aspect ratio."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    slots = np.array([4, -1, 2, 0, 1, 3])
    aspects = np.linspace(0.5, 2, 6).astype(np.float32)
    labels = np.array([0, 9, 1, 0, 1, 2])
    sums = np.array([zlib.crc32(pixels[slot].data) for slot in slots], dtype=np.uint32)
    cache = PixelCache(pixels=pixels, slots=slots, aspects=aspects, sums=sums, mend=lambda row: pixels[slots[row]])
    rows = np.array([5, 0, 2, 3, 4])
    batches = list(read_batches(cache, in_order(rows, 2), labels=labels, device=torch.device("cpu")))
    assert [len(batch.rows) for batch in batches] == [2, 2, 1]
    for batch in batches:
        assert np.array_equal(batch.images.numpy(), pixels[slots[batch.rows]])
        assert batch.labels.tolist() == labels[batch.rows].tolist()
        assert np.array_equal(batch.aspects, aspects[batch.rows])


def test_balanced_epochs_have_every_class_equally_often():
    """As many pictures as there are, each class' share of them; over the epochs each picture of a class as often."""
    labels = np.array([0] * 90 + [1] * 10 + [2] * 3)
    seen = np.zeros(300, dtype=int)
    for epoch in range(30):
        batches = epoch_order(ROWS, epoch, seed=1, batch_size=10, balance=labels)
        rows = np.concatenate(batches)
        counts = np.bincount(labels[rows - 100], minlength=3)
        assert len(rows) == 103 and max(counts) - min(counts) <= 2
        np.add.at(seen, rows, 1)
        again = epoch_order(ROWS, epoch, seed=1, batch_size=10, balance=labels)
        assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    for label in range(3):
        own = seen[ROWS[labels == label]]
        assert own.min() >= 0.6 * own.mean() and own.max() <= 1.4 * own.mean()


def test_turns_count_what_came_before():
    """In the order of the batches, from 0 on for each row by itself."""
    order = [np.array([5, 3, 5]), np.array([3]), np.array([5, 9])]
    assert [repeats.tolist() for repeats in count_turns(order)] == [[0, 0, 1], [1], [2, 0]]
    assert count_turns([]) == []


@pytest.mark.parametrize("steps", [1, 3, 4, 7, 9])
def test_epochs_of_so_many_steps_go_on_where_the_last_one_ended(steps: int):
    """One after the other they are the passes over the pictures, each row once in every pass."""
    rows, taken = np.arange(30), []

    def order_of(number: int) -> list[np.ndarray]:
        return epoch_order(rows, number, seed=1, batch_size=8)  # four batches

    for epoch in range(8):
        batches = nth_part(order_of, epoch, of=steps, steps_per_pass=4)
        assert len(batches) == steps
        taken += batches
    for number in range(len(taken) // 4):
        one = taken[4 * number : 4 * number + 4]
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, order_of(number), strict=True))
