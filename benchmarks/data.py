"""Data sets: how fast they become training batches, how many pictures they may have, what is found wrong with them.

    python benchmarks/data.py batches FLOWERS     # needs torchvision: the interpreter of `make parity` has it
    python benchmarks/data.py index               # makes a million files for a while
    python benchmarks/data.py step                # a million rows in memory
    python benchmarks/data.py alike FLOWERS       # a folder of photographs
    python benchmarks/data.py scale CIFAR10       # 40,000 pictures in any layout
    python benchmarks/data.py labels SIGNS        # a folder for each class

batches: pictures a second into training batches with flips, crops, rotation and colour, against torchvision's
ImageFolder, the same transforms and its DataLoader with two workers; epochs of the two take turns.
index: seconds and memory to list, open and split a million pictures whose squares are in the cache.
alike: each photograph gets a changed copy; the part of the copies that is found, and the other pairs that are, which a
person must look at: photographs taken one after the other are no mistakes of the finder.
scale: seconds for 10,000, 20,000 and 40,000 pictures.
step: what a training step computes beside the model at a million rows of metadata: how far the training is, its lr.
labels: 5% of the labels are flipped; the part of them among the tenth of the labels that is most suspicious, by five
trainings on the other parts (`inspect --folds 5`).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from pictaxa.api.runs import train
from pictaxa.augment.augmenter import Augmenter
from pictaxa.augment.policy import Policy
from pictaxa.augment.preprocess import Geometry
from pictaxa.config.by_name import with_words
from pictaxa.config.machine import MachineConfig
from pictaxa.config.training import TrainConfig
from pictaxa.data.batches import epoch_order, read_batches
from pictaxa.data.cache import build_cache
from pictaxa.data.fetching import Fetcher
from pictaxa.data.index import index_from_columns
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.images.decode import decode, is_picture, square_of
from pictaxa.inspection.alike import find_alike
from pictaxa.inspection.labels import suspect_order
from pictaxa.inspection.sketches import thumbnails
from pictaxa.runs.records import read_predictions
from pictaxa.system.device import apply_plan, choose_plan, usable_cores
from pictaxa.training.checkpoint import Counters
from pictaxa.training.job import Job
from pictaxa.training.schedule import Length
from pictaxa.training.session import Session, lr_of, progress_of

SIDE = 160  # of squares, as `pictaxa inspect` has them


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    """As JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def cropped(image: Image.Image, part: float) -> bytes:
    """Without this part of each side."""
    width, height = image.size
    x, y = round(width * part), round(height * part)
    return encoded(image.crop((x, y, width - x, height - y)))


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "resize 0.5": lambda image: encoded(image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)),
    "JPEG quality 40": lambda image: encoded(image, 40),
    "crop 5%": lambda image: cropped(image, 0.025),
    "crop 5% of each side": lambda image: cropped(image, 0.05),
    "brightness 1.2": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.2)),
    "mirrored": lambda image: encoded(ImageOps.mirror(image)),
}


def thumbs_of(path: Path) -> dict[str, np.ndarray]:
    """(64, 64) uint8 thumbnails of a photograph and of its changed copies."""
    data = path.read_bytes()
    image = decode(data, name=str(path)).convert("RGB")
    pictures = {"itself": data} | {name: change(image) for name, change in CHANGES.items()}
    squares = [square_of(picture, name="x", side=SIDE, channels=3).pixels for picture in pictures.values()]
    return dict(zip(pictures, thumbnails(torch.from_numpy(np.stack(squares))).numpy(), strict=True))


