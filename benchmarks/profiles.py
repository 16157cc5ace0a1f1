"""What colour profiles, and one range for all pictures of a set, cost.

    python benchmarks/profiles.py FLOWERS --rounds 9      # photographs in any layout

squares      the same photographs, as JPEG and as PNG, with Display P3's profile in each file and without: pictures a
             second by `square_of` in one thread
first epoch  a folder of them, as JPEG with that profile, and as 16-bit PNG: choosing how to decode and filling the
             cache, as it is and by the rules of earlier versions (no profile is looked at, each picture has its own
             range)

Two ways each, in turn. The medians, and the spread of the ratio of each pair, are printed.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pictaxa.config.data import DecodingConfig
from pictaxa.data.cache import build_cache
from pictaxa.data.fetching import Fetcher
from pictaxa.data.levels import choose_decoding
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.images.colour import D65, PRIMARIES, matrix_profile
from pictaxa.images.decode import decode, square_of
from pictaxa.images.decoding import AS_EARLIER
from pictaxa.system.device import usable_cores
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


def fill(folder: Path, *, side: int, earlier: bool) -> None:
    """What a training does with a folder before its first step, into a new cache."""
    index = read_data(folder)
    decoding = AS_EARLIER if earlier else choose_decoding(index, DecodingConfig())[0]
    with tempfile.TemporaryDirectory() as root:
        build_cache(index, CacheSpec(side, 3, decoding), root=Path(root), threads=usable_cores())


def write_set(place: Path, folder: Path, kind: str, *, count: int) -> Path:
    """The photographs as JPEG with a profile, or as 16-bit grey PNG whose highest number is that of 12 bits."""
    for number, data in enumerate(files_of(place, "JPEG", count=count, profile=P3)):
        file = folder / "ab"[number % 2] / str(number)  # two classes
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "JPEG with a profile":
            file.with_suffix(".jpg").write_bytes(data)
        else:
            grey = np.asarray(decode(data, name="x").convert("L"), dtype=np.uint16) * 16
            Image.fromarray(grey).save(file.with_suffix(".png"), compress_level=3)
    return folder


def measure_first_epoch(data: Path, *, side: int, count: int, rounds: int) -> None:
    """Print how much longer the first epoch's decoding takes than by the rules of earlier versions."""
    with tempfile.TemporaryDirectory() as place:
        for kind in ("JPEG with a profile", "16-bit PNG"):
            folder = write_set(data, Path(place) / kind, kind, count=count)
            sides: dict[str, Callable[[], object]]
            sides = {
                "as earlier": partial(fill, folder, side=side, earlier=True),
                "as it is": partial(fill, folder, side=side, earlier=False),
            }
            seconds = seconds_in_turn(sides, rounds=rounds)
            ratios = [more / less for more, less in zip(seconds["as it is"], seconds["as earlier"], strict=True)]
            spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
            rate = len(list(folder.glob("*/*"))) / statistics.median(seconds["as it is"])
            print(f"first epoch, {kind:20}{rate:8.0f} pictures/s; {statistics.median(ratios):.3f} times the seconds "
                  f"of earlier rules ({spread})", flush=True)  # fmt: skip


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
    measure_first_epoch(asked.data, side=asked.side, count=asked.count, rounds=asked.rounds)


if __name__ == "__main__":
    main()
