"""What a comparison of runs found, as values, text and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len, set_cell_size

from ..data.index import Index
from ..errors import printable
from ..metrics import Metrics
from ..models.catalogue import billions
from ..system.extras import need
from ..system.printing import lines_html
from .cost import Cost
from .paired import METHODS, Pairing

if TYPE_CHECKING:
    import pandas

SHOWN = 10  # pictures on which the runs differ, in the text; JSON has all
LEVEL = 0.05  # p-values below it are told as a difference


@dataclass(frozen=True)
class Compared:
    """One of the runs: what it is worth on the pictures, and what it costs."""

    path: Path
    label: str  # the settings in which it differs from the others
    metrics: Metrics
    probabilities: np.ndarray  # (n, classes) float32
    cost: Cost

    @property
    def predicted(self) -> np.ndarray:
        """(n,) int64: the most probable class."""
        winners: np.ndarray = self.probabilities.argmax(axis=1)
        return winners


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs on the same labelled pictures.

    Example:
        comparison = pictaxa.compare(["runs/head", "runs/tuned"])
        print(comparison.pairs[0].difference, comparison.pairs[0].p_value)
        comparison.to_pandas()[comparison.differ]
    """

    classes: tuple[str, ...]
    paths: list[Path]  # of the pictures
    labels: np.ndarray  # (n,) int64 true classes
    runs: list[Compared]
    pairs: list[Pairing]  # of each two runs
    what: str  # in words: which pictures
    groups: int  # how many groups of pictures that belong together; 0 for none
    notes: tuple[str, ...]  # what keeps the figures from being those that one takes them for
    index: Index = field(compare=False)  # that the pictures are of
    rows: np.ndarray = field(compare=False)  # (n,) int64, of the index

    @property
    def differ(self) -> np.ndarray:
        """(n,) bool: the pictures that not all runs take for the same class."""
        answers = np.stack([run.predicted for run in self.runs])
        different: np.ndarray = (answers != answers[0]).any(axis=0)
        return different

    def __repr__(self) -> str:
        told = ", ".join(f"{run.path.name} {run.metrics['accuracy']:.1%}" for run in self.runs)
        return printable(f"<Comparison on {len(self.paths)} pictures: {told}>")

    def _repr_html_(self) -> str:
        return lines_html(comparison_lines(self))

    def to_pandas(self) -> pandas.DataFrame:
        """Make a table for pandas, a row for each picture.

        Returns:
            A DataFrame with path, true_label, and for each run a column with its answer, named by its folder.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = need("pandas", extra="pandas")
        names = np.array(self.classes, dtype=object)
        columns: dict[str, Any] = {"path": [str(path) for path in self.paths], "true_label": names[self.labels]}
        return pandas.DataFrame(columns | {str(run.path): names[run.predicted] for run in self.runs})


def letter(place: int) -> str:
    """What a run is called in a table: A, B and so on."""
    return chr(ord("A") + place)


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Tell a comparison as text: accuracies, each pair with its test, costs, and some pictures that differ.

    Args:
        comparison: what `compare_runs` returned.

    Returns:
        An iterator over lines of text.
    """
    for note in comparison.notes:
        yield f"note      {note}"
    yield f"compared  {len(comparison.paths)} pictures: {comparison.what}"
    yield ""
    yield from _run_lines(comparison)
    yield ""
    yield from _pair_lines(comparison)
    yield ""
    yield from _differing_lines(comparison)


def _run_lines(comparison: Comparison) -> Iterator[str]:
    runs = comparison.runs
    titles = [f"{letter(place)}  {run.path} ({run.label})" for place, run in enumerate(runs)]
    width = max(map(cell_len, titles))
    yield (f"{'run'.ljust(width)}  accuracy  95% interval      loss  parameters  multiply-adds  pictures/s  MB on disk")
    for title, run in zip(titles, runs, strict=True):
        metrics, cost = run.metrics, run.cost
        interval = f"{metrics['accuracy_95_low']:.1%} to {metrics['accuracy_95_high']:.1%}"
        yield (
            f"{set_cell_size(title, width)}  {metrics['accuracy']:8.1%}  {interval:<14}  {metrics['log_loss']:6.3f}  "
            f"{billions(cost.parameters):>10}  {billions(cost.multiply_adds):>13}  {cost.pictures_per_second:10.1f}  "
            f"{cost.megabytes:10.1f}"
        )


