from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from pictaxa.errors import ConfigError
from pictaxa.inference.predictor import Prediction
from pictaxa.inference.writers import PATH_CELLS, TableWriter, open_writer

CLASSES = ("玫瑰", "rose", "a very long class name")


def said(path: str, *probabilities: float) -> Prediction:
    values = np.array(probabilities, dtype=np.float32)
    return Prediction(path, CLASSES, probabilities=values, logits=values)


def test_columns_line_up_in_any_script():
    """Chinese names and paths take two cells a character; the columns still start at the same place."""
    out = io.StringIO()
    table = TableWriter(out, CLASSES, top=None)
    table.write(said("照片/花.jpg", 0.7, 0.2, 0.1))
    table.write(said("a" * 90 + "/end.jpg", 0.1, 0.2, 0.7))
    table.write(said("new\nline.jpg", 0.1, 0.8, 0.1))
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert len({cell_len(line) for line in lines}) == 1
    assert cell_len(lines[1][: lines[1].index("玫瑰")]) == PATH_CELLS + 2
    assert "/end.jpg" in lines[2] and "new\\nline.jpg" in lines[3]


def test_top_and_problems_in_the_table():
    """--top shows the best few, and a file that was not read its reason."""
    out = io.StringIO()
    table = TableWriter(out, CLASSES, top=2)
    table.write(said("x.jpg", 0.7, 0.2, 0.1))
    table.write(Prediction("y.jpg", CLASSES, probabilities=None, logits=None, problem="empty file"))
    _, first, second = out.getvalue().splitlines()
    assert first.endswith("玫瑰 70.0%, rose 20.0%") and second.endswith("not read: empty file")


@pytest.mark.parametrize("name", ["answers.txt", "answers", "nowhere/answers.csv"])
def test_places_that_cannot_be_written(tmp_path: Path, name: str):
    """Another suffix, or a folder that is not there, is told before anything is predicted."""
    with pytest.raises(ConfigError, match=r"--out|suffix"), open_writer(tmp_path / name, CLASSES, top=None):
        pass
