from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from pictaxa.cli.demo import write_digits
from pictaxa.cli.main import main


def test_the_digits_are_scikit_learns(tmp_path: Path):
    """Every digit is written once, under its own name, with its 17 greys."""
    assert write_digits(tmp_path) == 1797
    digits = load_digits()
    number = 1234
    with Image.open(tmp_path / str(digits.target[number]) / f"{number:04d}.png") as image:
        assert np.array_equal(np.rint(np.asarray(image).astype(float) * 16 / 255), digits.images[number])
    assert len(list(tmp_path.rglob("*.png"))) == 1797


@pytest.mark.slow
def test_the_demo_trains_judges_predicts_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """From nothing to a report in a minute of two processors, with more than 97% of the validation digits right."""
    before = time.process_time()  # neighbours don't count
    assert main(["demo", str(tmp_path / "demo")]) == 0
    seconds = time.process_time() - before
    said = capsys.readouterr().out
    (run,) = [path for path in (tmp_path / "demo").iterdir() if (path / "config.json").exists()]
    assert json.loads((run / "metrics.json").read_text())["accuracy"] > 0.97
    assert (run / "report" / "index.html").exists()
    for command in ("train", "evaluate", "predict", "report"):
        assert f"$ pictaxa {command}" in said
    assert seconds < 120
