from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from pictaxa.augment.policy import POLICIES, Policy
from pictaxa.augment.stages import stages_of

OWN_ROW = {
    "crop_area": 0.4, "crop_pixels": 24, "horizontal_flip": 0.5, "vertical_flip": 0.5, "rotation": 30, "shift_x": 0.2,
    "shift_y": 0.2, "brightness_offset": 0.3,
    "pad": 8, "shear": 20, "zoom": 0.3, "brightness": 0.3, "contrast": 0.3, "saturation": 0.5, "hue": 0.2,
    "channel_noise": 0.2, "noise": 0.1, "erasing": 0.5, "cutmix": 0.5, "mixup": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("name", OWN_ROW)
def test_each_operation_has_a_row_that_grows(name: str):
    """A policy with one operation has one row, and its pictures lie farther from the plain view one by one."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (2, 5, 5, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2))
    (row,) = stages_of(replace(Policy(), **{name: OWN_ROW[name]}))
    aspects = np.ones(2, dtype=np.float32)
    plain = images.permute(0, 3, 1, 2).float() / 255
    heights = np.full(2, 40)
    shown = [stage.show(images, aspects=aspects, view="squash", size=40, heights=heights) for stage in row]
    changes = [float((out - plain)[1].abs().mean()) for out in shown[:4]]
    assert changes[0] > 0.001 and changes[-1] >= changes[0]
    assert all(name in stage.title for stage in row)
    assert len({stage.title for stage in row}) == len(row)


def test_two_ends_are_shown_from_the_one_to_the_other():
    """As factors."""
    (row,) = stages_of(Policy(zoom=(0.8, 1.0)))
    assert [stage.title for stage in row] == ["zoom x0.8", "zoom x0.85", "zoom x0.9", "zoom x0.95", "zoom x1"]


def test_every_setting_is_shown():
    """Whatever can be set in a policy has a row, or is part of one."""
    parts = {"crop_stretch", "shift", "erasing_area", "mixup_alpha", "rand_augment_strength"}
    automatic = {"trivial_augment", "rand_augment"}
    assert {field.name for field in fields(Policy)} == {*OWN_ROW} | parts | automatic
    assert not list(stages_of(POLICIES["none"]))
    assert len(list(stages_of(Policy(trivial_augment=1)))) == len(list(stages_of(Policy(rand_augment=1)))) == 14
    assert len(list(stages_of(Policy(shift=0.1)))) == 2
