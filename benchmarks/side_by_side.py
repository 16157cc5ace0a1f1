"""pictaxa beside fastai, a plain timm loop, Keras, Ultralytics and scikit-learn: the same pictures and minutes.

    make peers                                                          # once: the others' environment, 8 GB
    python benchmarks/side_by_side.py FOLDER [--minutes 5] [--seeds 3] [--only pictaxa,fastai] [--peers .venv-peers]
                                      [--work W]

FOLDER has train/CLASS and val/CLASS. The sides take turns, seed by seed, each in a process of its own that nothing runs
beside; pictaxa starts with an empty cache. All but two begin with the same file of ImageNet weights for
EfficientNet-Lite0; Ultralytics' weights and those of keras.applications must be fetched from an address, so these
begin from nothing. What each side does stands on top of its file in benchmarks/peers/.

The minutes are those of training and validation. "whole" is the process from its start to its end, reading, libraries
and judging included, but for what fastai needs to find out how many epochs fill the minutes. "last" is the accuracy on
val/ of the weights that a training ended with; "best" that of the epoch that was best there, where the side keeps that
one, which flatters it.

pictaxa runs in the interpreter that runs this file: with .venv-peers/bin/python it has the torch that the others have.
A side whose packages are absent is skipped, one that fails is told; both with a line. What the sides print is kept in W
when one is named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from photographs import stolen_ticks
from pictaxa.runs.folder import open_run

PEERS = Path(__file__).parent / "peers"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "1"}


class SideError(Exception):
    """What a side said last."""


@dataclass(frozen=True)
class Side:
    """A row of the table."""

    name: str
    begins: str  # the weights
    script: str = ""  # in peers/; "": pictaxa itself
    words: tuple[str, ...] = ()
    needs: str = ""  # the module without which it cannot run


IMAGENET, NOTHING = "ImageNet", "nothing"
SIDES = (
    Side("pictaxa", IMAGENET),
    Side("pictaxa-head", IMAGENET, words=("--tune", "head")),
    Side("timm", IMAGENET, "timm_side.py", needs="timm"),
    Side("fastai", IMAGENET, "fastai_side.py", needs="fastai"),
    Side("fastai-tuned", IMAGENET, "fastai_side.py", ("--tuned",), needs="fastai"),
    Side("keras", IMAGENET, "keras_side.py", needs="keras"),
    Side("keras-nothing", NOTHING, "keras_side.py", ("--from-nothing",), needs="keras"),
    Side("ultralytics", NOTHING, "ultralytics_side.py", needs="ultralytics"),
    Side("logistic", IMAGENET, "logistic_side.py", needs="timm"),
)
OWN_LENGTH = ("pictaxa-head", "logistic")  # take the time that they take


@dataclass(frozen=True)
class Outcome:
    """What a side attained with one seed."""

    accuracy: float
    best: float | None
    pictures: int
    epochs: float
    rate: float | None  # training pictures per second
    seconds: float  # of the whole process, but for what does not count
    stolen: float  # share of the processors' time
    note: str
    versions: dict[str, str]


def run(command: list[str], *, log: Path, **environment: str) -> str:
    """The command's standard output; SideError when it fails."""
    done = subprocess.run(command, env={**os.environ, **QUIET, **environment}, capture_output=True, text=True)
    log.write_text(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise SideError(f"exit status {done.returncode}: {last}")
    return done.stdout


def ours(side: Side, words: list[str], work: Path, log: Path) -> dict[str, Any]:
    """Of `pictaxa train`, what the peers' scripts tell of themselves."""
    folder = work / log.stem
    command = [sys.executable, "-m", "pictaxa", "train", *words, *side.words, "--out", str(folder)]
    with tempfile.TemporaryDirectory() as cache:
        run(command, log=log, PICTAXA_CACHE=cache)
    opened = open_run(folder)
    metrics, chosen = opened.metrics, opened.config["chosen"]
    judged = [row for row in opened.log_rows() if row["val_accuracy"]]
    told = {"accuracy": metrics["accuracy"], "best": None, "epochs": 0, "rate": None, "uncounted": 0, "note": ""}
    if judged:
        last = judged[-1]
        seen = int(last["epoch"]) * chosen["train_pictures"]
        told |= {"accuracy": float(last["val_accuracy"]), "best": metrics["accuracy"]}
        told |= {"epochs": int(last["epoch"]), "rate": seen / float(last["seconds"])}
    versions = {name: metadata.version(name) for name in ("pictaxa", "torch")}
    return told | {"pictures": metrics["pictures"], "versions": versions}


def measure(side: Side, folder: Path, *, minutes: float, seed: int, python: Path, work: Path) -> Outcome:
    """One training in a process of its own."""
    words = [str(folder), "--seed", str(seed)]
    if side.name not in OWN_LENGTH:
        words += ["--minutes", str(minutes)]
    log = work / f"{side.name}-{seed}.txt"
    (stolen, ticks), before = stolen_ticks(), time.monotonic()
    if side.script:
        command = [str(python), str(PEERS / side.script), *words, *side.words]
        told = json.loads(run(command, log=log).strip().splitlines()[-1])
    else:
        told = ours(side, words, work, log)
    seconds = time.monotonic() - before - told.pop("uncounted")
    stolen, ticks = (after - earlier for after, earlier in zip(stolen_ticks(), (stolen, ticks), strict=True))
    return Outcome(**told, seconds=seconds, stolen=stolen / max(ticks, 1))


def missing(side: Side, python: Path) -> str:
    """Why a side cannot run; "" when it can."""
    if not side.script:
        return ""
    if not python.is_file():
        return f"there is no {python}; `make peers` makes it, or name an environment with --peers"
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({side.needs!r}) is None)"
    if subprocess.run([str(python), "-c", code], capture_output=True).returncode:
        return f"{python} has no {side.needs}; `{python} -m pip install -r {PEERS / 'requirements.txt'}` brings it"
    return ""


