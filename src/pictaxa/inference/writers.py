"""Predictions as text: a table on the screen, CSV, or JSON lines; each row is written as soon as it is known."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from rich.cells import cell_len, set_cell_size

from ..errors import HALVES, printable
from ..runs.records import probability_column
from ..system.files import require_suffix, writing
from ..system.language import shown
from ..system.printing import print_line
from .answering import RAW, Answering
from .prediction import NONE_OF_THESE, UNSURE, Prediction

PATH_CELLS = 48  # of the table's first column; longer paths keep their end
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
SIGNED_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)")


class Writer(Protocol):
    """What takes predictions, one after the other."""

    def write(self, prediction: Prediction) -> None:
        """Take a prediction."""


class TableWriter:
    """Aligned columns: file, answer, and each class's probability, or the `top` most probable ones; last the set.

    Args:
        file: where the table goes, its head at once.
        classes: names of the classes.
        top: how many classes a line has; None: a column for each class.
        answering: what predictions are asked for.

    Example:
        table = TableWriter(sys.stdout, predictor.classes, top=3)
        write_all(predictor.stream(["more-photos"]), [table])
    """

    def __init__(self, file: TextIO, classes: tuple[str, ...], *, top: int | None, answering: Answering = RAW) -> None:
        self._file = file
        self._top = top
        self._sets = answering.has_sets
        names = [printable(name) for name in classes]
        self._widths = [max(7, cell_len(name)) for name in names]  # of the columns of probabilities
        self._answer = max(8, *(cell_len(name) for name in (*names, shown(UNSURE), shown(NONE_OF_THESE))))
        head = [set_cell_size(shown("file"), PATH_CELLS), set_cell_size(shown("answer"), self._answer)]
        if top is None:
            head += [_right(name, width) for name, width in zip(names, self._widths, strict=True)]
        else:
            head.append(shown(f"top {top}"))
        if self._sets:
            head.append(shown("set"))
        print_line("  ".join(head).rstrip(), file=file, verbatim=True)

    def write(self, prediction: Prediction) -> None:
        """Write a prediction, or why its file was not read."""
        cells = [_path_cell(prediction.path)]
        if prediction.probabilities is None:
            cells.append(shown(f"not read: {prediction.problem}"))
        else:
            answer = printable(prediction.label) if prediction.answered else shown(prediction.answer)
            cells.append(set_cell_size(answer, self._answer))
            if self._top is None:
                pairs = zip(prediction.probabilities, self._widths, strict=True)
                cells += [_right(f"{value:.1%}", width) for value, width in pairs]
            else:
                cells.append(", ".join(f"{name} {value:.1%}" for name, value in prediction.top(self._top)))
            if self._sets:
                cells.append("{" + ", ".join(map(printable, prediction.possible or ())) + "}")
        print_line("  ".join(cells).rstrip(), file=self._file, verbatim=True)


class CsvWriter:
    """Columns path, label, probability, problem, then p:CLASS for each class, or with `top` label_2, probability_2, ...

    After `problem` stand, if asked for, `answer` (the label, "unsure" or "none of these"), `closeness` (to the nearest
    training picture) and `set` (JSON, a list of names).

    Args:
        file: where to; opened with newline="", and for a spreadsheet with the encoding utf-8-sig.
        classes: names of the classes.
        top: how many classes of each picture; None: all.
        spreadsheet: all cells quoted, and none that a spreadsheet takes for a formula (see `harmless`).
        answering: what predictions are asked for.
    """

    def __init__(
        self,
        file: TextIO,
        classes: tuple[str, ...],
        *,
        top: int | None,
        spreadsheet: bool,
        answering: Answering = RAW,
    ) -> None:
        self._csv = csv.writer(file, quoting=csv.QUOTE_ALL if spreadsheet else csv.QUOTE_MINIMAL)
        self._cell = harmless if spreadsheet else str
        self._classes = classes
        self._more = None if top is None else range(2, min(top, len(classes)) + 1)  # after the best one
        if self._more is None:
            columns = [probability_column(name) for name in classes]
        else:
            columns = [f"{what}_{place}" for place in self._more for what in ("label", "probability")]
        self._answers, self._sets = answering.abstains, answering.has_sets
        self._closeness = answering.likeness is not None
        asked = ["answer"] * self._answers + ["closeness"] * self._closeness + ["set"] * self._sets
        self._csv.writerow(["path", "label", "probability", "problem", *asked, *map(_text, columns)])
        self._blank = [""] * (len(asked) + len(columns))

    def write(self, prediction: Prediction) -> None:
        """Write a row; of a file that was not read only its path and why."""
        path, problem = self._cell(_text(prediction.path)), self._cell(prediction.problem)
        if prediction.probabilities is None:
            self._csv.writerow([path, "", "", problem, *self._blank])
            return
        if self._more is None:
            values = [f"{value:.6f}" for value in prediction.probabilities]
        else:
            others = prediction.top(1 + len(self._more))[1:]
            values = [cell for name, value in others for cell in (self._cell(_text(name)), f"{value:.6f}")]
        label = self._cell(_text(prediction.label))
        asked = [label if prediction.answered else prediction.answer] * self._answers
        asked += [_figure(prediction.closeness)] * self._closeness + [_names(prediction)] * self._sets
        self._csv.writerow([path, label, f"{prediction.probability:.6f}", problem, *asked, *values])


def harmless(text: str) -> str:
    """Make a cell's text one that no spreadsheet takes for a formula, whatever a stranger has named a file.

    OWASP's list of beginnings (CSV injection): = + - @, tab and ends of lines, and the wide forms of East Asia.

    Args:
        text: what the cell is to hold.

    Returns:
        The text, with an apostrophe before it where it begins so; a number with its sign stays as it is.

    Example:
        harmless("=1+1"), harmless("-1"), harmless("rose")  # ("'=1+1", "-1", "rose")
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not SIGNED_NUMBER.fullmatch(text) else text