def measure_alike(folder: Path) -> None:
    """Recall of planted copies, and what else is found."""
    paths = sorted(path for path in folder.rglob("*") if is_picture(path.name))
    with ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        thumbs = list(pool.map(thumbs_of, paths, chunksize=16))
    originals = np.stack([of["itself"] for of in thumbs])
    started = time.monotonic()
    found = find_alike(originals)
    seconds = time.monotonic() - started
    often = 1000 * len(found) / len(paths)
    print(f"{len(paths)} photographs as they are: {len(found)} pairs, {often:.1f} in 1,000, in {seconds:.2f} s")
    for pair in found:
        print(f"    {paths[pair.first].name} {paths[pair.second].name} {pair.likeness:.3f}")
    for name in CHANGES:
        both = np.concatenate([originals, np.stack([of[name] for of in thumbs])])
        pairs = find_alike(both)
        right = {pair.first for pair in pairs if pair.second - pair.first == len(paths)}
        # A pair of the photographs themselves comes again between their copies, and across.
        known = {(pair.first, pair.second) for pair in found}
        places = ((pair.first % len(paths), pair.second % len(paths)) for pair in pairs)
        others = {(min(place), max(place)) for place in places if place[0] != place[1]} - known
        print(f"{name:21} {len(right) / len(paths):6.1%} found, {len(others)} new pairs beside", flush=True)


OPEN = """
import json, resource, sys, time
from pathlib import Path
from pictaxa.data.cache import build_cache
from pictaxa.data.reading import read_data
from pictaxa.data.split import split_index
from pictaxa.data.squares import CacheSpec
root, told, before = Path(sys.argv[1]), {}, time.monotonic()
def tell(name):
    global before
    told[name], before = time.monotonic() - before, time.monotonic()
index = read_data(root / "photos")
tell("list")
cache, index = build_cache(index, CacheSpec(8, 3), root=root / "cache", threads=2)
tell("open")
split_index(index, seed=0)
tell("split")
print(json.dumps(told | {"GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))
"""


