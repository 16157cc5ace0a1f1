"""log.csv: a row per epoch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from .contents import number, read_rows
from .format_1 import log_row_of_1
from .typed import damaged

LOG_COLUMNS = (
    "epoch", "step", "seconds", "lr", "size", "train_loss", "train_accuracy", "val_loss", "val_accuracy",
    "pictures_per_second", "waiting_share",
)  # fmt: skip
BLANK = ("val_loss", "val_accuracy")  # of an epoch that was not validated
SHARES = ("train_accuracy", "val_accuracy")
COUNTS = ("epoch", "step", "size")


def read_log(path: Path) -> list[dict[str, str]]:
    """Read the rows of a training: epochs counted from 1, growing steps, finite numbers.

    Args:
        path: of a file that is there.

    Returns:
        A dictionary with LOG_COLUMNS for each epoch, in their order; "" is what was not validated.

    Raises:
        RunError: the file is damaged, or a cell is not what its column has.
    """
    head, *rows = [log_row_of_1(row) for row in read_rows(path)]
    missing = [column for column in LOG_COLUMNS if column not in head]
    if missing:
        raise damaged(path, f"a column {missing[0]!r} in {path.name}", "none")
    step = 0
    for place, row in enumerate(rows, start=1):
        for column in LOG_COLUMNS:
            value = number(row[column])
            blank = column in BLANK and row["val_loss"] == row["val_accuracy"] == ""
            wrong = math.isnan(value) or value < 0 or (column in SHARES and value > 1)
            if (wrong and not blank) or (column in COUNTS and not row[column].isdecimal()):
                raise damaged(path, f"a number for {column} in epoch {place} of {path.name}", repr(row[column]))
        if int(row["epoch"]) != place or int(row["step"]) <= step:
            found = f"epoch {row['epoch']} with step {row['step']} in row {place}"
            raise damaged(path, f"epochs counted from 1, with growing steps, in {path.name}", found)
        step = int(row["step"])
    return rows


def log_text(rows: list[dict[str, Any]]) -> str:
    """The file for rows with all LOG_COLUMNS; None is a blank."""
    lines = [",".join(LOG_COLUMNS)]
    lines += [",".join(_cell(row[column]) for column in LOG_COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