def _pair_lines(comparison: Comparison) -> Iterator[str]:
    several = len(comparison.pairs) > 1
    if several:
        yield "pair   difference  95% interval        right: only 1st    only 2nd    p-value  Holm's"
    else:
        yield "pair   difference  95% interval        right: only 1st    only 2nd    p-value"
    for pair in comparison.pairs:
        names = f"{letter(pair.second)} - {letter(pair.first)}"
        interval = f"{pair.low:+.1%} to {pair.high:+.1%}"
        yield (
            f"{names:<5}  {pair.difference:+10.1%}  {interval:<18}  {pair.only_second:15d}  {pair.only_first:10d}  "
            f"{_p(pair.p_value):>9}" + (f"  {_p(pair.p_holm):>6}" if several else "")
        )
    told = [pair for pair in comparison.pairs if pair.p_holm < LEVEL]
    for pair in told:
        better, worse = (pair.second, pair.first) if pair.difference > 0 else (pair.first, pair.second)
        yield f"{letter(better)} is better than {letter(worse)} on pictures like these (p {_p(pair.p_holm)})"
    if not told:
        yield "these pictures do not show that one of the runs is better"
    method = METHODS[comparison.pairs[0].method]
    yield f"p-value: McNemar's exact test; interval: {method}" + (
        "; Holm's: corrected for the number of pairs" if several else ""
    )
    if comparison.groups:
        yield (
            f"note      pictures of a group resemble each other ({comparison.groups} groups), which the test takes no "
            "account of: trust the interval"
        )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _differing_lines(comparison: Comparison) -> Iterator[str]:
    places = np.flatnonzero(comparison.differ)
    yield f"{len(places)} of {len(comparison.paths)} pictures are taken for different classes"
    for place in places[:SHOWN].tolist():
        said = ", ".join(
            f"{letter(number)} {comparison.classes[run.predicted[place]]}" for number, run in enumerate(comparison.runs)
        )
        name = comparison.index.name(comparison.rows[place])
        yield f"  {name}: labelled {comparison.classes[comparison.labels[place]]}; {said}"
    if len(places) > SHOWN:
        yield f"  and {len(places) - SHOWN} more, which --json lists and --grid draws"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Make a document of a comparison.

    Args:
        comparison: what `compare_runs` returned.

    Returns:
        `compared` (in words), `pictures`, `classes`, `groups`, `notes`; `runs`: path, label, metrics (as metrics.json),
        parameters, multiply_adds, pictures_per_second, megabytes; `pairs`: first, second (places among the runs), both,
        only_first, only_second, neither, difference (the second's accuracy minus the first's), difference_95_low,
        difference_95_high, method, p_value (McNemar's exact test), p_holm; `differ`: path, true_label, answers.
    """
    names = comparison.classes
    return {
        "compared": comparison.what,
        "pictures": len(comparison.paths),
        "classes": list(names),
        "groups": comparison.groups,
        "notes": list(comparison.notes),
        "runs": [
            {"path": str(run.path), "label": run.label, "metrics": run.metrics, **vars(run.cost)}
            for run in comparison.runs
        ],
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "both": pair.both,
                "only_first": pair.only_first,
                "only_second": pair.only_second,
                "neither": pair.neither,
                "difference": pair.difference,
                "difference_95_low": pair.low,
                "difference_95_high": pair.high,
                "method": METHODS[pair.method],
                "p_value": pair.p_value,
                "p_holm": pair.p_holm,
            }
            for pair in comparison.pairs
        ],
        "differ": [
            {
                "path": str(comparison.paths[place]),
                "true_label": names[comparison.labels[place]],
                "answers": [names[run.predicted[place]] for run in comparison.runs],
            }
            for place in np.flatnonzero(comparison.differ).tolist()
        ],
    }
