"""What an evaluation found: predictions for labelled pictures and their metrics, as values, text, tables and JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Problem, printable
from ..metrics import ClassFigures, Metrics, Predictions, summarise
from ..runs.judgement import Calibration, Figures
from ..runs.records import probability_column
from ..runs.slices import Slices
from ..runs.test_looks import TestLook
from ..system.extras import need
from ..system.printing import lines_html, picture_html
from .intervals import Units
from .judged_lines import class_lines, figure_lines, matrix_lines
from .seen import Familiarity, familiarity_lines
from .slices import slice_lines, slices_json

if TYPE_CHECKING:
    import pandas

    from .judging import Judged

CHOSE_EPOCH = "          the same pictures chose the epoch that is kept: all of this is a little too good"


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Predictions for labelled pictures, what they are worth, and the pictures that could not be read.

    Each metric stands under its name, and all of them in `metrics`; `figures` has more of them, each with its 95%
    interval and the number of pictures it rests on, and `calibration` says how far probabilities are to be believed.

    Example:
        evaluation = pictaxa.evaluate("runs/photos-resnet18-1")
        print(evaluation.what, evaluation.accuracy, evaluation.log_loss, len(evaluation.set_aside))
        print(evaluation.figures.kappa.value, evaluation.figures.kappa.low, evaluation.calibration.error.value)
    """

    classes: tuple[str, ...]
    paths: list[Path]  # of the judged pictures, in the order of `predictions`
    predictions: Predictions  # with the model's own probabilities
    metrics: Metrics  # of these, as in metrics.json
    set_aside: list[tuple[str, Problem]]  # (path, problem)
    what: str  # in words: which pictures were judged
    hashes: tuple[str, ...] = ()  # of the pictures' bytes, in the order of `predictions`
    split: str = ""  # train, val or test, where one was asked for
    # Of the run's own validation pictures, those that are not what the training validated, and how many are gone.
    changed: tuple[str, ...] = ()
    gone: int = 0
    familiarity: Familiarity = field(default_factory=Familiarity)  # of other pictures, those that the run knows
    test_looks: tuple[TestLook, ...] = ()  # at these test pictures, if they are some, this one last
    slices: Slices | None = None  # of the judged pictures, where they were asked for
    grid: Path | None = None  # a drawing of some of the pictures with their answers, where one was asked for
    units: Units | None = None  # which pictures belong together; None: each is by itself
    # The run's, 1 where it has none. None: the pictures calibrate each other, in folds.
    temperature: float | None = None
    chose_epoch: bool = False  # whether the same pictures also chose the epoch that is kept
    none_of_these: int | None = None  # pictures that `predict` would call so; None: the run can't tell

    @cached_property
    def judged(self) -> Judged:
        """What the predictions are worth, with and without calibration; computed when it is asked for."""
        from .judging import judge_predictions  # with scikit-learn, which takes a second to load

        units = self.units or Units(np.arange(len(self.predictions.labels)))
        return judge_predictions(self.predictions, units, classes=self.classes, temperature=self.temperature)

    @property
    def figures(self) -> Figures:
        """Each figure with its 95% interval and the number of pictures it rests on, of calibrated probabilities."""
        return self.judged.figures

    @property
    def calibration(self) -> Calibration:
        """How far calibrated probabilities are to be believed."""
        return self.judged.after

    @property
    def calibration_before(self) -> Calibration:
        """How far the model's own probabilities are to be believed."""
        return self.judged.before

    @property
    def calibrated(self) -> Predictions:
        """The predictions with calibrated probabilities."""
        return replace(self.predictions, probabilities=self.judged.calibrated.astype(np.float32))

    @property
    def unseen(self) -> np.ndarray:
        """(n,) bool: the judged pictures that the run knows neither from training nor from validation."""
        new = np.ones(len(self.predictions.rows), dtype=bool)
        new[[one.place for one in self.familiarity.seen]] = False
        return new

    @property
    def pictures(self) -> int:
        """How many pictures were judged."""
        return int(self.metrics["pictures"])

    @property
    def right(self) -> int:
        """How many of them were classified correctly."""
        return int(self.metrics["right"])

    @property
    def accuracy(self) -> float:
        """The share of pictures that were classified correctly, from 0 to 1."""
        return float(self.metrics["accuracy"])

    @property
    def accuracy_95_low(self) -> float:
        """The lower end of the accuracy's 95% interval."""
        return float(self.metrics["accuracy_95_low"])

    @property
    def accuracy_95_high(self) -> float:
        """The upper end of the accuracy's 95% interval."""
        return float(self.metrics["accuracy_95_high"])

    @property
    def log_loss(self) -> float:
        """The mean negative log probability of the true class, in nats, of the model's own probabilities."""
        return float(self.metrics["log_loss"])

    @property
    def macro_f1(self) -> float:
        """The mean F1 over the classes that have pictures, from 0 to 1."""
        return float(self.metrics["macro_f1"])

    @property
    def per_class(self) -> list[ClassFigures]:
        """For each class its name, pictures, precision, recall and f1; `classes` of `metrics`."""
        return list(self.metrics["classes"])

    @property
    def confusion(self) -> np.ndarray:
        """(classes, classes) int64: row the true class, column the predicted one."""
        return np.array(self.metrics["confusion"], dtype=np.int64)

    def __repr__(self) -> str:
        interval = f"{self.accuracy_95_low:.1%} to {self.accuracy_95_high:.1%}"
        return printable(
            f"<Evaluation of {self.what}: accuracy {self.accuracy:.1%} ({interval}), {self.right} of {self.pictures}>"
        )

    def _repr_html_(self) -> str:
        drawn = picture_html(self.grid) if self.grid and self.grid.exists() else ""
        return lines_html(evaluation_lines(self)) + drawn

    def to_pandas(self) -> pandas.DataFrame:
        """Make a table for pandas, a row for each judged picture.

        Returns:
            A DataFrame with path, true_label, label, probability, and p:CLASS for each class; calibrated probabilities.

        Raises:
            MissingExtraError: pandas is not installed.

        Example:
            table = evaluation.to_pandas()
            table[table.label != table.true_label].sort_values("probability", ascending=False)
        """
        pandas = need("pandas", extra="pandas")
        names, said = np.array(self.classes, dtype=object), self.calibrated
        columns = {
            "path": [str(path) for path in self.paths],
            "true_label": names[said.labels],
            "label": names[said.predicted],
            "probability": said.probabilities.max(axis=1),
        }
        columns |= {probability_column(name): said.probabilities[:, i] for i, name in enumerate(self.classes)}
        return pandas.DataFrame(columns)


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """Format an evaluation as text: its figures with their intervals, a row per class, the confusion matrix.

    Args:
        evaluation: what `evaluate_run` returned.

    Returns:
        Lines of text, first what the figures are not of. The confusion matrix is left out above 20 classes.

    Example:
        for line in evaluation_lines(evaluation):
            print(line)
    """
    lines = [
        *_warnings(evaluation),
        f"evaluated {evaluation.what}: {evaluation.pictures} pictures",
        *figure_lines(evaluation.judged, evaluation.metrics),
        *([CHOSE_EPOCH] if evaluation.chose_epoch else []),
        *_strange_lines(evaluation),
        "",
        *class_lines(evaluation.figures.classes),
    ]
    matrix = matrix_lines(evaluation.classes, evaluation.confusion)
    slices = [] if evaluation.slices is None else ["", *slice_lines(evaluation.slices)]
    return [*lines, "", *matrix, *slices] if matrix else [*lines, *slices]


