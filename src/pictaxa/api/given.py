"""What the functions of the Python interface are given: places, runs, data sets, devices and settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

from ..config.by_name import with_words
from ..config.calls import given, given_path
from ..config.training import TrainConfig
from ..errors import ConfigError
from ..inference.predictor import Predictor
from ..judge.evaluate import Split
from ..reporting.answers import Gallery

Place = str | os.PathLike[str]


def run_of(run: object, name: str = "run") -> Path:
    """The folder of a run, from a path or a Predictor."""
    return run.run.path if isinstance(run, Predictor) else given_path(run, name, what="a run folder")


def gallery_of(grid: object) -> Gallery | None:
    """What draws pictures with their answers to a PNG, where one is asked for."""
    return None if grid is None else Gallery(given_path(grid, "grid", what="a PNG to write"))


def data_of(data: object) -> Path:
    """Where a data set is, or its name."""
    return given_path(data, "data", what="a data set, or its name")


def device_of(device: object) -> str:
    """A device by its name."""
    return given(device, str, "device", what="auto, cpu, cuda, cuda:1 or mps")


def split_of(split: object) -> Split:
    """Which pictures of a data set, "" for what is usual."""
    for known in get_args(Split):
        if split == known:
            chosen: Split = known
            return chosen
    raise ConfigError("split='train', 'val' or 'test'", found=repr(split), fix="Use split='test', for example.")


def config_of(data: object, settings: Any) -> TrainConfig:
    """A training's settings; weights that are not given may be those of a recipe."""
    words = {name: value for name, value in settings.items() if (name, value) != ("weights", None)}
    return with_words(TrainConfig(data=data_of(data)), words)