def measure_index(rows: int) -> None:
    """Of pictures in 1,000 classes; half of a class are copies of one picture, half of another."""
    with tempfile.TemporaryDirectory() as name:
        for number in range(1000):
            folder = Path(name) / "photos" / f"class{number:03}"
            folder.mkdir(parents=True)
            for half in range(2):
                first = folder / f"{half}-000000.png"
                Image.new("RGB", (8, 8), (number % 256, number // 256, half)).save(first)
                for copy in range(1, rows // 2000):
                    (folder / f"{half}-{copy:06}.png").hardlink_to(first)
        for what in ("built", "opened again"):
            words = [sys.executable, "-c", OPEN, name]
            told = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
            seconds = ", ".join(f"{word} {value:.1f} s" for word, value in told.items() if word != "GB")
            print(f"{rows} rows {what}: {seconds}, at most {told['GB']:.2f} GB of memory", flush=True)


def measure_step(rows: int) -> None:
    """Of an index in memory; no picture is there."""
    kinds = np.arange(rows) % 1000
    columns = {
        "path": np.char.add(np.arange(rows).astype(str), ".jpg"), "label": kinds, "bytes": np.ones(rows, np.int64),
        "mtime_ns": np.ones(rows, np.int64), "split": np.where(np.arange(rows) % 5 == 0, "val", "train"),
    }  # fmt: skip
    index = index_from_columns(columns, root=Path(), classes=tuple(map(str, range(1000))))
    config = with_words(TrainConfig(data=Path()), {"weights": "none", "model": "resnet_lite", "minutes": 1}).resolved()
    geometry = Geometry(square=160, channels=3, view="squash", size=128, tta="flip")
    none: Any = None  # neither a folder nor pictures
    plan = choose_plan(config.machine)
    job = Job(config, none, index, none, geometry, Policy(), plan, 128, 0.1, decode_seconds=0.0, new_head=True)
    session = Session(none, none, Counters(pictures=64, epoch_seconds=1.0), started=time.monotonic())
    length, seconds = Length(steps=None, seconds=60.0), []
    for _ in range(50):
        before = time.perf_counter()
        lr_of(job, session.counters, progress_of(job, session, length))
        seconds.append(time.perf_counter() - before)
    before = time.perf_counter()
    batches = len(job.epoch_order(0))
    order_seconds = time.perf_counter() - before
    first, others = 1e3 * seconds[0], 1e3 * statistics.median(seconds[1:])
    print(f"{rows} rows: the first step {first:.1f} ms, each other {others:.3f} ms")
    print(f"the order of an epoch of {batches} batches: {order_seconds:.2f} s")


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 64


def our_epochs(folder: Path, cache_root: Path, size: int) -> Iterator[tuple[int, float]]:
    """(pictures, seconds) of epoch after epoch, on a machine set as a training sets it; the first one decodes.

    What comes before them says that everything is loaded.
    """
    import cv2  # noqa: F401  # what augmentation loads when it is first needed

    yield 0, 0.0
    apply_plan(choose_plan(MachineConfig()))
    policy = Policy(crop_area=0.35, horizontal_flip=0.5, rotation=15, brightness=0.4, contrast=0.4, saturation=0.4)
    augment = Augmenter(policy, "centre", seed=0)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    cpu = torch.device("cpu")
    for epoch in itertools.count():
        before = time.perf_counter()
        if epoch == 0:
            index = read_data(folder)
            spec = CacheSpec(size * 5 // 4, 3)
            cache, index = build_cache(index, spec, root=cache_root, threads=usable_cores())
            rows = np.flatnonzero(index.usable)
        order = epoch_order(rows, epoch, seed=0, batch_size=BATCH)
        count = 0
        for batch in read_batches(cache, order, labels=index.labels, device=cpu):
            images = augment(
                batch.images, batch.rows, repeats=batch.repeats, aspects=batch.aspects, epoch=epoch, size=size
            )
            count += len(images.sub_(mean).div_(std))
        yield count, time.perf_counter() - before


def their_epochs(folder: Path, size: int) -> Iterator[tuple[int, float]]:
    """The same by torchvision."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    yield 0, 0.0
    changes = [
        transforms.RandomResizedCrop(size, scale=(0.35, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(15),
        transforms.ColorJitter(0.4, 0.4, 0.4),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    loader: Any = None
    while True:
        before = time.perf_counter()
        if loader is None:
            pictures = datasets.ImageFolder(folder, transforms.Compose(changes))
            loader = DataLoader(
                pictures, batch_size=BATCH, shuffle=True, num_workers=2, persistent_workers=True,
                multiprocessing_context="fork",  # the default, but in a process that was spawned
            )  # fmt: skip
        count = sum(len(images) for images, _ in loader)
        yield count, time.perf_counter() - before


def answer(ask: Connection, epochs: Callable[..., Iterator[tuple[int, float]]], words: tuple[Any, ...]) -> None:
    """An epoch for each word that comes, until there is no more."""
    side = epochs(*words)
    ask.send(next(side))
    with contextlib.suppress(EOFError):
        while ask.recv():
            ask.send(next(side))


@contextlib.contextmanager
def in_a_process(epochs: Callable[..., Iterator[tuple[int, float]]], *words: Any) -> Iterator[Connection]:
    """A side by itself: torchvision's workers are forked, and whoever forks pays for each page it writes afterwards."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=answer, args=(theirs, epochs, words))
    process.start()
    theirs.close()
    ours.recv()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def an_epoch(side: Connection) -> tuple[int, float]:
    """(pictures, seconds) of the next epoch of a side."""
    side.send(True)
    count, seconds = side.recv()
    return count, seconds


def measure_batches(folder: Path, *, size: int, rounds: int) -> None:
    """First and second epochs, in turn."""
    ratios: dict[str, list[float]] = {"first": [], "second": []}
    for _ in range(rounds):
        with (
            tempfile.TemporaryDirectory() as name,
            in_a_process(our_epochs, folder, Path(name), size) as our_side,
            in_a_process(their_epochs, folder, size) as their_side,
        ):
            for epoch, found in ratios.items():
                (ours, our_seconds), (theirs, their_seconds) = an_epoch(our_side), an_epoch(their_side)
                assert ours == theirs, (ours, theirs)
                found.append(their_seconds / our_seconds)
                rates = f"{ours / our_seconds:.0f} against {theirs / their_seconds:.0f} pictures a second"
                print(f"    {epoch} epoch, {ours} pictures at {size} px: {rates}", flush=True)
    for epoch, found in ratios.items():
        spread = f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
        print(f"{epoch} epoch at {size} px: {spread} times torchvision's pictures a second, {rounds} rounds")


def measure_scale(place: Path) -> None:
    """Seconds of the search alone."""
    index = read_data(place)
    with Fetcher(index) as fetcher:
        squares = [square_of(fetcher.fetch(row), name="x", side=32, channels=3).pixels for row in range(40_000)]
    thumbs = np.concatenate(
        [
            thumbnails(torch.from_numpy(np.stack(squares[start : start + 1000]))).numpy()
            for start in range(0, len(squares), 1000)
        ]
    )
    before = 0.0
    for count in (10_000, 20_000, 40_000):
        started = time.monotonic()
        pairs = find_alike(thumbs[:count])
        seconds = time.monotonic() - started
        ratio = f", {seconds / before:.1f} times as long" if before else ""
        print(f"{count:6d} pictures: {len(pairs)} pairs in {seconds:.1f} s{ratio}", flush=True)
        before = seconds


def measure_labels(folder: Path, *, minutes: float, folds: int) -> None:
    """The part of flipped labels among the most suspicious tenth."""
    index = read_data(folder)
    labels, classes = index.labels, len(index.classes)
    draws = np.random.default_rng(0)
    flipped = draws.choice(len(labels), round(0.05 * len(labels)), replace=False)
    labels[flipped] = (labels[flipped] + draws.integers(1, classes, len(flipped))) % classes
    with tempfile.TemporaryDirectory() as name:
        manifest = Path(name) / "flipped.csv"
        rows = [f"{index.location(row)[0].resolve()},{index.classes[labels[row]]}" for row in range(len(index))]
        manifest.write_text("\n".join(["path,label", *rows]), encoding="utf-8")
        probabilities = np.zeros((len(labels), classes))
        for fold in range(1, folds + 1):
            with contextlib.redirect_stdout(io.StringIO()):
                run = train(
                    manifest, fold=f"{fold}/{folds}", minutes=minutes, size=64, policy="standard",
                    augment=("horizontal_flip=0",), out=Path(name) / str(fold),
                ).run  # fmt: skip
            said = read_predictions(run, classes=index.classes)
            probabilities[said.rows] = said.probabilities
            print(f"    fold {fold}: {run.metrics['accuracy']:.1%} agree with their label", flush=True)
    order, suspected = suspect_order(probabilities, labels)
    tenth = order[: len(labels) // 10]
    print(
        f"{len(flipped)} of {len(labels)} labels flipped: {np.isin(flipped, tenth).mean():.1%} of them in the most "
        f"suspicious tenth; {suspected.sum()} suspected, {suspected[flipped].sum()} of them flipped"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("batches", "index", "step", "alike", "scale", "labels"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=128, help="of the batches, pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=1.0, help="of each fold")
    parser.add_argument("--folds", type=int, default=5)
    asked = parser.parse_args()
    if asked.what == "index":
        measure_index(asked.rows)
    elif asked.what == "step":
        measure_step(asked.rows)
    elif asked.data is None:
        parser.error(f"{asked.what} needs the data")
    elif asked.what == "batches":
        measure_batches(asked.data, size=asked.size, rounds=asked.rounds)
    elif asked.what == "alike":
        measure_alike(asked.data)
    elif asked.what == "scale":
        measure_scale(asked.data)
    else:
        measure_labels(asked.data, minutes=asked.minutes, folds=asked.folds)


if __name__ == "__main__":
    main()
