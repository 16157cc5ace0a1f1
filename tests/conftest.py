"""What tests share: small pictures that are made here, and a cache folder that is thrown away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


def pytest_configure() -> None:
    """A core for each of several workers: their threads, and those of processes that tests start, would wait in turn.

    Set before any test, so that a command finds one usable core and takes one thread.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


COLOURS = ((200, 40, 40), (40, 160, 60), (50, 70, 200), (210, 190, 60))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test decodes into a cache of its own, which goes with it."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PICTAXA_CACHE", str(folder))
    yield folder
    shutil.rmtree(folder)


def picture(kind: int, number: int, *, width: int = 48, height: int = 36) -> Image.Image:
    """A noisy picture whose colour tells its kind; no two are the same."""
    noise = np.random.default_rng([kind, number]).normal(0, 25, (height, width, 3))
    return Image.fromarray((np.array(COLOURS[kind % 4]) + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages as they are written, whatever the system is set to."""
    monkeypatch.setenv("PICTAXA_LANGUAGE", "en")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny models: more threads only wait for each other, and a command before may have set them."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_neighbours() -> Iterator[None]:
    """What else the machine does takes no threads from trainings in this process, so that they repeat bit for bit."""
    from pictaxa.system import threads

    with pytest.MonkeyPatch.context() as patched:  # not the test's own, which it may undo
        patched.setattr(threads, "read_usage", lambda: None)
        yield


@pytest.fixture
def draw() -> Callable[..., Image.Image]:
    """Makes one picture."""
    return picture


@pytest.fixture(scope="session")
def make_photos() -> Callable[..., Path]:
    """Makes a folder of pictures from {class: count}."""

    def make(root: Path, counts: dict[str, int], *, suffix: str = ".png", first: int = 0) -> Path:
        for kind, (name, count) in enumerate(counts.items()):
            (root / name).mkdir(parents=True, exist_ok=True)
            for number in range(first, first + count):
                picture(kind, number).save(root / name / f"{number}{suffix}")
        return root

    return make


TINY = ("--model", "lenet5", "--size", "28", "--batch-size", "8", "--precision", "float32", "--policy", "light")


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Flags of a training that takes a second."""
    return TINY


@pytest.fixture
def trained(tmp_path: Path, make_photos: Callable[..., Path]) -> tuple[Path, Path]:
    """A small data set and a run trained on it: (data, run)."""
    from pictaxa.cli.main import main

    data = make_photos(tmp_path / "photos", {"red": 12, "green": 12, "blue": 12})
    run = tmp_path / "run"
    assert main(["train", str(data), *TINY, "--epochs", "3", "--lr", "0.02", "--out", str(run)]) == 0
    return data, run


SMALL = ("--size", "32", "--batch-size", "8", "--precision", "float32")


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory, make_photos: Callable[..., Path]) -> Path:
    """A run of resnet_lite on two classes, a and b; no test changes it."""
    folder = tmp_path_factory.mktemp("backbone")
    data = make_photos(folder / "photos", {"a": 24, "b": 24})
    words = ["train", str(data), "--out", str(folder / "run"), "--cache", str(folder / "cache"), *SMALL]
    from pictaxa.cli.main import main

    assert main([*words, "--model", "resnet_lite", "--policy", "light", "--epochs", "2"]) == 0
    return folder / "run"


@pytest.fixture
def data(tmp_path: Path, make_photos: Callable[..., Path]) -> Path:
    """Four colours, 20 pictures each."""
    return make_photos(tmp_path / "photos", {"w": 20, "x": 20, "y": 20, "z": 20})
