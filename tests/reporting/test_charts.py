from __future__ import annotations

import pytest

from pictaxa.reporting.charts import Axes, Line, line_chart, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (1, 3, [1, 1.5, 2, 2.5, 3]),
        (0.012, 0.034, [0.015, 0.02, 0.025, 0.03]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]):
    """In steps of 1, 2 or 5, within the range."""
    assert ticks(low, high, most=6) == pytest.approx(expected)


def test_points_are_where_the_axes_say():
    """Low and high are at the ends, upwards is up."""
    axes = Axes("x", "y", (0.0, 0.0), (10.0, 1.0))
    chart = line_chart([Line("one", [(0, 0), (10, 1), (5, 0.5)], "training", dots=True)], axes, label="l")
    (left, bottom), (right, top), (middle, centre) = [tuple(map(float, dot)) for dot in chart.lines[0].dots]
    assert left < middle < right and top < centre < bottom
    assert middle == pytest.approx((left + right) / 2) and centre == pytest.approx((top + bottom) / 2)
    assert chart.lines[0].points.count(",") == 3
    assert [text for _, text in chart.up_ticks][-1] == "1"
