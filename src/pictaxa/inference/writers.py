"""Predictions as text: a table on the screen, CSV, or JSON lines; each row is written as soon as it is known."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.cells import cell_len, set_cell_size

from ..errors import ConfigError
from ..runs.records import probability_column
from .predictor import Prediction

PATH_CELLS = 48  # of the table's first column; longer paths keep their end


class TableWriter:
    """Aligned columns: file, answer, and each class's probability, or the `top` most probable ones.

    Args:
        file: where the table goes, its head at once.
        classes: names of the classes.
        top: how many classes a line has; None: a column for each class.

    Example:
        table = TableWriter(sys.stdout, predictor.classes, top=3)
        write_all(predictor.stream(["more-photos"]), [table])
    """

    def __init__(self, file: TextIO, classes: tuple[str, ...], *, top: int | None) -> None:
        self._file = file
        self._top = top
        self._widths = [max(7, cell_len(name)) for name in classes]  # of the columns of probabilities
        self._answer = max(8, *(cell_len(name) for name in classes))
        head = [set_cell_size("file", PATH_CELLS), set_cell_size("answer", self._answer)]
        if top is None:
            head += [_right(name, width) for name, width in zip(classes, self._widths, strict=True)]
        else:
            head.append(f"top {top}")
        print("  ".join(head).rstrip(), file=file)

    def write(self, prediction: Prediction) -> None:
        """Write a prediction, or why its file was not read."""
        cells = [_path_cell(prediction.path)]
        if prediction.probabilities is None:
            cells.append(f"not read: {prediction.problem}")
        else:
            cells.append(set_cell_size(prediction.label, self._answer))
            if self._top is None:
                pairs = zip(prediction.probabilities, self._widths, strict=True)
                cells += [_right(f"{value:.1%}", width) for value, width in pairs]
            else:
                cells.append(", ".join(f"{name} {value:.1%}" for name, value in prediction.top(self._top)))
        print("  ".join(cells).rstrip(), file=self._file)


class CsvWriter:
    """Columns path, label, probability, problem, then p:CLASS for each class."""

    def __init__(self, file: TextIO, classes: tuple[str, ...]) -> None:
        self._csv = csv.writer(file)
        self._csv.writerow(["path", "label", "probability", "problem", *(probability_column(name) for name in classes)])
        self._classes = classes

    def write(self, prediction: Prediction) -> None:
        """Write a row; of a file that was not read only its path and why."""
        values = [""] * len(self._classes)
        if prediction.probabilities is not None:
            values = [f"{value:.6f}" for value in prediction.probabilities]
        best = f"{prediction.probability:.6f}" if not prediction.problem else ""
        self._csv.writerow([_text(prediction.path), prediction.label, best, prediction.problem, *values])


class JsonLinesWriter:
    """An object a line: path, label, probability, probabilities, or path and problem."""

    def __init__(self, file: TextIO, *, top: int | None) -> None:
        self._file = file
        self._top = top

    def write(self, prediction: Prediction) -> None:
        """Write an object; of a file that was not read only its path and why."""
        document: dict[str, object] = {"path": _text(prediction.path)}
        if prediction.probabilities is None:
            document["problem"] = prediction.problem
        else:
            document["label"] = prediction.label
            document["probability"] = round(prediction.probability, 6)
            count = self._top or len(prediction.classes)
            document["probabilities"] = {name: round(value, 6) for name, value in prediction.top(count)}
        print(json.dumps(document, ensure_ascii=False, allow_nan=False), file=self._file)


Writer = TableWriter | CsvWriter | JsonLinesWriter


@contextmanager
def open_writer(out: Path, classes: tuple[str, ...], *, top: int | None) -> Iterator[Writer]:
    """Open a file for predictions.

    Args:
        out: the file, which is written anew; its suffix, .csv or .jsonl, says what it holds.
        classes: names of the classes.
        top: of JSON lines, how many classes each has; None: all. CSV always has all.

    Returns:
        A context with a Writer.

    Raises:
        ConfigError: another suffix, or a place that can't be written.

    Example:
        with open_writer(Path("answers.csv"), predictor.classes, top=None) as writer:
            write_all(predictor.stream(["more-photos"]), [writer])
    """
    suffix = out.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise ConfigError(
            "--out with the suffix .csv or .jsonl", found=repr(str(out)), fix="End the file's name in .csv or .jsonl."
        )
    try:
        file = out.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(
            "a place to write", found=f"{str(out)!r}: {error.strerror}", fix="Give another path with --out."
        ) from None
    with file:
        yield CsvWriter(file, classes) if suffix == ".csv" else JsonLinesWriter(file, top=top)


def write_all(predictions: Iterable[Prediction], writers: list[Writer]) -> tuple[int, int]:
    """Write predictions as they come.

    Args:
        predictions: an iterable, which is gone through once.
        writers: each writes every prediction.

    Returns:
        How many files were read, and how many could not be.

    Example:
        read, bad = write_all(predictor.stream(["more-photos"]), [table])
    """
    read, bad = 0, 0
    for prediction in predictions:
        for writer in writers:
            writer.write(prediction)
        read, bad = (read, bad + 1) if prediction.problem else (read + 1, bad)
    return read, bad


def _path_cell(path: str) -> str:
    # A newline in a file name must not break the table.
    shown = _text(path).replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    while cell_len(shown) > PATH_CELLS:
        shown = "…" + shown[max(2, cell_len(shown) - PATH_CELLS) :]
    return set_cell_size(shown, PATH_CELLS)


def _text(path: str) -> str:
    """A path that can be encoded: bytes that are no UTF-8 as hexadecimal escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _right(text: str, width: int) -> str:
    return " " * max(0, width - cell_len(text)) + text
