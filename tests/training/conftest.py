"""What the tests of training share: a small body that has learnt something, and pictures for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.cli import main

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