def _strange_lines(evaluation: Evaluation) -> list[str]:
    """How many pictures predict would not take for any class."""
    if evaluation.none_of_these is None:
        return []
    count, pictures = evaluation.none_of_these, evaluation.pictures
    return [f"unknown   {count} of {pictures} pictures are unlike those of training: predict answers none of these"]


def _warnings(evaluation: Evaluation) -> list[str]:
    """Whatever keeps the figures from being those of the pictures that one takes them for."""
    lines, pictures = _test_look_lines(evaluation), len(evaluation.predictions.rows)
    if evaluation.changed:
        some = ", ".join(map(repr, evaluation.changed[:3])) + (" ..." if len(evaluation.changed) > 3 else "")
        lines.append(
            f"changed   {len(evaluation.changed)} of {pictures} pictures are no longer those that the training "
            f"began with: {some}; the figures below are not comparable to the run's own"
        )
    if evaluation.gone:
        lines.append(
            f"gone      {evaluation.gone} of {pictures + evaluation.gone} of these pictures can't be read any more; "
            "the figures below are of the others"
        )
    new = evaluation.unseen
    right = evaluation.predictions.predicted == evaluation.predictions.labels
    lines += familiarity_lines(
        evaluation.familiarity, pictures=pictures, named=lambda place: str(evaluation.paths[place]),
        unseen=(int(right[new].sum()), int(new.sum())),
    )  # fmt: skip
    return lines


