from __future__ import annotations

from pathlib import Path

import numpy as np

from pictaxa.inference.loading import load
from pictaxa.inference.own_squares import squares_of
from pictaxa.runs.folder import open_run
from pictaxa.runs.records import read_predictions


def test_squares_are_those_of_the_validation(trained: tuple[Path, Path]):
    """The run says of them what it said; a picture that is gone is passed over, and the others keep their order."""
    data, path = trained
    run, kept = open_run(path), read_predictions(open_run(path))
    rows, squares = zip(*squares_of(run, kept.rows.tolist()), strict=True)
    assert list(rows) == kept.rows.tolist()
    pixels, aspects = np.stack([one.pixels for one in squares]), np.array([one.aspect for one in squares])
    assert load(path, device="cpu").logits(pixels, aspects).argmax(axis=1).tolist() == kept.predicted.tolist()
    for picture in (data / "red").iterdir():
        picture.unlink()
    left = [row for row, _ in squares_of(run, kept.rows.tolist())]
    assert left == [row for row, label in zip(rows, kept.labels, strict=True) if run.classes[label] != "red"]
