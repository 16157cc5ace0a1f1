"""What a colour profile costs: pictures a second into squares, with Display P3's in each file and without.

    python benchmarks/profiles.py FLOWERS --rounds 9      # photographs in any layout

The same photographs, as JPEG and as PNG, are decoded by `square_of` in one thread, the two ways in turn. The medians,
and the spread of the ratio of each pair, are printed.
"""

from __future__ import annotations

import argparse
import io
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import read_data
from pictaxa.images.colour import D65, PRIMARIES, matrix_profile
from pictaxa.images.decode import decode, square_of
from turns import seconds_in_turn

P3 = matrix_profile(PRIMARIES[12], D65, gamma=None)
FORMATS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 90}, "PNG": {"compress_level": 3}}


def files_of(place: Path, kind: str, *, count: int, profile: bytes | None) -> list[bytes]:
    """An even sample of the photographs, encoded anew."""
    index = read_data(place)
    files = []
    with Fetcher(index) as fetcher:
        for row in range(0, len(index), max(1, len(index) // count)):
            file = io.BytesIO()
            image = decode(fetcher.fetch(row), name=fetcher.name(row))
            image.save(file, kind, icc_profile=profile, **FORMATS[kind])
            files.append(file.getvalue())
    return files


def decode_all(files: list[bytes], *, side: int) -> None:
    """Each to its square."""
    for file in files:
        square_of(file, name="x", side=side, channels=3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--side", type=int, default=160, help="of the squares, pixels")
    parser.add_argument("--count", type=int, default=200, help="pictures, about")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for kind in FORMATS:
        profiles = {"without": None, "with a profile": P3}
        files = {name: files_of(asked.data, kind, count=asked.count, profile=own) for name, own in profiles.items()}
        sides: dict[str, Callable[[], object]]
        sides = {name: partial(decode_all, own, side=asked.side) for name, own in files.items()}
        seconds = seconds_in_turn(sides, rounds=asked.rounds)
        for name, own in seconds.items():
            rate = len(files[name]) / statistics.median(own)
            print(f"{kind:5}{name:16}{rate:8.0f} pictures/s at {asked.side} px", flush=True)
        ratios = [more / less for more, less in zip(seconds["with a profile"], seconds["without"], strict=True)]
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"{kind:5}with a profile {statistics.median(ratios):.3f} times the seconds ({spread})", flush=True)


if __name__ == "__main__":
    main()