def _test_look_lines(evaluation: Evaluation) -> list[str]:
    """How often these test pictures were judged by this run, if they are test pictures."""
    looks = evaluation.test_looks
    if not looks:
        return []
    if len(looks) == 1:
        return ["test      this is the first look at these test pictures with this run; each is counted"]
    before = looks[-2]
    return [
        f"test      this is look {len(looks)} at these test pictures with this run (before: {before.accuracy:.1%} on "
        f"{before.when}); what is chosen by them looks better than it is"
    ]


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Make a document of an evaluation: its metrics, which pictures they are of, and what the run knows of them.

    Args:
        evaluation: what `evaluate_run` returned.

    Returns:
        What metrics.json has, and `figures` (each with value, low, high, pictures and reason), `calibration` (before,
        after, and the temperature; null where folds calibrate each other), `evaluated` (in words), `changed` (paths),
        `gone` (a count), `chose_epoch` (whether the same pictures chose the epoch that is kept), `set_aside` (path,
        problem, problem_kind), `seen` (path, split, known_as, near; of each picture that the run knows), `unseen` (the
        metrics of the others; None without any, or where all are new), `note`, `split`, `slices` (as
        `slices_json`; null where they were not asked for) and `test_looks` (when, data, pictures, right, digest; of
        each time that these test pictures were judged by this run, the last one now).

    Example:
        as_json(pictaxa.evaluate("runs/photos-resnet18-1"))["changed"]
    """
    new, predictions = evaluation.unseen, evaluation.predictions
    unseen = None
    if new.any() and not new.all():
        some = Predictions(predictions.rows[new], predictions.labels[new], predictions.probabilities[new])
        unseen = summarise(some, evaluation.classes)
    seen = [
        {"path": str(evaluation.paths[one.place]), "split": one.split, "known_as": one.known_as, "near": one.near}
        for one in evaluation.familiarity.seen
    ]
    return {
        **evaluation.metrics,
        "figures": asdict(evaluation.figures),
        "calibration": {
            "temperature": evaluation.temperature,
            "before": asdict(evaluation.calibration_before),
            "after": asdict(evaluation.calibration),
        },
        "evaluated": evaluation.what,
        "changed": list(evaluation.changed),
        "gone": evaluation.gone,
        "chose_epoch": evaluation.chose_epoch,
        "set_aside": [
            {"path": path, "problem": problem.detail, "problem_kind": problem.kind}
            for path, problem in evaluation.set_aside
        ],
        "seen": seen,
        "unseen": unseen,
        "note": evaluation.familiarity.note,
        "slices": None if evaluation.slices is None else slices_json(evaluation.slices),
        "split": evaluation.split,
        "test_looks": [asdict(look) for look in evaluation.test_looks],
        "none_of_these": evaluation.none_of_these,
    }
