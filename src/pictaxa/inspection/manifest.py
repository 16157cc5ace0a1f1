"""What `inspect --fix` writes: a table of the pictures to train on, without the bad ones and with reviewed labels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..data.reading import find_files
from ..errors import ConfigError
from ..system.files import writing
from .findings import dropped_rows
from .inspect import Inspection
from .review import Review, apply_review

MANIFEST_HEAD = ["path", "label", "split", "group"]


def check_manifest_place(path: Path | None, data: Path) -> None:
    """ConfigError for a manifest over the data themselves, over a file that is no manifest of ours, or without .csv."""
    if path is None:
        return
    found = ""
    if path.suffix.lower() != ".csv":
        found = f"{str(path)!r}"
    elif path.exists() and any(file.exists() and path.samefile(file) for file in find_files(data)):
        found = f"{str(path)!r}, which is the data"
    elif path.exists() and _first_line(path) != ",".join(MANIFEST_HEAD):
        found = f"{str(path)!r}, which exists and is not a manifest of this command"
    if found:
        raise ConfigError("a new .csv file for the manifest", found=found, fix="Give a new .csv file with --fix.")


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(1000).strip()


def write_manifest(inspection: Inspection, path: Path, *, review: Review | None = None) -> tuple[int, int]:
    """Write a CSV of the rows that are left once the bad ones are out; no picture is touched.

    Args:
        inspection: what was found.
        path: the .csv file to write.
        review: labels that a person has looked at, if any; they win over those of the data.

    Returns:
        How many rows are in it, and how many were left out.

    Raises:
        ConfigError: it can't be written, or the review is of other classes.
    """
    index = inspection.index
    splits, groups, labels = index.column("split"), index.column("group"), index.labels
    dropped = dropped_rows(inspection.findings, splits) | set(np.flatnonzero(~index.usable).tolist())
    if review is not None:
        applied = apply_review(index, review)
        labels, dropped = applied.labels, dropped | applied.left_out
    inside_root = path.resolve().parent == index.root.resolve()
    kept = 0
    with writing(path, flag="--fix"), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(MANIFEST_HEAD)
        for row in range(len(index)):
            if row not in dropped:
                name = index.name(row) if inside_root else str(index.root.resolve() / index.name(row))
                writer.writerow([name, index.classes[labels[row]], splits[row], groups[row]])
                kept += 1
    return kept, len(index) - kept
