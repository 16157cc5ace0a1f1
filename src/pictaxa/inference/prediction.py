"""What a run says of pictures: one Prediction each, and a list of them that shows itself in short and as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import KW_ONLY, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProblemKind, printable
from ..runs.records import probability_column
from ..system.extras import need
from ..system.printing import picture_html

if TYPE_CHECKING:
    import pandas

SHOWN_LABELS = 5  # in a list's repr
SHOWN_ROWS = 20  # in a notebook's table; `to_pandas` has all
SHOWN_CLASSES = 3  # of a picture in a notebook
UNSURE = "unsure"  # the answer of a picture that is given none
NONE_OF_THESE = "none of these"  # that of a picture unlike those of any class


@dataclass(frozen=True, repr=False)
class Prediction:
    """What a run says of one picture: probabilities, or the problem that kept it from being read.

    `label` and `probability` are fields, so that `pandas.DataFrame(predictions)` has their columns.

    Args:
        path: the file, or what a picture without one is called.
        classes: names of the classes, in the order of the probabilities.
        probabilities: (classes,) float32, sums to 1; None for a picture that could not be read. Of a run they are
            calibrated (docs/trust.md), unless it was loaded with calibrated=False.
        logits: (classes,) float32, or None; they are the model's own in any case.
        problem: why it could not be read, for people, or "".
        problem_kind: the same for programs (a ProblemKind, which is a string such as "truncated"); None where it was
            read.
        abstained: whether it is not sure enough for an answer; None where every picture is given one.
        possible: the classes of its set, the most probable first, perhaps none; None where no sets were asked for.
        known: whether it is like the training pictures, else it is probably of none of the classes; None where that is
            not asked or not known.
        closeness: its cosine similarity to the nearest training picture, from -1 to 1, or None likewise.

    Example:
        prediction = pictaxa.load("runs/photos-resnet18-1").predict("holiday.jpg")[0]
        print(prediction.label, prediction.probability, prediction.problem)
    """

    path: str
    label: str = field(init=False)  # the most probable class; "" for a picture that could not be read
    probability: float = field(init=False)  # of that class; 0 for a picture that could not be read
    classes: tuple[str, ...]
    _: KW_ONLY
    probabilities: np.ndarray | None = field(compare=False)
    logits: np.ndarray | None = field(compare=False)
    problem: str = ""
    problem_kind: ProblemKind | None = None
    abstained: bool | None = None
    possible: tuple[str, ...] | None = None
    known: bool | None = None
    closeness: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        label, probability = "", 0.0
        if self.probabilities is not None:
            best = int(self.probabilities.argmax())
            label, probability = self.classes[best], float(self.probabilities[best])
        object.__setattr__(self, "label", label)  # the way into a frozen dataclass
        object.__setattr__(self, "probability", probability)

    @property
    def answer(self) -> str:
        """The label; "none of these" where the picture is unlike those of any class, "unsure" where the run was asked
        to abstain and is not sure enough.
        """
        return NONE_OF_THESE if self.known is False else UNSURE if self.abstained else self.label

    @property
    def answered(self) -> bool:
        """Whether the answer is the label."""
        return self.probabilities is not None and self.known is not False and not self.abstained

    def top(self, count: int) -> list[tuple[str, float]]:
        """List the most probable classes, best first.

        Args:
            count: how many, at most.

        Returns:
            (class, probability) pairs; none for a file that could not be read.

        Example:
            prediction.top(2)  # [("daisy", 0.91), ("tulips", 0.05)]
        """
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[label], float(self.probabilities[label])) for label in order]

    @property
    def _said(self) -> str:
        if self.probabilities is None:
            return f"not read: {self.problem}"
        return self._likeliest if self.answered else f"{self.answer}, perhaps {self._likeliest}"

    @property
    def _likeliest(self) -> str:
        return f"{self.label} {self.probability:.1%}"

    def __repr__(self) -> str:
        return f"<Prediction {printable(self.path)}: {printable(self._said)}>"

    def _repr_html_(self) -> str:
        return _table([self])


class PredictionList(list[Prediction]):
    """A list of predictions, in the order of the pictures; a notebook shows it as a table.

    Example:
        predictions = pictaxa.load("runs/photos-resnet18-1").predict("more-photos")
        predictions.to_pandas().sort_values("probability")
    """

    grid: Path | None = None  # a drawing of some of the pictures with their answers, where one was asked for

    def __repr__(self) -> str:
        labels = Counter(prediction.answer for prediction in self if prediction.probabilities is not None)
        told = [f"{printable(label)} {count}" for label, count in labels.most_common(SHOWN_LABELS)]
        if len(labels) > SHOWN_LABELS:
            told.append(f"{len(labels) - SHOWN_LABELS} more classes")
        bad = len(self) - labels.total()
        if bad:
            told.append(f"not read {bad}")
        return f"<{len(self)} {'prediction' if len(self) == 1 else 'predictions'}: {', '.join(told) or 'none'}>"

    def _repr_html_(self) -> str:
        more = len(self) - SHOWN_ROWS
        drawn = picture_html(self.grid) if self.grid and self.grid.exists() else ""
        return (
            drawn + _table(self[:SHOWN_ROWS]) + (f"<p>... and {more} more; to_pandas() has all</p>" if more > 0 else "")
        )

    def to_pandas(self) -> pandas.DataFrame:
        """Make a table for pandas, with the columns of `pictaxa predict --out answers.csv --csv plain`.

        Returns:
            A DataFrame with path, label, probability and problem, and p:CLASS for each class; where a picture could not
            be read, the numbers are missing (NaN). `answer`, `closeness` and `set` are columns too where they
            were asked for.

        Raises:
            MissingExtraError: pandas is not installed.

        Example:
            predictions.to_pandas().groupby("label").size()
        """
        pandas = need("pandas", extra="pandas")
        columns = {
            "path": [prediction.path for prediction in self],
            "label": [prediction.label for prediction in self],
            "probability": [
                np.nan if prediction.probabilities is None else prediction.probability for prediction in self
            ],
            "problem": [prediction.problem for prediction in self],
        }
        if any(prediction.abstained is not None or prediction.known is not None for prediction in self):
            columns["answer"] = [prediction.answer for prediction in self]
        if any(prediction.closeness is not None for prediction in self):
            columns["closeness"] = [prediction.closeness for prediction in self]
        if any(prediction.possible is not None for prediction in self):
            columns["set"] = [prediction.possible for prediction in self]
        classes = self[0].classes if self else ()
        nothing = np.full(len(classes), np.nan, dtype=np.float32)
        values = [nothing if one.probabilities is None else one.probabilities for one in self]
        if values:
            stacked = np.stack(values)
            columns |= {probability_column(name): stacked[:, number] for number, name in enumerate(classes)}
        return pandas.DataFrame(columns)


def _table(predictions: list[Prediction]) -> str:
    """An HTML table, a row for each; whatever names are in it, it is text."""
    rows = []
    for prediction in predictions:
        if prediction.probabilities is None:
            said = f"<td colspan=3>{_shown(prediction._said)}</td>"
        else:
            others = ", ".join(
                f"{name} {value:.1%}" for name, value in prediction.top(SHOWN_CLASSES)[prediction.answered :]
            )
            said = f"<td>{_shown(prediction.answer)}</td><td>{prediction.probability:.1%}</td><td>{_shown(others)}</td>"
        rows.append(f"<tr><td>{_shown(prediction.path)}</td>{said}</tr>")
    head = "<tr><th>path</th><th>label</th><th>probability</th><th>next</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _shown(text: str) -> str:
    return escape(printable(text))
