"""Thousands of damaged files through the decoder and every reader of data and weights: `make fuzz FUZZ=10000`.

Each case is tried in a worker that may be killed; one that dies, or says nothing for a while, is a case that failed.
A case is its kind, seed and number, and can be tried alone:

    python tests/fuzz/fuzz.py --kind PNG --case 123
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from damage import Seed, case_of

from judge import work

SILENT_SECONDS = 30.0  # of a worker, which others may keep from working
PICTURE_SHARE = 3  # cases of a format of pictures for each one of a layout


@dataclass
class Tally:
    """How the cases of a kind went."""

    cases: int = 0
    refused: int = 0
    seconds: float = 0.0  # the slowest
    bytes: int = 0  # the most memory
    wrong: int = 0


def main() -> int:
    """0 when every case held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="damaged files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="", help="this one alone")
    parser.add_argument("--case", type=int, default=-1, help="this one alone, of --kind")
    parser.add_argument("--out", type=Path, help="where failing files are kept (by default a new folder)")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        document = json.loads((given.work / "plan.json").read_text())
        seeds = {kind: [Seed(Path(root), *words) for root, *words in own] for kind, own in document["seeds"].items()}
        work(seeds, document["cases"], seed=given.seed, first=given.first)
        return 0
    out = given.out or Path(tempfile.mkdtemp(prefix="fuzz-"))
    with tempfile.TemporaryDirectory() as folder:
        from seeds import write_seeds  # a worker has no need of it

        seeds = write_seeds(Path(folder))
        cases = chosen_cases(seeds, given.count, kind=given.kind, case=given.case)
        begin = time.perf_counter()
        tallies = run(cases, seeds, seed=given.seed, folder=Path(folder), out=out)
        print_table(tallies, seconds=time.perf_counter() - begin)
    return int(any(tally.wrong for tally in tallies.values()))


def chosen_cases(seeds: dict[str, list[Seed]], count: int, *, kind: str, case: int) -> list[tuple[str, int]]:
    """(kind, number) of each case: formats of pictures, which have many forms, get more of them."""
    if case >= 0:
        return [(kind, case)]
    weights = {name: PICTURE_SHARE if len(own) > 1 else 1 for name, own in seeds.items() if kind in ("", name)}
    total = sum(weights.values())
    return [(name, number) for name, weight in weights.items() for number in range(-(-count * weight // total))]


def run(
    cases: list[tuple[str, int]], seeds: dict[str, list[Seed]], *, seed: int, folder: Path, out: Path
) -> dict[str, Tally]:
    """Every case, one after the other; after one that ends its worker another worker goes on."""
    written = {kind: [[str(own.root), own.place, own.files] for own in seeds[kind]] for kind, _ in cases}
    (folder / "plan.json").write_text(json.dumps({"seeds": written, "cases": cases}))
    tallies = {kind: Tally() for kind, _ in cases}
    words = [sys.executable, "-X", "faulthandler", str(Path(__file__)), "--work", str(folder), "--seed", str(seed)]
    following = 0
    while following < len(cases):
        with (folder / "said").open("wb") as said:
            worker = subprocess.Popen([*words, "--first", str(following)], stdout=subprocess.PIPE, stderr=said)
        begun = False
        for line in lines_of(worker):
            begun = "begin" in line
            following = line["begin"] if begun else line["end"] + 1
            if not begun:
                note(tallies, *cases[line["end"]], line, seeds=seeds, seed=seed, out=out)
        worker.kill()
        status = worker.wait()
        if following < len(cases):
            told = (folder / "said").read_text(errors="replace")[-2000:]
            if not begun:
                raise SystemExit(f"a worker could not begin ({status}): {told}")
            line = {"wrong": f"its worker ended ({status}): {told}", "refused": "", "seconds": 0.0, "bytes": 0}
            note(tallies, *cases[following], line, seeds=seeds, seed=seed, out=out)
            following += 1
    return tallies


def lines_of(worker: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What a worker says, until it ends or is silent for too long."""
    assert worker.stdout is not None
    kept = b""
    while select.select([worker.stdout], [], [], SILENT_SECONDS)[0]:
        data = os.read(worker.stdout.fileno(), 65536)
        if not data:
            return
        *lines, kept = (kept + data).split(b"\n")
        yield from (json.loads(line) for line in lines)


def note(
    tallies: dict[str, Tally],
    kind: str,
    number: int,
    line: dict[str, Any],
    *,
    seeds: dict[str, list[Seed]],
    seed: int,
    out: Path,
) -> None:
    """Count a case; of one that failed keep the file, and say how to try it again."""
    tally = tallies[kind]
    tally.cases += 1
    tally.refused += bool(line["refused"])
    tally.seconds, tally.bytes = max(tally.seconds, line["seconds"]), max(tally.bytes, line["bytes"])
    if not line["wrong"]:
        return
    tally.wrong += 1
    case = case_of(kind, seeds[kind], seed=seed, number=number)
    file = out / f"{kind.replace(' ', '-')}-{seed}-{number}-{Path(case.file).name}"
    out.mkdir(parents=True, exist_ok=True)
    file.write_bytes(case.data)
    words = f"--kind {kind!r} --seed {seed} --case {number} ({case.told}; {file})"
    print(f"FAILED {words}:\n{line['wrong']}\n", flush=True)


def print_table(tallies: dict[str, Tally], *, seconds: float) -> None:
    """A line for each kind."""
    print(f"{'kind':18}{'cases':>8}{'refused':>9}{'answered':>10}{'failed':>8}{'slowest s':>11}{'most MB':>9}")
    for kind, tally in tallies.items():
        answered = tally.cases - tally.refused - tally.wrong
        print(
            f"{kind:18}{tally.cases:8,}{tally.refused:9,}{answered:10,}{tally.wrong:8,}"
            f"{tally.seconds:11.3f}{tally.bytes / 2**20:9.0f}"
        )
    cases, wrong = sum(t.cases for t in tallies.values()), sum(t.wrong for t in tallies.values())
    print(f"{cases:,} damaged files in {seconds:.0f} s, {wrong} failed")


if __name__ == "__main__":
    sys.exit(main())
