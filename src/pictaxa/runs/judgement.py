"""judgement.json: what the validation pictures say of a run, each figure with its interval and its pictures.

judge/judging.py makes it; predictions take the temperature and the rules of abstaining and of sets from it, and reports
show the rest. The confusion matrix is in metrics.json and is not repeated.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError
from .derived import changed_since, find_derived, keep_derived, tell_made_again
from .folder import Run
from .names import JUDGEMENT
from .typed import damaged, read_json, typed

COLDEST, HOTTEST = 0.05, 20.0  # temperatures; beyond them probabilities are all but certain, or all but equal
DIGITS = 6  # of a number that is kept


@dataclass(frozen=True)
class Figure:
    """A value with the ends of its 95% interval, and the number of pictures it rests on."""

    value: float | None  # None where there is no such value: `reason` says why
    low: float | None
    high: float | None
    pictures: int
    reason: str = ""  # why there is no value, or no interval

    @property
    def percent(self) -> str:
        """As a share, such as 92.8% (88.9-95.4); "-" without a value."""
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.1%}"
        return f"{self.value:.1%} ({100 * self.low:.1f}-{100 * self.high:.1f})"

    @property
    def number(self) -> str:
        """As a number, such as 0.910 (0.871-0.950); "-" without a value."""
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True)
class Curve:
    """A curve by some of its points, from its beginning to its end."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Bin:
    """Pictures whose answers are about equally sure."""

    pictures: int
    confidence: float  # mean probability of the answer
    accuracy: float  # share of them that are right
    low: float  # its 95% interval
    high: float


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are to be believed."""

    log_loss: Figure  # nats
    brier: Figure  # sum over the classes of the squared distance from the truth, from 0 to 2
    error: Figure  # expected calibration error of the answer's probability
    bins: tuple[Bin, ...]  # the reliability diagram, from the least sure to the surest


@dataclass(frozen=True)
class ClassJudgement:
    """One class against the others."""

    name: str
    pictures: int
    precision: Figure
    recall: Figure
    f1: Figure
    roc_auc: Figure
    average_precision: Figure
    roc: Curve | None  # x: share of the others that are taken for it; y: share of its pictures that are found
    precision_recall: Curve | None  # x: recall; y: precision


@dataclass(frozen=True)
class Figures:
    """What answers are worth. Means over classes are of those that have pictures."""

    accuracy: Figure
    balanced_accuracy: Figure  # mean recall
    top: dict[str, Figure]  # by k, such as "5": the true class is among the k most probable ones
    precision: Figure  # mean over classes; one that was never predicted counts as 0
    f1: Figure  # mean over classes
    roc_auc: Figure  # mean over classes
    average_precision: Figure  # mean over classes
    kappa: Figure  # Cohen's
    mcc: Figure  # Matthews' correlation coefficient
    classes: tuple[ClassJudgement, ...]


@dataclass(frozen=True)
class Abstaining:
    """From which confidence on an answer is given, so that a share of the answers is right."""

    wanted: float  # that share
    threshold: float | None  # the least calibrated probability of an answer; None where none can be vouched for
    accuracy: Figure  # of the answers given
    coverage: Figure  # share of pictures that get an answer


@dataclass(frozen=True)
class SetRule:
    """From which probability on a class stands in a picture's set, so that a share of sets has the true class."""

    wanted: float  # that share
    per_class: bool  # of the pictures of each class, rather than of all
    least: tuple[float, ...]  # the calibrated probability with which a class is in, one for all or of each; 0: always
    coverage: Figure  # share of sets with the true class, of pictures that the rule was not made of
    size: Figure  # mean number of classes in those sets
    empty: Figure  # share of those sets without any class


@dataclass(frozen=True)
class Judgement:
    """What was found on the validation pictures of a run."""

    made_from: dict[str, str]  # SHA-256 of the files that it rests on
    pictures: int
    units: int  # groups and pictures by themselves; pictures of a unit are never on both sides of a fold
    chose_epoch: bool  # whether the same pictures also chose the epoch that is kept
    temperature: float  # calibrated probabilities are softmax(log p / temperature)
    folds: int  # the temperature of each picture's calibrated figures is from the other folds; 1: from all pictures
    before: Calibration  # of the model's own probabilities
    after: Calibration  # of calibrated ones
    figures: Figures  # of calibrated probabilities
    abstaining: tuple[Abstaining, ...]
    sets: tuple[SetRule, ...]


def read_judgement(run: Run) -> Judgement | None:
    """Read what is kept of a run's judgement.

    Args:
        run: the run.

    Returns:
        The Judgement; None where there is none, or one that is not of this run as it is now, which is said.

    Raises:
        RunError: the run's classes are damaged.

    Example:
        judgement = read_judgement(open_run("runs/photos-resnet18-1"))
    """
    path, classes = find_derived(run, JUDGEMENT), run.classes
    try:
        judgement = None if path is None else judgement_in(path, classes=classes)
    except RunError:  # torn, or of another version
        judgement = None
    changed = [] if judgement is None else changed_since(run, judgement.made_from)
    if judgement is not None and not changed:
        return judgement
    tell_made_again(run, JUDGEMENT, changed=changed)
    return None


def keep_judgement(run: Run, judgement: Judgement) -> bool:
    """Write a judgement into its run.

    Args:
        run: the run.
        judgement: what was found.

    Returns:
        Whether it is kept; a folder that can't be written to is no fault.
    """
    text = json.dumps(asdict(judgement), ensure_ascii=False, allow_nan=False) + "\n"
    return keep_derived(run, JUDGEMENT, lambda path: path.write_bytes(text.encode()))


def rounded(value: Any) -> Any:
    """A record with its floats to six digits, so that what is computed now and what was kept are equal.

    Args:
        value: a dataclass, tuple, dict, number or text.

    Returns:
        The same of the same types.

    Example:
        rounded((0.12345678, 3))  # (0.123457, 3)
    """
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, tuple):
        return tuple(map(rounded, value))
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{field.name: rounded(getattr(value, field.name)) for field in fields(value)})
    return value


def judgement_in(path: Path, *, classes: tuple[str, ...]) -> Judgement:
    """Read a judgement's file, whatever run it is of.

    Args:
        path: of a file that is there, as `keep_judgement` writes it.
        classes: names of the classes that it should have.

    Returns:
        The Judgement.

    Raises:
        RunError: it is damaged, or holds something else.
    """
    judgement: Judgement = typed(read_json(path), Judgement, path=path)
    if not COLDEST <= judgement.temperature <= HOTTEST:
        raise damaged(path, f"a temperature of {COLDEST:g} to {HOTTEST:g} in {JUDGEMENT}", f"{judgement.temperature:g}")
    if judgement.pictures < 1 or not 1 <= judgement.units <= judgement.pictures:
        raise damaged(path, f"a number of pictures in {JUDGEMENT}", str(judgement.pictures))
    names = tuple(figures.name for figures in judgement.figures.classes)
    if names != classes or any(len(rule.least) != (len(classes) if rule.per_class else 1) for rule in judgement.sets):
        raise damaged(path, f"the classes of the run in {JUDGEMENT}", ", ".join(names))
    shares = [share for rule in judgement.sets for share in rule.least]
    shares += [rule.threshold for rule in judgement.abstaining if rule.threshold is not None]
    if not all(0 <= share <= 1 for share in shares):
        raise damaged(path, f"shares of 0 to 1 in {JUDGEMENT}", "others")
    return judgement
