"""What tests share: small pictures that are made here, and a cache folder that is thrown away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pictaxa.augment.preprocess import Geometry
from pictaxa.config.by_name import to_json
from pictaxa.config.training import TrainConfig
from pictaxa.data.index import index_from_columns
from pictaxa.metrics import Predictions, summarise
from pictaxa.runs.chosen import Chosen
from pictaxa.runs.places import create_run
from pictaxa.runs.records import write_index, write_predictions


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


@pytest.fixture(scope="session")
def judged_run() -> Callable[..., Path]:
    """Makes a run folder without a training: pictures, an index, a log, and answers of which some are wrong."""

    def make(
        folder: Path,
        classes: Sequence[str],
        *,
        pictures: int = 8,
        wrong: float = 0.25,
        side: int = 40,
        drawn: bool = True,
        epochs: int = 3,
    ) -> Path:
        """`pictures` of each class are validated; without `drawn` there are no files."""
        random = np.random.default_rng(0)
        names, labels = [], []
        for label, name in enumerate(classes):
            for number in range(pictures):
                path = Path(str(label)) / f"{name.replace('/', '-')}-{number}.png"
                names.append(path.as_posix())
                labels.append(label)
                if drawn:
                    (folder / "photos" / str(label)).mkdir(parents=True, exist_ok=True)
                    picture(label, number, width=side, height=side).save(folder / "photos" / path)
        count = len(names)
        columns = {"path": names, "label": labels, "split": ["val"] * count, "bytes": [1] * count}
        columns |= {"mtime_ns": [1] * count, "hash": [f"{number:032x}" for number in range(count)]}
        index = index_from_columns(columns, root=folder / "photos", classes=tuple(classes))
        answers = np.where(random.random(count) < wrong, random.integers(0, len(classes), count), labels)
        shares = np.full((count, len(classes)), 0.4 / max(1, len(classes) - 1), np.float32)
        shares[np.arange(count), answers] = random.uniform(0.6, 1, count)
        shares /= shares.sum(axis=1, keepdims=True)
        predictions = Predictions(np.arange(count), np.array(labels), shares)
        run = create_run(folder / "run")
        run.write_classes(tuple(classes))
        run.write_geometry(Geometry(square=36, channels=3, view="centre", size=28, tta="none"))
        chosen = Chosen(
            "lenet5", (), str(folder / "photos"), 28, 0.01, True, val_pictures=count,
            findings=("nearly one colour: 1 of 24 pictures",), machine={"device": "cpu", "precision": "float32"},
        )  # fmt: skip
        run.write_config(to_json(TrainConfig(data=folder / "photos")), chosen)
        write_index(run, index)
        write_predictions(run, predictions, index=index)
        run.write_metrics(summarise(predictions, tuple(classes)))
        run.write_log([_epoch(number) for number in range(1, epochs + 1)])
        return run.path

    return make


def _epoch(number: int) -> dict[str, float | int]:
    """A row of a log."""
    return {
        "epoch": number, "step": 10 * number, "seconds": 2.0 * number, "lr": 0.01, "size": 28,
        "train_loss": 1 / number, "train_accuracy": 1 - 0.5 / number, "val_loss": 1.1 / number,
        "val_accuracy": 1 - 0.6 / number, "pictures_per_second": 100.0, "waiting_share": 0.0,
    }  # fmt: skip