class JsonLinesWriter:
    """An object a line: path, label, probability, probabilities, or path, problem and problem_kind.

    Where they are asked for, `answer` (the label, "unsure" or "none of these"), `known` (whether it is like the
    training pictures), `closeness` (to the nearest of them) and `set` (a list of names) too.
    """

    def __init__(self, file: TextIO, *, top: int | None) -> None:
        self._file = file
        self._top = top

    def write(self, prediction: Prediction) -> None:
        """Write an object; of a file that was not read only its path and why."""
        document: dict[str, object] = {"path": _text(prediction.path)}
        if prediction.probabilities is None:
            document["problem"], document["problem_kind"] = prediction.problem, prediction.problem_kind
        else:
            document["label"] = _text(prediction.label)
            document["probability"] = round(prediction.probability, 6)
            if prediction.abstained is not None or prediction.known is not None:
                document["answer"] = _text(prediction.answer)
            if prediction.closeness is not None:
                document |= {"known": prediction.known, "closeness": round(prediction.closeness, 4)}
            if prediction.possible is not None:
                document["set"] = [_text(name) for name in prediction.possible]
            count = self._top or len(prediction.classes)
            document["probabilities"] = {_text(name): round(value, 6) for name, value in prediction.top(count)}
        print(json.dumps(document, ensure_ascii=False, allow_nan=False), file=self._file)


@contextmanager
def open_writer(
    out: Path,
    classes: tuple[str, ...],
    *,
    top: int | None,
    spreadsheet: bool = True,
    answering: Answering = RAW,
) -> Iterator[Writer]:
    """Open a file for predictions.

    Args:
        out: the file, which is written anew; its suffix, .csv or .jsonl, says what it holds.
        classes: names of the classes.
        top: how many classes of each picture; None: all.
        spreadsheet: of .csv: for people and their spreadsheets. It begins with a byte order mark, without which Excel
            takes UTF-8 for something else, and no cell is a formula (see `harmless`). False: for programs.
        answering: what predictions are asked for.

    Returns:
        A context with a Writer.

    Raises:
        ConfigError: another suffix, or a place that can't be written.

    Example:
        with open_writer(Path("answers.csv"), predictor.classes, top=3) as writer:
            write_all(predictor.stream(["more-photos"]), [writer])
    """
    require_suffix(out, ".csv", ".jsonl", flag="--out")
    suffix = out.suffix.lower()
    with writing(out, flag="--out"):
        file = out.open("w", encoding="utf-8-sig" if spreadsheet and suffix == ".csv" else "utf-8", newline="")
    with file:
        if suffix == ".csv":
            yield CsvWriter(file, classes, top=top, spreadsheet=spreadsheet, answering=answering)
        else:
            yield JsonLinesWriter(file, top=top)


def write_all(predictions: Iterable[Prediction], writers: Sequence[Writer]) -> tuple[int, int]:
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
        read, bad = (read, bad + 1) if prediction.probabilities is None else (read + 1, bad)
    return read, bad


def _path_cell(path: str) -> str:
    shown = printable(path)
    while cell_len(shown) > PATH_CELLS:
        shown = "…" + shown[max(2, cell_len(shown) - PATH_CELLS) :]
    return set_cell_size(shown, PATH_CELLS)


def _text(name: str) -> str:
    """A name that can be encoded, for programs: bytes that are no UTF-8 as escapes, all else as it is."""
    return HALVES.sub(lambda match: printable(match[0]), name)


def _names(prediction: Prediction) -> str:
    """The classes of a set as JSON, which no name breaks."""
    return json.dumps([_text(name) for name in prediction.possible or ()], ensure_ascii=False)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _right(text: str, width: int) -> str:
    return " " * max(0, width - cell_len(text)) + text
