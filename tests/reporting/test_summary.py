from __future__ import annotations

import numpy as np
import pytest

from pictaxa.metrics import Metrics, Predictions, summarise
from pictaxa.reporting.summary import summarise_run
from pictaxa.system.language import speaking


def metrics(matrix: list[list[int]], names: tuple[str, ...] = ("rose", "<tulip>", "玫瑰")) -> Metrics:
    """Of predictions with this confusion matrix."""
    pairs = [
        (true, answer) for true, row in enumerate(matrix) for answer, count in enumerate(row) for _ in range(count)
    ]
    labels, answers = np.array(pairs).T
    shares = np.eye(len(matrix), dtype=np.float32)[answers] * 0.9 + 0.1 / len(matrix)
    return summarise(Predictions(np.arange(len(labels)), labels, shares), names)


def test_how_good_in_words():
    """Of a hundred; all right; and no better than guessing is said as that."""
    assert "About <bdi>90</bdi> of 100" in summarise_run(metrics([[90, 10, 0], [10, 90, 0], [0, 10, 90]])).good
    assert "All <bdi>30</bdi> validation pictures" in summarise_run(metrics([[10, 0, 0], [0, 10, 0], [0, 0, 10]])).good
    assert "no use yet" in summarise_run(metrics([[10, 0, 0], [10, 0, 0], [10, 0, 0]])).good


def test_how_sure_in_words():
    """The interval, and that few pictures say little."""
    assert "So few" not in summarise_run(metrics([[90, 10, 0], [10, 90, 0], [0, 10, 90]])).sure
    assert "so few pictures" in summarise_run(metrics([[3, 1, 0], [0, 3, 0], [0, 0, 3]])).sure


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([[50, 0, 0], [50, 0, 0], [0, 0, 50]], "never answers <bdi>&lt;tulip&gt;</bdi> (<bdi>50</bdi> pictures)"),
        ([[50, 0, 0], [0, 50, 0], [0, 0, 50]], "no picture was wrong"),
        ([[50, 0, 0], [9, 41, 0], [0, 1, 49]], "<bdi>&lt;tulip&gt;</bdi> is most often taken for <bdi>rose</bdi>"),
        ([[50, 0, 0], [9, 41, 0], [1, 1, 1]], "of the <bdi>3</bdi> pictures of <bdi>玫瑰</bdi> only <bdi>1</bdi>"),
        ([[50, 0, 0], [9, 41, 0], [0, 0, 5]], "fewer than <bdi>10</bdi> validation pictures: <bdi>玫瑰</bdi>"),
    ],
    ids=["never answered", "no mistake", "mixed up", "hardly found", "few pictures"],
)
def test_what_to_watch_in_words(matrix: list[list[int]], said: str):
    """The one thing that matters most, names as text."""
    assert said in summarise_run(metrics(matrix)).watch


def test_in_chinese():
    """Each sentence, with the names in it."""
    with speaking("zh"):
        good, sure, watch = summarise_run(metrics([[50, 0, 0], [9, 41, 0], [0, 1, 49]]))
    assert "验证图片" in good and "95%" in sure and "<bdi>&lt;tulip&gt;</bdi>" in watch and "most often" not in watch
