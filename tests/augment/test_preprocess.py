from __future__ import annotations

import numpy as np
import pytest
import torch

from pictaxa.augment.preprocess import Geometry, model_input

WIDE = np.array([2.0], dtype=np.float32)  # width / height


def columns() -> torch.Tensor:
    """(1, 8, 8, 1): a square whose columns are 0, 16, 32 and so on."""
    return (torch.arange(8, dtype=torch.uint8) * 16).expand(8, 8).reshape(1, 8, 8, 1).contiguous()


def seen(view: str, *, size: int = 8) -> torch.Tensor:
    """(size, size) what the model gets of a picture twice as wide as high, in 255ths."""
    geometry = Geometry(square=8, channels=1, view=view, size=size, tta="none")
    images = model_input(columns(), WIDE, geometry=geometry)
    assert images.shape == (1, 1, size, size) and images.dtype == torch.float32
    return images[0, 0] * 255


def test_squash_is_the_square_itself():
    """At the square's own size nothing is changed."""
    assert torch.allclose(seen("squash"), columns()[0, :, :, 0].float(), atol=1e-3)


def test_centre_leaves_the_sides_out():
    """Of a picture twice as wide as high the middle half is seen: columns 2 to 5 of the square."""
    row = seen("centre")[4]
    assert 28 <= row[0] <= 36 and 76 <= row[-1] <= 84


def test_fit_puts_black_above_and_below():
    """The whole width is there, and a quarter of the height on either side is black."""
    view = seen("fit")
    assert view[0].max() == 0 and view[-1].max() == 0
    assert view[4, 0] < 8 and view[4, -1] > 104


@pytest.mark.parametrize("view", ["squash", "centre", "fit"])
def test_values_lie_between_0_and_1(view: str):
    """Whatever the view and the size."""
    for size in (4, 8, 19):
        values = seen(view, size=size)
        assert values.min() >= 0 and values.max() <= 255
