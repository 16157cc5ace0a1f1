"""Transfer learning: what a head on a frozen backbone costs, and what a backbone learnt elsewhere is worth.

    python benchmarks/transfer.py head FLOWERS           # a folder with train/CLASS and val/CLASS
    python benchmarks/transfer.py commands FLOWERS
    python benchmarks/transfer.py backbone CIFAR10 SIGNS  # a folder of parquet files, one of class folders
    python benchmarks/transfer.py loading

head: the time of `--tune head --solve-head no --epochs 20`, a head trained by gradient, on a backbone whose features
are not cached yet, beside that of one forward pass over the training pictures, and with --every-epoch beside the same
job with the backbone run in every epoch. The pictures are decoded before, or with --undecoded by each side anew, as
with photographs that are seen for the first time; the backbone's weights are fresh, which costs the same. commands: the
same as `pictaxa train --tune head` beside `pictaxa predict` of the training pictures, as a person waits for them:
Python's start and all else included, decoding in prediction alone. backbone: a backbone is trained on CIFAR-10; then
hand signs with 20 training pictures a class, the rest to validate, each way for the same time: from scratch, and from
that backbone. Several seeds; the interval is Student's, of their mean. loading: the time to fill a model from a file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from scipy import stats

from pictaxa.api.runs import train
from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.inference.features import FeaturePass, FeatureSource, extract_features
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import open_run
from pictaxa.training.loop import train_run
from pictaxa.training.setup import decode, setup
from pictaxa.weights.files import save_tensors
from pictaxa.weights.loading import load_weights

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BACKBONES = ("resnet18@128", "mobilenet_v2@128", "resnet50@224")  # an entry of the zoo and its pixels
WAYS = {
    "from scratch": {"weights": "none"},
    "all of the backbone": {},
    "the head alone": {"tune": "head"},
    "the last 2 blocks": {"tune": "last:2"},
}


def timed_training(data: Path, **settings: object) -> float:
    """Seconds of all that `pictaxa train` does, but for starting Python."""
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        before = time.monotonic()
        train_run(with_words(TrainConfig(data=data, out=Path(folder) / "run"), settings))
        return time.monotonic() - before


def one_pass(train: Path, settings: dict[str, object], *, exact: bool, decoding: bool = False) -> float:
    """Seconds in which all training pictures go through the backbone once, or are decoded and do."""
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        start = setup(with_words(TrainConfig(data=train), settings))
        before = time.monotonic()
        cache, index = decode(start.config, start.index, start.geometry, plan=start.plan)
        plan = replace(start.plan, precision=torch.float32) if exact else start.plan
        source = FeatureSource(index, cache, start.geometry, plan, Path(folder))
        if not decoding:
            before = time.monotonic()
        extract_features(source, start.model, [FeaturePass(np.flatnonzero(index.usable))])
        return time.monotonic() - before


def times_of(seconds: list[float], others: list[float]) -> str:
    """The median of the rounds' ratios, with the least and the largest."""
    ratios = sorted(one / other for one, other in zip(seconds, others, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def measure_heads(data: Path, *, rounds: int, backbones: list[str], undecoded: bool, every_epoch: bool) -> None:
    """Twenty epochs of a head, for several backbones."""
    train = data / "train"
    for backbone in backbones or BACKBONES:
        name, size = backbone.split("@")
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "backbone.safetensors"
            save_tensors(create_model(name, 5).state_dict(), weights)
            same = {
                "model": name,
                "weights": weights,
                "size": int(size),
                "tune": "head",
                "solve_head": "no",
                "feature_views": 1,
            }
            one_pass(train, same, exact=True)  # decodes
            timed_training(data, **same, epochs=1)
            passes: list[float] = []
            exact: list[float] = []
            heads: list[float] = []
            for number in range(rounds):
                for seconds, is_exact in ((passes, False), (exact, True)):
                    if undecoded:
                        same["cache"] = Path(folder) / f"pass-{number}-{is_exact}"
                    seconds.append(one_pass(train, same, exact=is_exact, decoding=undecoded))
                torch.seed()  # other weights than in any run before: no features are cached
                save_tensors(create_model(name, 5).state_dict(), weights)
                if undecoded:
                    same["cache"] = Path(folder) / f"head-{number}"
                heads.append(timed_training(data, **same, epochs=20))
            print(
                f"{name} at {size} px: a pass {'with decoding ' if undecoded else ''}{statistics.median(exact):.2f} s "
                f"in float32, as prediction does it, {statistics.median(passes):.2f} s as training does; 20 epochs of "
                f"the head {statistics.median(heads):.2f} s ({min(heads):.2f} to {max(heads):.2f}), "
                f"{times_of(heads, exact)} times the former, {times_of(heads, passes)} times the latter",
                flush=True,
            )
            if every_epoch:
                plain = {"policy": "none", "progressive_resizing": 0.0, "epochs": 20}
                every = timed_training(data, **(same | {"feature_views": 0} | plain))
                print(
                    f"    with the backbone in every epoch {every:.1f} s, {every / statistics.median(heads):.1f} times"
                )


def seconds_of_command(*words: object) -> float:
    """Seconds of a whole pictaxa command, Python's start included."""
    before = time.monotonic()
    subprocess.run([sys.executable, "-m", "pictaxa", *map(str, words)], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - before


def measure_commands(data: Path, *, rounds: int, backbones: list[str]) -> None:
    """Twenty epochs of a head beside a prediction of the training pictures, each as a person waits for it."""
    for backbone in backbones or BACKBONES:
        name, size = backbone.split("@")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            weights = folder / "backbone.safetensors"
            words = [
                "train",
                data,
                "--model",
                name,
                "--weights",
                weights,
                "--size",
                size,
                "--tune",
                "head",
                "--solve-head",
                "no",
            ]
            predictions: list[float] = []
            heads: list[float] = []
            for number in range(rounds + 1):
                torch.seed()  # other weights than in any run before: no features are cached
                save_tensors(create_model(name, 5).state_dict(), weights)
                run = folder / f"run-{number}"
                heads.append(seconds_of_command(*words, "--epochs", "20", "--out", run))
                predictions.append(seconds_of_command("predict", run, data / "train", "--out", folder / "all.csv"))
            del heads[0], predictions[0]  # the first one decoded
            print(
                f"{name} at {size} px: pictaxa predict {statistics.median(predictions):.1f} s, train --tune head "
                f"{statistics.median(heads):.1f} s ({min(heads):.1f} to {max(heads):.1f}), "
                f"{times_of(heads, predictions)} times",
                flush=True,
            )


def measure_loading(*, rounds: int, backbones: list[str]) -> None:
    """The time to read, rename, fit and fill."""
    for backbone in backbones or ("mobilenet_v3_small", "resnet152"):
        name, _, _ = backbone.partition("@")
        with tempfile.TemporaryDirectory() as folder:
            model, file, loads = create_model(name, 5), Path(folder) / "backbone.safetensors", []
            save_tensors(model.state_dict(), file)
            for _ in range(rounds):
                before = time.monotonic()
                load_weights(model, file, source="pictaxa")
                loads.append(time.monotonic() - before)
        print(f"{name}: {statistics.median(loads):.3f} s ({min(loads):.3f} to {max(loads):.3f})", flush=True)


def write_cifar(source: Path, out: Path) -> Path:
    """CIFAR-10's parquet files as folders: all for training, a thousand pictures to validate."""
    for split, file in (("train", "train.parquet"), ("val", "test.parquet")):
        table = pq.read_table(source / file)
        for number, (image, label) in enumerate(zip(*(table.column(k).to_pylist() for k in range(2)), strict=True)):
            if split == "val" and number >= 1000:
                break
            folder = out / split / CIFAR_CLASSES[label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.png").write_bytes(image["bytes"])
    return out


def write_signs(source: Path, out: Path, *, per_class: int) -> Path:
    """The first pictures of each class for training, the rest to validate, as links."""
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        for number, path in enumerate(sorted(folder.iterdir())):
            split = out / ("train" if number < per_class else "val") / folder.name
            split.mkdir(parents=True, exist_ok=True)
            (split / path.name).symlink_to(path.resolve())
    return out


def measure_backbone(
    cifar: Path, signs: Path, *, minutes: float, backbone_minutes: float, seeds: int, ways: list[str], size: int
) -> None:
    """The same time for each way; the backbone has learnt at 32 px, and the signs come at `size`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        same: dict[str, Any] = {"cache": folder / "cache", "model": "resnet_lite"}
        pictures = write_cifar(cifar, folder / "cifar")
        print(f"a backbone from {backbone_minutes:g} minutes of CIFAR-10", flush=True)
        with contextlib.redirect_stdout(io.StringIO()):
            train(pictures, out=folder / "backbone", minutes=backbone_minutes, policy="standard", size=32, **same)
        print(f"    {open_run(folder / 'backbone').metrics['accuracy']:.1%} of 1000 there")
        data = write_signs(signs, folder / "signs", per_class=20)
        for way in ways or WAYS:
            accuracies = []
            for seed in range(seeds):
                run = folder / f"{way}-{seed}"
                given: dict[str, Any] = (
                    {"weights": folder / "backbone", "policy": "light"} | WAYS[way] | same | {"size": size}
                )
                with contextlib.redirect_stdout(io.StringIO()):
                    train(data, out=run, minutes=minutes, seed=seed, **given)
                metrics = open_run(run).metrics
                accuracies.append(metrics["accuracy"])
            mean, error = statistics.mean(accuracies), stats.sem(accuracies)
            low, high = stats.t.interval(0.95, seeds - 1, loc=mean, scale=error)
            print(
                f"{way:20} {minutes:g} minutes: mean {mean:.1%} of {metrics['pictures']} (95% interval {low:.1%} to "
                f"{high:.1%} from {seeds} seeds, {min(accuracies):.1%} to {max(accuracies):.1%})",
                flush=True,
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("head", "commands", "backbone", "loading"))
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--backbone", action="append", help=f"NAME@PIXELS instead of {', '.join(BACKBONES)}; several times"
    )
    parser.add_argument("--undecoded", action="store_true", help="each side decodes its pictures first")
    parser.add_argument("--every-epoch", action="store_true", help="also the same job with the backbone in every epoch")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--way", action="append", choices=WAYS, help="only this one; may be given several times")
    parser.add_argument("--minutes", type=float, default=0.5, help="for each way")
    parser.add_argument("--size", type=int, default=32, help="of the signs, pixels")
    parser.add_argument("--backbone-minutes", type=float, default=4.0)
    asked = parser.parse_args()
    if len(asked.data) != {"loading": 0, "backbone": 2}.get(asked.what, 1):
        parser.error(f"{asked.what} takes other folders: see above")
    if asked.what == "head":
        how = {"undecoded": asked.undecoded, "every_epoch": asked.every_epoch}
        measure_heads(asked.data[0], rounds=asked.rounds, backbones=asked.backbone or [], **how)
    elif asked.what == "commands":
        measure_commands(asked.data[0], rounds=asked.rounds, backbones=asked.backbone or [])
    elif asked.what == "loading":
        measure_loading(rounds=asked.rounds, backbones=asked.backbone or [])
    else:
        cifar, signs = asked.data
        times = {"minutes": asked.minutes, "backbone_minutes": asked.backbone_minutes}
        measure_backbone(cifar, signs, **times, seeds=asked.seeds, ways=asked.way or [], size=asked.size)


if __name__ == "__main__":
    main()
