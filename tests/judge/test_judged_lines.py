from __future__ import annotations

import numpy as np

from pictaxa.judge.judged_lines import MAX_MATRIX, matrix_lines


def test_counts_and_rates():
    """A row for each class, in counts and in percent of it, 0 for a class without pictures; none of many classes."""
    lines = matrix_lines(("cat", "dog"), np.array([[3, 1], [0, 0]]))
    assert [line.split() for line in lines[1:]] == [
        ["cat", "3", "1", "|", "75%", "25%"],
        ["dog", "0", "0", "|", "0%", "0%"],
    ]
    many = MAX_MATRIX + 1
    assert matrix_lines([str(label) for label in range(many)], np.eye(many, dtype=np.int64)) == []
