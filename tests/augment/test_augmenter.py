from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pictaxa.augment import geometry
from pictaxa.augment.augmenter import Augmenter, Draws, draw_colours, draw_rectangles
from pictaxa.augment.augmenter import draw_views as draw_matrices
from pictaxa.augment.draws import uniforms
from pictaxa.augment.policy import POLICIES, Policy

ROWS, ONCE = np.arange(200), np.zeros(200, dtype=np.int64)


def draw_views(policy: Policy, aspects: np.ndarray, **words: Any) -> np.ndarray:
    """As the resampling takes them, (N, 2, 3)."""
    return geometry.to_view(draw_matrices(policy, aspects, **words))


def test_draws_are_a_function_of_seed_epoch_and_row():
    """A row draws the same in whatever batch and order it stands, and otherwise in another epoch or seed."""
    together = uniforms(ROWS, 7, seed=1, epoch=2)
    assert np.array_equal(uniforms(ROWS[[50, 3]], 7, seed=1, epoch=2), together[[50, 3]])
    assert not np.isin(uniforms(ROWS, 7, seed=1, epoch=3), together).any()
    assert not np.isin(uniforms(ROWS, 7, seed=2, epoch=2), together).any()


def test_draws_are_uniform_and_independent():
    """Means, spreads and correlations of many draws are those of independent uniform numbers."""
    values = uniforms(np.arange(20_000), 6, seed=0, epoch=0)
    assert values.min() >= 0 and values.max() < 1
    assert np.allclose(values.mean(axis=0), 0.5, atol=0.01)
    assert np.allclose(values.var(axis=0), 1 / 12, atol=0.003)
    assert np.abs(np.corrcoef(values.T) - np.eye(6)).max() < 0.03
    assert abs(np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]) < 0.03


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_policy_gives_pictures_the_model_can_take(name: str, channels: int):
    """Float pictures in [0, 1] of the asked size, the same whatever else is in the batch."""
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 40, 40, channels), dtype=np.uint8))
    aspects = np.array([0.5, 1, 2, 1, 1, 3], dtype=np.float32)
    augment = Augmenter(POLICIES[name], "centre", seed=0)
    out = augment(images, ROWS[:6], repeats=ONCE[:6], aspects=aspects, epoch=0, size=32)
    assert out.shape == (6, channels, 32, 32) and out.dtype == torch.float32
    assert out.min() >= 0 and out.max() <= 1
    alone = augment(images[[4]], ROWS[[4]], repeats=ONCE[[4]], aspects=aspects[[4]], epoch=0, size=32)
    assert torch.allclose(alone[0], out[4], atol=1e-6)


def test_none_is_the_plain_view():
    """The policy `none` shows in training what prediction sees, bit for bit at the square's own size."""
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))
    augment = Augmenter(POLICIES["none"], "squash", seed=0)
    out = augment(images, ROWS[:3], repeats=ONCE[:3], aspects=np.ones(3, dtype=np.float32), epoch=0, size=32)
    assert torch.equal(out, images.permute(0, 3, 1, 2).float() * (1 / 255))


# One range at a time: what the (N, 2, 3) views of square pictures may then be.
MOVES = {
    "horizontal_flip": (1.0, lambda m: np.allclose(m[:, 0, 0], -1)),
    "vertical_flip": (1.0, lambda m: np.allclose(m[:, 1, 1], -1)),
    "rotation": (30.0, lambda m: 25 < np.degrees(np.arcsin(np.abs(m[:, 1, 0]).max())) <= 30),
    "shift": (0.2, lambda m: 0.36 < np.abs(m[:, :, 2]).max() <= 0.4),
    "shear": (20.0, lambda m: 0.3 < np.abs(m[:, 0, 1]).max() <= np.tan(np.radians(20))),
    "zoom": (0.3, lambda m: 0.7 <= m[:, 0, 0].min() < 0.75 and 1.25 < m[:, 0, 0].max() <= 1.3),
    "zoom-ends": ((0.8, 1.0), lambda m: 0.8 <= m[:, 0, 0].min() < 0.82 and 0.98 < m[:, 0, 0].max() <= 1.0),
    "crop_area": (0.25, lambda m: 0.2 <= (m[:, 0, 0] * m[:, 1, 1]).min() < 0.3),
}


