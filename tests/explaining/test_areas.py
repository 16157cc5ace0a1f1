from __future__ import annotations

import numpy as np
import pytest
import torch

from pictaxa.explaining.areas import (
    CELLS,
    STEPS,
    areas_of,
    centre_first,
    hottest_first,
    random_areas,
    random_order,
    ratio_of,
)
from pictaxa.models.contract import Classifier


class RedInACorner(Classifier):
    """Says class 0 where the top left cell is red, else class 1."""

    def __init__(self) -> None:
        super().__init__(2, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        red = images[:, 0, :2, :2].mean(dim=(1, 2))
        return torch.stack([80 * red, 60 * torch.ones_like(red)], dim=1)


def red() -> torch.Tensor:
    images = torch.zeros(3, 3, 2 * CELLS, 2 * CELLS)
    images[:, 0] = 1
    return images


def test_the_cell_that_counts_first_gives_the_smallest_deletion_area():
    """It goes in the first step, so that the probability is 1 at the beginning alone; put in first it is soon 1."""
    images, labels = red(), torch.zeros(3, dtype=torch.int64)
    maps = torch.zeros(3, CELLS, CELLS)
    maps[:, 0, 0] = 1
    areas = areas_of(RedInACorner(), images, labels, hottest_first(maps))
    assert areas.deletion == pytest.approx(0.5 / STEPS, abs=1e-3)
    assert (areas.insertion > 0.85).all()  # its neighbours, which it fades into, come later
    coldest = areas_of(RedInACorner(), images, labels, hottest_first(-maps))
    assert (coldest.deletion > 0.85).all()
    chance = random_areas(RedInACorner(), images, labels)
    assert 0.1 < chance.deletion.mean() < 0.9 and areas.empty == pytest.approx(0, abs=1e-6)
    ratio = ratio_of(chance.deleted, areas.deleted)
    assert ratio.low > 2 and ratio.low <= ratio.value <= ratio.high


def test_orders_have_each_cell_once():
    """By heat, at random and from the middle; equal heat comes in an order that is the same every time."""
    for order in (hottest_first(torch.zeros(2, 5, 5)), random_order(2, seed=3), centre_first(2)):
        assert order.shape == (2, CELLS**2) and all(len(set(row.tolist())) == CELLS**2 for row in order)
    assert torch.equal(hottest_first(torch.zeros(2, 5, 5)), hottest_first(torch.zeros(2, 5, 5)))
    assert not torch.equal(random_order(2, seed=3), random_order(2, seed=4))
    row, column = divmod(int(centre_first(1)[0, 0]), CELLS)
    assert abs(row + 0.5 - CELLS / 2) <= 0.5 and abs(column + 0.5 - CELLS / 2) <= 0.5
    heat = torch.rand(1, CELLS, CELLS)
    assert (heat.flatten()[hottest_first(heat)[0]].diff() <= 0).all()


def test_a_ratio_has_an_interval():
    """Twice as large areas are a ratio of 2 without any doubt; of one picture nothing is known of it."""
    some = np.random.default_rng(0).uniform(0.1, 0.9, 40)
    ratio = ratio_of(2 * some, some)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))
    other = ratio_of(some, np.random.default_rng(1).uniform(0.1, 0.9, 40))
    assert other.low < other.value < other.high
    alone = ratio_of(some[:1], some[:1])
    assert alone.low == alone.high == 1
