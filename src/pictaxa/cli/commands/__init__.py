"""The commands. Each imports its part only when it is called, so that help is instant."""

from __future__ import annotations

from collections.abc import Callable

from . import data, models, runs

# Name -> what it does with the words after it, and the time at which the program began; gives the exit status.
COMMANDS: dict[str, Callable[[list[str], float], int]] = {
    "train": runs.train,
    "evaluate": runs.evaluate,
    "predict": runs.predict,
    "report": runs.report,
    "preview": data.preview,
    "probe": models.probe,
    "plan": models.plan,
    "inspect": data.inspect,
    "data": data.data,
    "cache": data.cache,
    "classes": runs.classes,
    "models": models.models,
    "recipes": models.recipes,
    "weights": models.weights,
}
