from __future__ import annotations

import numpy as np
import torch

from pictaxa.augment.mixing import Blend, Cut, draw_mix, neighbours
from pictaxa.augment.policy import Policy


def test_a_rectangle_and_its_share_come_from_the_neighbour():
    """Inside the rectangle pixels are the neighbour's, outside their own, and the share is the area's."""
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 10, 10)
    mixed, share = Cut(top=0.2, bottom=0.7, left=0.0, right=0.4).pictures(images)
    assert (mixed[2, :, 2:7, :4] == 1).all() and mixed[2].sum() == 3 * (80 * 2 + 20 * 1)
    assert (mixed[0, :, 2:7, :4] == 3).all() and share == 0.8
    assert neighbours(torch.arange(4)).tolist() == [3, 0, 1, 2]


def test_a_blend_is_a_sum_of_two_pictures():
    """Every pixel is the share of its own and the rest of the neighbour's."""
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 10, 10)
    mixed, share = Blend(0.75).pictures(images)
    assert (
        share == 0.75 and torch.allclose(mixed[2], torch.tensor(1.75)) and torch.allclose(mixed[0], torch.tensor(0.75))
    )
    assert images[2].eq(2).all()


def test_draws_follow_the_probability_and_the_step():
    """Never at 0, always at 1, half the time at 0.5; a function of (seed, step); rectangles inside the picture."""
    assert all(draw_mix(Policy(), step, seed=0) is None for step in range(50))
    mixes = [draw_mix(Policy(cutmix=1), step, seed=0) for step in range(400)]
    for mix in mixes:
        assert isinstance(mix, Cut) and 0 <= mix.top <= mix.bottom <= 1 and 0 <= mix.left <= mix.right <= 1
    assert abs(np.mean([draw_mix(Policy(cutmix=0.5), step, seed=1) is not None for step in range(400)]) - 0.5) < 0.1
    assert draw_mix(Policy(cutmix=1), 7, seed=0) == mixes[7] != draw_mix(Policy(cutmix=1), 7, seed=1)


def test_cutmix_and_mixup_share_the_steps():
    """Each as often as asked, never both; mixup's shares are of its Beta distribution."""
    mixes = [draw_mix(Policy(cutmix=0.3, mixup=0.5, mixup_alpha=0.4), step, seed=0) for step in range(1000)]
    shares = np.array([mix.own for mix in mixes if isinstance(mix, Blend)])
    assert abs(sum(isinstance(mix, Cut) for mix in mixes) / 1000 - 0.3) < 0.05
    assert abs(len(shares) / 1000 - 0.5) < 0.05
    assert abs(shares.mean() - 0.5) < 0.05 and abs(shares.var() - 1 / 4 / 1.8) < 0.02
    assert draw_mix(Policy(mixup=1), 7, seed=0) == draw_mix(Policy(mixup=1), 7, seed=0)
