"""The demo: train, evaluate, predict and report on the handwritten digits that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ..runs.places import next_run_path
from ..system.printing import print_line, print_lines

DIGITS = 10
EPOCHS = "8"  # not minutes: so the demo learns the same on a slow machine


def write_digits(folder: Path) -> int:
    """Write the 1,797 digits (8 x 8 pixels, 17 greys) as PNG files into a folder per digit; how many there are.

    The pictures are the test set of Alpaydin & Kaynak 1998 (UCI, optical recognition of handwritten digits).
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    for digit in range(DIGITS):
        (folder / str(digit)).mkdir(parents=True, exist_ok=True)
    for number, (values, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        pixels = np.rint(values * (255 / 16)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / str(digit) / f"{number:04d}.png")
    return len(digits.images)


def run_demo(folder: Path, pictaxa: Callable[[list[str]], int]) -> int:
    """Write the digits below a folder, then train, evaluate, predict and report by the commands a user would type.

    `pictaxa` runs a command from its words. The status of the first command that fails, else 0.
    """
    digits = folder / "digits"
    print_line(f"writing   {write_digits(digits)} handwritten digits to {digits}")
    run = next_run_path(digits, "resnet_lite", parent=folder)
    commands = [
        # From nothing, to show all of the learning; light, because a digit must not be mirrored.
        ["train", str(digits), "--weights", "none", "--policy", "light", "--epochs", EPOCHS, "--out", str(run)],
        ["evaluate", str(run)],
        ["predict", str(run), *(str(next((digits / name).iterdir())) for name in ("3", "7")), "--top", "3"],
        ["report", str(run)],
    ]
    for words in commands:
        print_lines(("", f"$ pictaxa {' '.join(words)}"))
        status = pictaxa(words)
        if status:
            return status
    print_lines(("", "Now with your own photos: make one folder per class inside PHOTOS and run  pictaxa train PHOTOS"))
    return 0
