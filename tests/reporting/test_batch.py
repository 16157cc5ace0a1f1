"""reporting/batch.py: a training batch in numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pictaxa
from pictaxa.cli.main import main
from pictaxa.reporting.batch import Batch

Make = Callable[..., Path]


def test_a_batch_is_printed_as_the_model_gets_it(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """Shape, type, range, mean and labels; nothing is drawn."""
    data = make_photos(tmp_path / "photos", {"red": 6, "green": 6})
    out = tmp_path / "a.png"
    words = ["--batch-size", "8", "--size", "40", "--policy", "none", "--out", str(out)]
    assert main(["preview", str(data), "--batch", *words]) == 0
    said = capsys.readouterr().out
    assert "batch     (8, 3, 40, 40) float32" in said and "labels    (8,) int64:" in said
    assert "range     0." in said and "(red, green, blue: 0." in said and "0 green" in said
    assert not out.exists()


def test_a_batch_as_arrays(tmp_path: Path, make_photos: Make):
    """Of the training pictures alone, as means that can be recomputed; seeded; augmented by the policy."""
    make_photos(tmp_path / "photos" / "train", {"red": 4, "green": 4})
    make_photos(tmp_path / "photos" / "val", {"red": 4, "green": 4}, first=10)
    data = tmp_path / "photos"
    batch = pictaxa.preview_batch(data, size=32, policy="none")
    assert isinstance(batch, Batch) and batch.images.shape == (8, 3, 32, 32) and batch.images.dtype == np.float32
    assert sorted(batch.labels) == [0] * 4 + [1] * 4 and all(path.startswith("train/") for path in batch.paths)
    reds = batch.images[batch.labels == batch.classes.index("red")].mean(axis=(0, 2, 3))
    assert np.allclose(reds * 255, [200, 40, 40], atol=8)
    assert f"mean      {batch.images.mean():.3f}" in repr(batch) and "<pre>batch" in batch._repr_html_()
    same, other = (pictaxa.preview_batch(data, size=32, policy=policy) for policy in ("none", "strong"))
    assert np.array_equal(same.images, batch.images) and not np.array_equal(other.images, batch.images)
    assert other.images.min() >= 0 and other.images.max() <= 1


def test_no_pictures_in_a_batch(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """It is told in one line."""
    data = make_photos(tmp_path / "photos", {"red": 2, "green": 2})
    assert main(["preview", str(data), "--batch", "--batch-size", "0"]) == 2
    assert "--batch-size 1 or more" in capsys.readouterr().err
