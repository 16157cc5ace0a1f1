from __future__ import annotations

import numpy as np

from pictaxa.judge.judged_lines import MAX_MATRIX, matrix_lines, number, percent
from pictaxa.runs.judgement import Figure


def test_a_figure_has_its_interval():
    """As a share and as a number; a dash for what is not defined, no brackets where there is no interval."""
    figure = Figure(0.928, 0.8891, 0.954, 250)
    assert percent(figure) == "92.8% (88.9-95.4)" and number(figure) == "0.928 (0.889-0.954)"
    assert percent(Figure(1.0, None, None, 5, "all right")) == "100.0%"
    assert number(Figure(1.0, None, None, 5, "all right")) == "1.000"
    assert percent(Figure(None, None, None, 0, "none")) == number(Figure(None, None, None, 0, "none")) == "-"


def test_counts_and_rates():
    """A row for each class, in counts and in percent of it, 0 for a class without pictures; none of many classes."""
    lines = matrix_lines(("cat", "dog"), np.array([[3, 1], [0, 0]]))
    assert [line.split() for line in lines[1:]] == [
        ["cat", "3", "1", "|", "75%", "25%"],
        ["dog", "0", "0", "|", "0%", "0%"],
    ]
    many = MAX_MATRIX + 1
    assert matrix_lines([str(label) for label in range(many)], np.eye(many, dtype=np.int64)) == []
