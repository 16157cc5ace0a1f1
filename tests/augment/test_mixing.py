from __future__ import annotations

import numpy as np
import torch

from pictaxa.augment.mixing import Mix, draw_mix, neighbours


def test_a_rectangle_and_its_share_come_from_the_neighbour():
    """Inside the rectangle pixels are the neighbour's, outside their own, and the share is the area's."""
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 10, 10)
    mixed, share = Mix(top=0.2, bottom=0.7, left=0.0, right=0.4).pictures(images)
    assert (mixed[2, :, 2:7, :4] == 1).all() and mixed[2].sum() == 3 * (80 * 2 + 20 * 1)
    assert (mixed[0, :, 2:7, :4] == 3).all() and share == 0.8
    assert neighbours(torch.arange(4)).tolist() == [3, 0, 1, 2]


def test_draws_follow_the_probability_and_the_step():
    """Never at 0, always at 1, half the time at 0.5; a function of (seed, step); rectangles inside the picture."""
    assert all(draw_mix(0.0, step, seed=0) is None for step in range(50))
    mixes = [draw_mix(1.0, step, seed=0) for step in range(400)]
    assert all(mix and 0 <= mix.top <= mix.bottom <= 1 and 0 <= mix.left <= mix.right <= 1 for mix in mixes)
    assert abs(np.mean([draw_mix(0.5, step, seed=1) is not None for step in range(400)]) - 0.5) < 0.1
    assert draw_mix(1.0, 7, seed=0) == mixes[7] != draw_mix(1.0, 7, seed=1)
