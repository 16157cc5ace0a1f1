"""The promises to a person with a folder of photographs, measured by the commands that the person would type.

    python benchmarks/photographs.py FOLDER [--minutes 10] [--seeds 3] [--only cache,waiting,start,accuracy] [--work W]
                                     [--weights none]

FOLDER has a sub-folder per class, or train/ and val/. The caches, the runs and what the accuracy commands print are
kept in W when one is named. Nothing else should run on the machine. Each figure is printed
with its runs, so that their spread can be seen; the share of time that a hypervisor kept the processors from us
("stolen", Linux only) stands beside what it may have spoilt.

  cache     pictures per second into a new cache, and the share of a bare decode of the same files by Pillow
  waiting   share of a resnet18 epoch's time, at 128 and 224 px, that is spent waiting for pictures, after the first
  start     seconds of `pictaxa --help` and of one prediction, from a cold start
  accuracy  validation accuracy of `pictaxa train FOLDER --minutes M` with the defaults, for several seeds; with
            --weights none from nothing
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from pictaxa.images.decode import is_picture


def pictaxa(*words: str, cache: Path, folder: Path | None = None, output: Path | None = None) -> float:
    """Run a command as a process in `folder`; its seconds. What it prints goes into the file `output`."""
    before = time.monotonic()
    environment = {**os.environ, "PICTAXA_CACHE": str(cache)}
    command = [sys.executable, "-m", "pictaxa", *words]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - before
    if done.returncode:
        raise SystemExit(f"pictaxa {' '.join(words)}\n{done.stdout}{done.stderr}")
    if output is not None:
        output.write_text(done.stdout)
    return seconds


def stolen_ticks() -> tuple[int, int]:
    """Ticks stolen and ticks in all since the machine started; zeros where the system does not tell."""
    try:
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return 0, 0
    return ticks[7], sum(ticks)


def figures(name: str, values: list[float], *, unit: str) -> None:
    """Print the median with every run."""
    runs = ", ".join(f"{value:.4g}" for value in values)
    print(f"{name:46} median {statistics.median(values):.4g} {unit}   runs: {runs}", flush=True)


def measure_cache(folder: Path, work: Path) -> None:
    """Into a new cache, alternating with Pillow alone on as many threads."""
    paths = [path for path in folder.rglob("*") if is_picture(path.name)]

    def bare(path: Path) -> None:
        with Image.open(path) as image:
            image.draft("RGB", (160, 160))
            image.convert("RGB").resize((160, 160), Image.Resampling.BICUBIC, reducing_gap=3.0)

    code = (
        "import sys, time; from pathlib import Path; from pictaxa.data.cache import build_cache\n"
        "from pictaxa.data.squares import CacheSpec\n"
        "from pictaxa.data.reading import read_data; from pictaxa.system.device import usable_cores\n"
        "index = read_data(sys.argv[1]); before = time.monotonic()\n"
        "build_cache(index, CacheSpec(side=160, channels=3), root=Path(sys.argv[2]), threads=usable_cores())\n"
        "print(len(index) / (time.monotonic() - before))"
    )
    ours, theirs = [], []
    for number in range(3):
        command = [sys.executable, "-c", code, str(folder), str(work / f"cache-{number}")]
        ours.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        before = time.monotonic()
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(bare, paths))
        theirs.append(len(paths) / (time.monotonic() - before))
    figures(f"cache of {len(paths)} pictures, squares of 160 px", ours, unit="pictures/s")
    figures("the same files through Pillow alone", theirs, unit="pictures/s")


def measure_waiting(folder: Path, work: Path) -> None:
    """The log's own column, of the epochs after the first."""
    for size in (128, 224):
        run = work / f"waiting-{size}"
        flags = ("--model", "resnet18", "--size", str(size), "--epochs", "3", "--progressive-resizing", "0")
        pictaxa("train", str(folder), *flags, "--out", str(run), cache=work / "cache")
        with (run / "log.csv").open(newline="") as file:
            shares = [100 * float(row["waiting_share"]) for row in csv.DictReader(file)]
        figures(f"resnet18 at {size} px, waiting for pictures", shares[1:], unit="% of the time")


def measure_start(folder: Path, work: Path) -> None:
    """Whole processes."""
    cache, run = work / "cache", work / "start"
    pictaxa("train", str(folder), "--epochs", "1", "--size", "64", "--out", str(run), cache=cache)
    picture = next(str(path) for path in sorted(folder.rglob("*")) if is_picture(path.name))
    figures("pictaxa --help", [pictaxa("--help", cache=cache) for _ in range(7)], unit="s")
    seconds = [pictaxa("predict", str(run), picture, cache=cache) for _ in range(5)]
    figures("one prediction from a cold start", seconds, unit="s")


def measure_accuracy(folder: Path, work: Path, *, minutes: float, seeds: int, weights: str) -> None:
    """The defaults, nothing else asked for but where to start."""
    accuracies, spent = [], []
    for seed in range(seeds):
        place = work / f"accuracy-{seed}"
        place.mkdir()
        stolen, ticks = stolen_ticks()
        start = ("--weights", weights) if weights else ()
        words = ("train", str(folder), "--minutes", str(minutes), "--seed", str(seed), *start)
        spent.append(pictaxa(*words, cache=work / "cache", folder=place, output=place / "output.txt"))
        stolen, ticks = (after - before for after, before in zip(stolen_ticks(), (stolen, ticks), strict=True))
        (run,) = (place / "runs").iterdir()
        metrics = json.loads((run / "metrics.json").read_text())
        accuracies.append(100 * metrics["accuracy"])
        with (run / "log.csv").open(newline="") as file:
            last = list(csv.DictReader(file))[-1]
        print(
            f"  seed {seed}: {metrics['accuracy']:.1%} of {metrics['pictures']} (95% interval "
            f"{metrics['accuracy_95_low']:.1%} to {metrics['accuracy_95_high']:.1%}), last epoch "
            f"{float(last['val_accuracy']):.1%}, {last['epoch']} epochs, {spent[-1]:.0f} s, "
            f"{100 * stolen / max(ticks, 1):.0f}% of processor time stolen",
            flush=True,
        )
    figures(f"validation accuracy after {minutes:g} minutes", accuracies, unit="%")
    figures("whole command", spent, unit="s")


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="cache,waiting,start,accuracy")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--weights", default="", help="where accuracy's trainings start; by default what fits")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    parts: dict[str, Callable[[Path], None]] = {
        "cache": lambda work: measure_cache(folder, work),
        "waiting": lambda work: measure_waiting(folder, work),
        "start": lambda work: measure_start(folder, work),
        "accuracy": lambda work: measure_accuracy(
            folder, work, minutes=arguments.minutes, seeds=arguments.seeds, weights=arguments.weights
        ),
    }
    with tempfile.TemporaryDirectory() as passing:
        work = (arguments.work or Path(passing)).resolve()
        work.mkdir(exist_ok=True)
        for name in arguments.only.split(","):
            parts[name](work)


if __name__ == "__main__":
    main()
