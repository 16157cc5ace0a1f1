from __future__ import annotations

from itertools import pairwise

import pytest

from pictaxa.models.layout import Extent, Layout, Link, lay_out

BOX = Extent(30, 30, 20)


def place(count: int, *links: tuple[int, int]) -> Layout:
    return lay_out([BOX] * count, [Link(*link) for link in links], beside=10, below=12)


def test_a_row_is_a_straight_column():
    """What follows one another lies below one another."""
    layout = place(4, (0, 1), (1, 2), (2, 3))
    assert len({round(x, 3) for x in layout.x}) == 1
    assert layout.top == (0, 32, 64, 96)


def test_a_part_lies_below_all_that_leads_to_it():
    """The longest way counts, and a long link bends in each layer that it passes."""
    layout = place(4, (0, 1), (1, 2), (2, 3), (0, 3))
    assert layout.layers == ((0,), (1,), (2,), (3,))
    assert [len(bends) for bends in layout.bends] == [0, 0, 0, 4]  # where each of two layers begins and ends


@pytest.mark.parametrize("branches", [2, 3, 4, 7])
def test_branches_stand_side_by_side(branches: int):
    """None touches the next, and what they leave and meet in is in their middle."""
    links = [(0, n) for n in range(1, branches + 1)] + [(n, branches + 1) for n in range(1, branches + 1)]
    layout = place(branches + 2, *links)
    places = sorted(layout.x[1:-1])
    assert all(other - one >= 70 - 1e-6 for one, other in pairwise(places))
    middle = (places[0] + places[-1]) / 2
    assert layout.x[0] == pytest.approx(middle, abs=1) and layout.x[-1] == pytest.approx(middle, abs=1)


def test_crossings_are_undone():
    """Two rows in opposite orders are put in the same one."""
    layout = place(6, (0, 1), (0, 2), (1, 4), (2, 3), (3, 5), (4, 5))
    assert (layout.x[1] < layout.x[2]) == (layout.x[4] < layout.x[3])


def test_a_light_link_bends_and_the_others_stay_straight():
    """A shortcut goes around the layers, which stay in line."""
    links = [Link(0, 1), Link(1, 2), Link(2, 3), Link(0, 3, 0.02)]
    layout = lay_out([BOX] * 4, links, beside=10, below=12)
    assert max(layout.x) - min(layout.x) < 3
    assert all(x - layout.x[1] > 30 for x, _ in layout.bends[3])
    assert len({x for x, _ in layout.bends[3]}) == 1