@pytest.mark.parametrize("name", MOVES)
def test_each_move_reaches_its_range_and_no_further(name: str):
    """A range that is set shows in the matrices over many pictures, up to its end and not beyond it."""
    most, holds = MOVES[name]
    draws = Draws.of(ROWS, seed=0, epoch=0, repeats=ONCE)
    policy = replace(Policy(), **{name.partition("-")[0]: most})
    assert holds(draw_views(policy, np.ones(200), draws=draws, view="squash", size=32))
    assert draw_colours(policy, draws) is None


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue", "channel_noise"])
def test_each_colour_change_is_seen(name: str):
    """A colour range that is set gives matrices other than the identity, and leaves views alone."""
    policy = replace(Policy(), **{name: 0.2})
    draws = Draws.of(ROWS, seed=0, epoch=0, repeats=ONCE)
    matrices = draw_colours(policy, draws)
    assert matrices is not None and np.abs(matrices - np.eye(4)).max() > 0.05
    assert np.allclose(draw_views(policy, np.ones(200), draws=draws, view="squash", size=32), np.eye(2, 3))


def test_brightness_of_one_side_and_of_a_sum():
    """brightness=0.5:1.0 only darkens; brightness_offset adds one number to all three colours, as tf.image does."""
    draws = Draws.of(ROWS, seed=0, epoch=0, repeats=ONCE)
    factors = draw_colours(Policy(brightness=(0.5, 1.0)), draws)[:, 0, 0]
    assert 0.5 <= factors.min() < 0.52 and 0.98 < factors.max() <= 1
    matrices = draw_colours(Policy(brightness_offset=0.5), draws)
    offsets = matrices[:, :3, 3]
    assert np.allclose(matrices[:, :3, :3], np.eye(3)) and np.allclose(offsets, offsets[:, :1])
    assert offsets.min() < -0.48 and offsets.max() > 0.48 and np.abs(offsets).max() <= 0.5


def test_a_crop_of_so_many_pixels():
    """Of a picture of 400 x 300 px a crop of 200 shows half its width and two thirds of its height, at a random place
    inside; a picture of 100 x 150 is all shown.
    """
    draws = Draws.of(ROWS, seed=0, epoch=0, repeats=ONCE)
    heights = np.where(ROWS < 100, 300, 150)
    aspects = np.where(ROWS < 100, 400 / 300, 100 / 150)
    views = draw_views(Policy(crop_pixels=200), aspects, draws=draws, view="centre", size=200, heights=heights)
    assert np.allclose(views[:100, 0, 0], 200 / 400) and np.allclose(views[:100, 1, 1], 200 / 300)
    assert np.allclose(views[100:], np.eye(2, 3), atol=1e-6)
    assert -0.5 <= views[:100, 0, 2].min() < -0.45 and 0.45 < views[:100, 0, 2].max() <= 0.5


def test_pixels_of_a_crop_are_the_pictures_own():
    """At the square's own size a crop of so many pixels as the result has is a part of it, pixel by pixel."""
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3), dtype=np.uint8))
    augment = Augmenter(Policy(crop_pixels=20), "squash", seed=0, heights=np.full(200, 40))
    out = augment(images, ROWS[:1], repeats=ONCE[:1], aspects=np.ones(1), epoch=0, size=20)[0] * 255
    plain = images[0].permute(2, 0, 1).float()
    windows = plain.unfold(1, 20, 1).unfold(2, 20, 1)  # (3, 21, 21, 20, 20)
    nearest = (windows - out[:, None, None]).abs().mean(dim=(0, 3, 4)).min()
    assert nearest < 40  # between two pixels it is their mean; any other window is about 85 away


def test_random_crops_stay_inside_the_picture():
    """Without rotation or shift a crop never looks beyond the edge, whatever the picture's shape."""
    draws = Draws.of(ROWS, seed=3, epoch=1, repeats=ONCE)
    aspects = np.exp(np.linspace(-1.5, 1.5, 200))
    views = draw_views(Policy(crop_area=0.1), aspects, draws=draws, view="centre", size=32)
    reach = np.abs(views[:, :, :2]).sum(axis=2) + np.abs(views[:, :, 2])
    assert reach.max() <= 1 + 1e-5


