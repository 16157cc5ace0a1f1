"""The commands. Each imports its part only when it is called, so that help is instant."""

from __future__ import annotations

from collections.abc import Callable

from . import bodies, pictures, runs

# Name -> what it does with the words after it, and the time at which the program began; gives the exit status.
COMMANDS: dict[str, Callable[[list[str], float], int]] = {
    "train": runs.train,
    "evaluate": runs.evaluate,
    "predict": runs.predict,
    "report": runs.report,
    "preview": pictures.preview,
    "probe": bodies.probe,
    "plan": bodies.plan,
    "inspect": pictures.inspect,
    "data": pictures.data,
    "cache": pictures.cache,
    "classes": runs.classes,
    "models": bodies.models,
    "recipes": bodies.recipes,
    "weights": bodies.weights,
}
