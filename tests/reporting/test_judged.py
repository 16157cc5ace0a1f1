from __future__ import annotations

import numpy as np

from pictaxa.data.index import index_from_columns
from pictaxa.metrics import Predictions
from pictaxa.reporting.judged import order_of, pairs_of, rows_of, side_of


def predictions(labels: list[int], shares: list[list[float]]) -> Predictions:
    """Of pictures 0, 1, ..."""
    return Predictions(np.arange(len(labels)), np.array(labels), np.array(shares, np.float32))


def test_the_surest_mistakes_come_first():
    """Then the right ones, the classes in turns, from both ends of certainty."""
    said = predictions(
        [0, 0, 1, 1, 0, 1, 0],
        [[0.9, 0.1], [0.3, 0.7], [0.05, 0.95], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.6, 0.4]],
    )
    order = order_of(said)
    assert order.wrong.tolist() == [3, 1]
    assert sorted(order.right.tolist()) == [0, 2, 4, 5, 6]
    assert set(said.labels[order.right[:2]].tolist()) == {0, 1}
    assert order.all.tolist() == [*order.wrong, *order.right]


def test_few_of_many_span_the_whole_range():
    """The first places of a class are its surest and one from the middle of its certainty."""
    count = 64
    sure = np.linspace(0.99, 0.51, count)
    order = order_of(predictions([0] * count, [[one, 1 - one] for one in sure]))
    assert sorted(order.right[:4].tolist()) == [0, 16, 32, 48]


def test_rows_stop_at_the_budget():
    """The most important pictures are listed, and no more than there is room for."""
    columns = {
        "path": ["玫瑰.png", "b.png", "c.png", "d.png"],
        "label": [0, 1, 0, 1],
        "bytes": [1] * 4,
        "mtime_ns": [1] * 4,
    }
    index = index_from_columns(columns, root=None, classes=("x", "y"))
    said = predictions([0, 1, 0, 1], [[0.25, 0.75], [0.1, 0.9], [1, 0], [0, 1]])
    rows = rows_of(said, index, np.array([0, 1, 2, 3]), budget=100)
    assert rows == [["玫瑰.png", 0, 1, 750, 250], ["b.png", 1, 1, 900, 900]]


def test_pairs_are_the_most_frequent_mistakes():
    """The diagonal is none of them."""
    matrix = np.array([[9, 1, 0], [4, 5, 2], [0, 0, 3]])
    assert pairs_of(matrix, most=2) == [(1, 0, 4), (1, 2, 2)]
    assert pairs_of(np.eye(3, dtype=int), most=2) == []


def test_many_pictures_are_small():
    """So that there is room for more of them."""
    assert side_of(10) > side_of(1000)
