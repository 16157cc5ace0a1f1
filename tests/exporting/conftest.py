"""A run that is exported: trained once, never changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory, make_photos: Callable[..., Path]) -> Path:
    """A small run with mirror images averaged, and its judgement."""
    from tests.conftest import TINY

    from pictaxa.cli.main import main

    folder = tmp_path_factory.mktemp("shipped")
    data = make_photos(folder / "photos", {"red": 12, "green": 12, "blue": 12})
    words = ["train", str(data), *TINY, "--epochs", "3", "--lr", "0.02", "--tta", "flip", "--view", "centre"]
    assert main([*words, "--out", str(folder / "run"), "--cache", str(folder / "cache")]) == 0
    return folder / "run"
