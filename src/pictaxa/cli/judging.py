"""The arguments of `pictaxa compare`, with their help."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Literal

from ..config.data import ReadingConfig


@dataclass(frozen=True)
class CompareArguments:
    """Compare trained runs on the same labelled pictures: which is better and by how much, with McNemar's exact test
    and the interval of the difference; the pictures on which they differ; accuracy against cost. By default the
    predictions are taken that the runs keep of their validation pictures, which must be the same ones (the same data,
    --seed and --fold). Networks that are not trained yet: pictaxa models --compare.
    """

    runs: tuple[Path, ...]
    """Run folders, two or more, with the same classes."""
    _: KW_ONLY
    on: Path | None = None
    """Labelled data set in any layout, which all runs judge now. Default: their validation pictures."""
    split: Literal["", "train", "val", "test"] = ""
    """Which pictures of --on. test is counted in each run folder, as by evaluate."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    json: Path | None = None
    """Also write all figures, and all pictures on which the runs differ, to this file."""
    plot: Path | None = None
    """Also draw accuracy against cost, and the runs' curves, to this .png or .svg file."""
    grid: Path | None = None
    """Also draw pictures on which the runs differ, with their answers, to this .png file; a random 24 of more."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
