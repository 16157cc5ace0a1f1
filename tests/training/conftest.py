"""What the tests of training share: a small body that has learnt something, and pictures for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pictaxa.cli import main
from pictaxa.training.logistic import HeadProblem

Make = Callable[..., Path]
TINY = ("--size", "32", "--batch-size", "8", "--precision", "float32")


@pytest.fixture(scope="session")
def body(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> Path:
    """A run of resnet_lite on two classes, a and b; no test changes it."""
    folder = tmp_path_factory.mktemp("body")
    data = make_photos(folder / "photos", {"a": 24, "b": 24})
    words = ["train", str(data), "--out", str(folder / "run"), "--cache", str(folder / "cache"), *TINY]
    assert main([*words, "--model", "resnet_lite", "--policy", "light", "--epochs", "2"]) == 0
    return folder / "run"


@pytest.fixture
def data(tmp_path: Path, make_photos: Make) -> Path:
    """Four colours, 20 pictures each."""
    return make_photos(tmp_path / "photos", {"w": 20, "x": 20, "y": 20, "z": 20})


@pytest.fixture(scope="session")
def clouds() -> Callable[..., HeadProblem]:
    """Makes vectors of some classes to tell apart."""

    def make(
        counts: Sequence[int], *, width: int = 10, spread: float = 1.0, seed: int = 0, views: int = 1
    ) -> HeadProblem:
        """Vectors of some classes, a cloud each as wide as `spread`, at scales that differ from number to number."""
        random = np.random.default_rng(seed)
        labels = np.repeat(np.arange(len(counts)), counts)
        centres = random.normal(size=(len(counts), width))
        scale, shift = np.linspace(0.7, 2, width), random.normal(size=width)
        vectors = [
            ((centres[labels] + spread * random.normal(size=(len(labels), width))) * scale + shift).astype(np.float32)
            for _ in range(views)
        ]
        return HeadProblem(vectors, labels, len(counts), np.arange(len(labels)))

    return make
