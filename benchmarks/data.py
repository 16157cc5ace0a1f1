"""Finding what is wrong with a data set: how much of what was planted is found, what else, and how long it takes.

    python benchmarks/data.py alike FLOWERS       # a folder of photographs
    python benchmarks/data.py scale CIFAR10       # 40,000 pictures in any layout
    python benchmarks/data.py labels SIGNS        # a folder for each class

alike: each photograph gets a changed copy; the part of the copies that is found, and the other pairs that are, which a
person must look at: photographs taken one after the other are no mistakes of the finder.
scale: seconds for 10,000, 20,000 and 40,000 pictures.
labels: 5% of the labels are flipped; the part of them among the tenth of the labels that is most suspicious, by five
trainings on the other parts (`inspect --folds 5`).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image, ImageEnhance, ImageOps

from pictaxa.api import train
from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import read_data
from pictaxa.inspection.alike import find_alike, thumbnails
from pictaxa.inspection.labels import suspect_order
from pictaxa.pictures import decode, is_picture, square_of

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
    found = find_alike(originals)
    print(f"{len(paths)} photographs as they are: {len(found)} pairs, {1000 * len(found) / len(paths):.1f} in 1,000")
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
        rows = [f"{index.place(row)[0].resolve()},{index.classes[labels[row]]}" for row in range(len(index))]
        manifest.write_text("\n".join(["path,label", *rows]), encoding="utf-8")
        probabilities = np.zeros((len(labels), classes))
        for fold in range(1, folds + 1):
            with contextlib.redirect_stdout(io.StringIO()):
                run = train(
                    manifest, fold=f"{fold}/{folds}", minutes=minutes, size=64, policy="standard",
                    augment=("horizontal_flip=0",), out=Path(name) / str(fold),
                ).run  # fmt: skip
            table = pq.read_table(run.predictions_path("val"))
            columns = [table.column(f"p:{name}").to_numpy() for name in index.classes]
            probabilities[table.column("row").to_numpy()] = np.stack(columns, axis=1)
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
    parser.add_argument("what", choices=("alike", "scale", "labels"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=1.0, help="of each fold")
    parser.add_argument("--folds", type=int, default=5)
    asked = parser.parse_args()
    if asked.what == "alike":
        measure_alike(asked.data)
    elif asked.what == "scale":
        measure_scale(asked.data)
    else:
        measure_labels(asked.data, minutes=asked.minutes, folds=asked.folds)


if __name__ == "__main__":
    main()
