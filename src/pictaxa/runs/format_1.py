"""Reads run folders of format 1, whose settings and columns had other names."""

from __future__ import annotations

from typing import Any, TypeVar

from ..config.renamed import renamed

Value = TypeVar("Value")


def config_of_1(document: Any) -> Any:
    """A config.json of any format; what is none stays as it is, and is told by who reads it."""
    if not isinstance(document, dict) or document.get("format") != 1:
        return document
    asked, chosen = document.get("asked"), document.get("chosen")
    if isinstance(asked, dict):
        document = document | {"asked": renamed(asked)}
    if isinstance(chosen, dict) and "peak_rate" in chosen:
        chosen = dict(chosen)
        document = document | {"chosen": chosen | {"peak_lr": chosen.pop("peak_rate")}}
    return document


def geometry_of_1(document: Any) -> Any:
    """A pictures.json: whether mirror images are averaged was a truth value."""
    if isinstance(document, dict) and "flip_average" in document:
        document = dict(document)
        document["tta"] = "flip" if document.pop("flip_average") else "none"
    return document


def log_row_of_1(row: dict[str, Value]) -> dict[str, Value]:
    """A row of log.csv, or of the log within a saved state: the learning rate was `rate`."""
    return {"lr" if name == "rate" else name: value for name, value in row.items()}
