"""Seconds of a training alone, beside one busy program, and beside an equal training; threads fixed and watched.

    python benchmarks/neighbours.py
    python benchmarks/neighbours.py --demo
    python benchmarks/neighbours.py photos --flags "--steps 12" --rounds 1 --only alone,busy

With --demo it is `pictaxa demo`, whose threads are watched. The whole command counts, with the cache filled. Fixed
is `--threads` with all cores, as every training was before neighbours were watched (system/threads.py); watched is the
default. The busy program is a loop on one core. The sides take turns round by round, so that what else the machine does
hits all of them; of two equal trainings the slower one counts. Without DATA the pictures are the 1,797 digits of
`pictaxa demo`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pictaxa.cli.demo import write_digits
from pictaxa.system.device import usable_cores

DEMO = "--weights none --policy light --epochs 3"
SITUATIONS = {"alone": "alone", "busy": "beside a busy program", "equal": "beside an equal training"}


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """A Python process whose output nobody reads."""
    return subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)


@contextmanager
def busy_program() -> Iterator[None]:
    """A loop on one core for as long as the work within takes."""
    with start(["-c", "while True: pass"]) as neighbour:
        time.sleep(0.5)  # it runs
        try:
            yield
        finally:
            neighbour.kill()


def seconds_of(command: list[str], folder: Path, *, count: int = 1) -> float:
    """Until the last of so many equal commands has ended that start together; {out} in them is an empty folder."""
    before = time.monotonic()
    outs = [tempfile.mkdtemp(dir=folder) for _ in range(count)]
    processes = [start([word.replace("{out}", out) for word in command]) for out in outs]
    for process in processes:
        if process.wait():
            raise SystemExit(f"a command failed: {shlex.join(command)}")
    return time.monotonic() - before


def measure(command: list[str], folder: Path, situation: str) -> float:
    """Seconds of a command in one of SITUATIONS."""
    if situation == "busy":
        with busy_program():
            return seconds_of(command, folder)
    return seconds_of(command, folder, count=2 if situation == "equal" else 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="pictures, by default the digits")
    parser.add_argument("--flags", default=DEMO, help=f"of the training; by default {DEMO}")
    parser.add_argument("--demo", action="store_true", help="the whole demo instead of a training")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(SITUATIONS), help="situations; alone is needed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault("PICTAXA_CACHE", str(folder / "cache"))
        if arguments.demo:
            sides = {"watched": ["-m", "pictaxa", "demo", "{out}"]}
        else:
            if arguments.data is None:
                write_digits(folder / "digits")
            data = str(arguments.data or folder / "digits")
            watched = ["-m", "pictaxa", "train", data, *shlex.split(arguments.flags), "--out", "{out}/run"]
            sides = {"fixed": [*watched, "--threads", str(usable_cores())], "watched": watched}
        seconds_of(sides["watched"], folder)  # fills the cache
        seconds: dict[tuple[str, str], list[float]] = {
            (side, place): [] for place in arguments.only.split(",") for side in sides
        }
        for _ in range(arguments.rounds):
            for side, place in seconds:
                seconds[side, place].append(measure(sides[side], folder, place))
    what = "demo" if arguments.demo else f"train {arguments.flags}"
    print(f"{usable_cores()} cores, {arguments.rounds} rounds, pictaxa {what}")
    first = next(iter(sides))
    for (side, place), each in seconds.items():
        alone = statistics.median(seconds[first, "alone"])
        middle = statistics.median(each)
        print(
            f"threads {side:8} {SITUATIONS[place]:26} {middle:6.1f} s ({min(each):.1f} to {max(each):.1f})"
            f"   {middle / alone:.2f} times alone with {first} threads"
        )


if __name__ == "__main__":
    main()
