"""The arguments of `pictaxa train`: settings from flags, config files and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .parse import Given

# What --help shows; --help-all has the rest.
COMMON = (
    "data", "model", "weights", "tune", "minutes", "epochs", "folds", "size", "policy", "out", "seed", "recipe",
    "resume",
)  # fmt: skip
EXAMPLE = "pictaxa train photos --minutes 10 --out runs/mine"


def settings_beside(given: Given) -> dict[str, Any]:
    """Settings of a training from where --resume, --config and --recipe point to; what is given wins over them."""
    from ..config.by_name import changed_settings, over, read_config_file, recipe_settings

    if "resume" in given:
        if len(given) > 1:
            found = " ".join(f"--{name.replace('_', '-')}" for name in given if name != "resume")
            raise ConfigError(
                "--resume RUN without other flags",
                found=found,
                fix="A run continues with its own settings, so leave out the others.",
            )
        return {"data": "."}  # the run knows its own
    settings: dict[str, Any] = {}
    if "config" in given:
        settings = changed_settings(read_config_file(Path(given["config"][-1])))
    settings = over(settings, recipe_settings(given.get("recipe", [""])[-1]))  # the file's own is among its settings
    return over(settings, {name: values[-1] for name, values in given.items()})