def processor() -> str:
    """Its name as the system tells it, and the cores that we may use."""
    try:
        lines = [line.partition(": ") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    except OSError:
        lines = []
    told = {key.strip(): value for key, _, value in lines}
    name = told.get("model name") or platform.processor() or platform.machine()
    if "model" in told:
        name += f" (family {told['cpu family']}, model {told['model']})"
    units = {"AVX-512": "avx512f", "bfloat16": "avx512_bf16", "AMX": "amx_bf16"}
    has = [unit for unit, flag in units.items() if flag in told.get("flags", "").split()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}{', ' if has else ''}{', '.join(has)}; {cores} cores"


def percents(values: list[float]) -> str:
    """The median, and each seed's where there are several."""
    runs = ", ".join(f"{100 * value:.1f}" for value in values)
    return f"{statistics.median(values):.1%}" + (f" ({runs})" if len(values) > 1 else "")


def row(side: Side, outcomes: list[Outcome]) -> str:
    """A row of the table."""
    best = [outcome.best for outcome in outcomes if outcome.best is not None]
    rates = [outcome.rate for outcome in outcomes if outcome.rate is not None]
    cells = [
        f"`{side.name}`",
        side.begins,
        percents([outcome.accuracy for outcome in outcomes]),
        percents(best) if best else "",
        f"{epochs:.3g}" if (epochs := statistics.median(outcome.epochs for outcome in outcomes)) else "",
        f"{statistics.median(rates):.0f}" if rates else "",
        ", ".join(f"{outcome.seconds:.0f}" for outcome in outcomes),
        ", ".join(f"{outcome.stolen:.0%}" for outcome in outcomes),
        "; ".join(dict.fromkeys(outcome.note for outcome in outcomes if outcome.note)),
    ]
    return f"| {' | '.join(cells)} |"


def table(outcomes: dict[Side, list[Outcome]], *, minutes: float, folder: Path) -> None:
    """Print everything, ready for a page of docs/."""
    pictures = {outcome.pictures for side in outcomes.values() for outcome in side}
    assert len(pictures) == 1, f"the sides judged {pictures} pictures"
    versions: dict[str, str] = {}
    for side, of_side in outcomes.items():
        for name, version in of_side[0].versions.items():
            whose = f"{name} (pictaxa's)" if name == "torch" and not side.script else name
            versions[whose] = version
    print(f"\n{processor()}")
    print(f"{folder.name}, {minutes:g} minutes, accuracy on {pictures.pop()} pictures: the median (each seed)")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print("\n| side | begins from | last | best | epochs | pictures/s | whole, s | stolen | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for side, of_side in outcomes.items():
        print(row(side, of_side))


def main() -> None:
    """Measure in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(side.name for side in SIDES), help="sides, by their names")
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers"), help="the others' environment")
    parser.add_argument("--work", type=Path)
    asked = parser.parse_args()
    names = asked.only.split(",")
    if unknown := set(names) - {side.name for side in SIDES}:
        parser.error(f"there is no side {', '.join(sorted(unknown))}: see --help for --only's default")
    folder, python = asked.folder.resolve(), asked.peers.absolute() / "bin" / "python"
    if not all((folder / split).is_dir() for split in ("train", "val")):
        parser.error(f"{folder} has no train/ and val/")
    sides = []
    for side in SIDES:
        if side.name in names:
            if reason := missing(side, python):
                print(f"{side.name} is skipped: {reason}", flush=True)
            else:
                sides.append(side)
    outcomes: dict[Side, list[Outcome]] = {}
    with tempfile.TemporaryDirectory() as passing:
        work = (asked.work or Path(passing)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        for seed in range(asked.seeds):
            for side in sides:
                try:
                    one = measure(side, folder, minutes=asked.minutes, seed=seed, python=python, work=work)
                except SideError as problem:
                    print(f"{side.name}, seed {seed}, failed: {problem}", flush=True)
                    continue
                outcomes.setdefault(side, []).append(one)
                best = "" if one.best is None else f", best {one.best:.1%}"
                rate = "" if one.rate is None else f", {one.epochs:.3g} epochs, {one.rate:.0f} pictures/s"
                told = f"{one.accuracy:.1%}{best}{rate}, {one.seconds:.0f} s, {one.stolen:.0%} stolen"
                print(f"{side.name}, seed {seed}: {told}", flush=True)
    if outcomes:
        table(outcomes, minutes=asked.minutes, folder=folder)


if __name__ == "__main__":
    main()
