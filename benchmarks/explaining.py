"""Explanations: how well each method shows what a network goes by, and how long it takes.

    python benchmarks/explaining.py areas RUN RUN... --pictures 40    # runs whose pictures are where they were
    python benchmarks/explaining.py time RUN FLOWERS                  # a run, and a folder of pictures

areas: of validation pictures, the deletion and insertion areas of each method against random order and from the middle
outwards, as `pictaxa explain --check` has them, with 95% intervals; "as in the paper" is the ratio of deletion areas
that count from a probability of 0, with what an empty picture gets. A method that is not for a network is left out.
time: the whole command `pictaxa explain RUN` with 16 pictures, from Python's start to the last drawing.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pictaxa.explaining.areas import Ratio
from pictaxa.explaining.attending import attention_layers
from pictaxa.explaining.checking import Order, check_methods
from pictaxa.explaining.methods import METHOD_NAMES, MethodName
from pictaxa.inference.loading import load
from pictaxa.judge.asked import answering_of

EXPLAINED = 16  # pictures of a timed command


def told(ratio: Ratio) -> str:
    """A ratio with its interval."""
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def row(run: Path, name: str, order: Order, over_centre: str) -> str:
    """A line of the table."""
    return (
        f"| {run.name} | {name} | {order.deletion:.3f} | {told(order.deletion_ratio)} | {told(order.plain_ratio)} | "
        f"{order.insertion:.3f} | {told(order.insertion_ratio)} | {over_centre} |"
    )


def areas(runs: list[Path], methods: list[MethodName], *, pictures: int) -> None:
    """Print the table of methods."""
    print(
        "| run | order | deletion | random / it | as in the paper | insertion | it / random | middle / it, deletion |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for run in runs:
        predictor = load(run, answering=answering_of(run))
        known = [name for name in methods if name != "attention-rollout" or attention_layers(predictor.model)]
        found = check_methods(predictor, known, pictures=pictures)
        for one in found:
            print(row(run, one.method, one.orders[0], told(one.over_centre)), flush=True)
        print(row(run, "from the middle", found[0].orders[1], ""))
        deletion, insertion = found[0].random
        print(f"| {run.name} | random | {deletion:.3f} | | | {insertion:.3f} | | |")
        print(f"{run.name}: {found[0].pictures} pictures, an empty one gets {found[0].empty:.3f}", flush=True)


def seconds(run: Path, photos: Path, *, rounds: int) -> None:
    """Print how long the whole command takes."""
    files = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = [str(path) for path in files[:: max(1, len(files) // EXPLAINED)][:EXPLAINED]]
    taken = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            before = time.monotonic()
            subprocess.run(
                [sys.executable, "-m", "pictaxa", "explain", str(run), *chosen, "--out", folder], check=True,
                capture_output=True,
            )  # fmt: skip
            taken.append(time.monotonic() - before)
    print(
        f"explain {len(chosen)} pictures: {statistics.median(taken):.1f} s ({min(taken):.1f} to {max(taken):.1f}, "
        f"{rounds} rounds)"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    some = commands.add_parser("areas")
    some.add_argument("runs", nargs="+", type=Path)
    some.add_argument("--pictures", type=int, default=40)
    some.add_argument("--methods", nargs="+", default=list(METHOD_NAMES))
    timed = commands.add_parser("time")
    timed.add_argument("run", type=Path)
    timed.add_argument("photos", type=Path)
    timed.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.command == "areas":
        areas(given.runs, given.methods, pictures=given.pictures)
    else:
        seconds(given.run, given.photos, rounds=given.rounds)


if __name__ == "__main__":
    main()