def test_a_picture_that_comes_again_is_varied_otherwise():
    """The second time in an epoch has other draws, the same in whatever batch; the first has the row's own."""
    first, second = (Draws.of(ROWS, seed=0, epoch=0, repeats=ONCE + turn) for turn in range(2))
    assert not np.isin(first.values, second.values).any()
    assert np.array_equal(first.values, uniforms(ROWS, first.values.shape[1], seed=0, epoch=0))


def test_shifts_of_one_axis():
    """shift_x moves across alone, shift_y down alone, and the larger of each and `shift` counts."""
    draws = Draws.of(ROWS, seed=0, epoch=0, repeats=ONCE)
    across, down = (
        np.abs(draw_views(policy, np.ones(200), draws=draws, view="squash", size=32)[:, :, 2]).max(axis=0)
        for policy in (Policy(shift_x=0.2), Policy(shift=0.1, shift_y=0.3))
    )
    assert 0.36 < across[0] <= 0.4 and across[1] == 0
    assert 0.18 < down[0] <= 0.2 and 0.54 < down[1] <= 0.6


def test_rectangles_that_are_erased():
    """As often as asked, inside the picture, of areas from 0.02 to the most; filled with the picture's mean colour."""
    draws = Draws.of(ROWS, seed=0, epoch=0, repeats=ONCE)
    policy = Policy(erasing=0.5, erasing_area=0.2)
    rectangles = draw_rectangles(policy, draws)
    areas = (rectangles[:, 1] - rectangles[:, 0]) * (rectangles[:, 3] - rectangles[:, 2])
    taken = areas > 0
    assert 0.4 < taken.mean() < 0.6 and 0.0199 < areas[taken].min() < 0.04 and 0.17 < areas.max() <= 0.2001
    assert rectangles.min() >= 0 and rectangles.max() <= 1
    images = torch.zeros(200, 40, 40, 3, dtype=torch.uint8)
    images[:, :20] = 255
    out = Augmenter(policy, "squash", seed=0)(images, ROWS, repeats=ONCE, aspects=np.ones(200), epoch=0, size=40)
    changed = ((out > 0.4) & (out < 0.6)).float().mean(dim=(1, 2, 3)).numpy()
    assert np.abs(changed - areas).max() < 0.03


def test_noise_has_its_strength_and_differs_from_picture_to_picture():
    """Of a grey surface: a standard deviation up to what was asked, the same for a picture in whatever batch."""
    images = torch.full((200, 40, 40, 3), 128, dtype=torch.uint8)
    augment = Augmenter(Policy(noise=0.1), "squash", seed=0)
    out = augment(images, ROWS, repeats=ONCE, aspects=np.ones(200), epoch=0, size=40)
    deviations = out.std(dim=(1, 2, 3))
    assert 0.09 < deviations.max() < 0.11 and deviations.min() < 0.01
    assert len({tuple(picture.flatten()[:5].tolist()) for picture in out}) == 200
    alone = augment(images[[7]], ROWS[[7]], repeats=ONCE[[7]], aspects=np.ones(1), epoch=0, size=40)
    assert torch.equal(alone[0], out[7])


def test_padding_moves_by_whole_pixels():
    """Pictures of their own size keep their pixels, up to 4 further on, each distance as often, and black beyond."""
    images = torch.from_numpy(np.random.default_rng(0).integers(1, 256, (200, 16, 16, 3), dtype=np.uint8))
    augment = Augmenter(Policy(pad=4), "squash", seed=0)
    out = augment(images, ROWS, repeats=ONCE, aspects=np.ones(200, dtype=np.float32), epoch=0, size=16)
    padded = F.pad(images.permute(0, 3, 1, 2).float() / 255, (4, 4, 4, 4))
    found = set()
    for picture, whole in zip(out, padded, strict=True):
        parts = {(y, x): whole[:, y : y + 16, x : x + 16] for y in range(9) for x in range(9)}
        (place,) = (place for place, part in parts.items() if torch.allclose(picture, part, atol=1e-4))
        found.add(place)
    assert {y for y, _ in found} == {x for _, x in found} == set(range(9))
