from __future__ import annotations

import numpy as np
import pytest
import torch

from pictaxa.augment.geometry import ViewName, plain_view, resample
from pictaxa.explaining.frame import Frame, frame_of, on_picture, where_hot


@pytest.mark.parametrize(
    ("view", "aspect", "frame"),
    [
        ("centre", 2.0, (0.25, 0, 0.75, 1)), ("centre", 0.5, (0, 0.25, 1, 0.75)), ("squash", 3.0, (0, 0, 1, 1)),
        ("fit", 2.0, (0, -0.5, 1, 1.5)), ("fit", 0.5, (-0.5, 0, 1.5, 1)),
    ],
)  # fmt: skip
def test_a_frame_is_what_the_view_shows(view: ViewName, aspect: float, frame: tuple[float, ...]):
    """A crop of the middle, all of it, or all and black borders."""
    assert frame_of(aspect, view=view) == pytest.approx(frame)


@pytest.mark.parametrize("view", ["centre", "fit", "squash"])
@pytest.mark.parametrize("aspect", [0.6, 1.0, 2.2])
def test_heat_lies_where_the_network_saw_it(view: ViewName, aspect: float):
    """A bright spot of a picture is, as the network's input shows it, again where it is on the picture."""
    height, width = 200, round(200 * aspect)
    picture = np.zeros((height, width), dtype=np.float32)
    row, column = height // 2 - 20, width // 2 + 12
    picture[row - 3 : row + 3, column - 3 : column + 3] = 255
    square = torch.nn.functional.interpolate(torch.from_numpy(picture)[None, None], size=(160, 160), mode="area")
    squares = square.permute(0, 2, 3, 1).to(torch.uint8)
    seen = resample(squares, plain_view(np.array([aspect]), view=view), size=96, padding="zeros")[0, 0].numpy()
    heat, _ = on_picture(seen, frame_of(aspect, view=view), width=width, height=height)
    found = np.unravel_index(heat.argmax(), heat.shape)
    assert abs(found[0] - row) <= 4 and abs(found[1] - column) <= 4


def test_what_was_not_seen_has_no_heat():
    """The ends of a panorama."""
    heat, seen = on_picture(np.ones((7, 7)), frame_of(3.0, view="centre"), width=300, height=100)
    assert seen[:, 100:200].all() and not seen[:, :100].any() and not seen[:, 200:].any()
    assert (heat[seen] == 1).all() and (heat[~seen] == 0).all()


def test_the_place_of_heat_is_told():
    """Its centre, and the box of its hottest fifth, on the picture; none of a map without heat."""
    values = np.zeros((10, 10))
    values[2, 7] = 1
    hot = where_hot(values, Frame(0, 0, 1, 1), aspect=1.0)
    assert hot is not None and hot.centre == pytest.approx((0.75, 0.25), abs=0.02)
    left, top, right, bottom = hot.box
    assert left == pytest.approx(0.65, abs=0.05) and right == pytest.approx(0.85, abs=0.05)
    assert top == pytest.approx(0.15, abs=0.05) and bottom == pytest.approx(0.35, abs=0.05)
    moved = where_hot(values, Frame(0.25, 0, 0.75, 1), aspect=2.0)
    assert moved is not None and moved.centre == pytest.approx((0.25 + 0.75 / 2, 0.25), abs=0.02)
    assert where_hot(np.zeros((3, 3)), Frame(0, 0, 1, 1), aspect=1.0) is None
    for aspect in (0.001, 1000.0):
        assert where_hot(np.ones((3, 3)), frame_of(aspect, view="centre"), aspect=aspect) is not None
