"""Compares runs on the same labelled pictures: whether one is better, by how much, where they differ, at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from ..config.data import ReadingConfig
from ..data.index import Index
from ..data.reading import PLAIN, read_data
from ..errors import ConfigError, RunError, as_word
from ..inference.loading import load
from ..metrics import Metrics, Predictions, summarise
from ..reporting.comparing import Worth, draw_differing, draw_worths
from ..reporting.curves import labels_of
from ..runs.folder import Run, open_run
from ..runs.records import read_index, read_predictions
from .comparison import Compared, Comparison, letter
from .cost import costs_of
from .evaluate import Selection, Split, evaluate_run
from .paired import Pairing, holm, pair_up

MAX_RUNS = 20
EXAMPLES = 3  # of what differs, in a line


@dataclass(frozen=True)
class _Answers:
    """What a run says of pictures, whose order is that of the first run's."""

    run: Run
    keys: list[str]  # (n,) of each picture: its bytes
    paths: list[str]
    labels: np.ndarray  # (n,) int64, places in the first run's classes
    probabilities: np.ndarray  # (n, classes) float32, likewise
    groups: list[str]
    index: Index  # which the rows are of
    rows: np.ndarray


def compare_runs(
    runs: Sequence[str | Path],
    data: str | Path | None = None,
    *,
    reading: ReadingConfig = PLAIN,
    split: Split = "",
    device: str = "auto",
) -> Comparison:
    """Compare two runs or more by their kept validation predictions, or on other labelled pictures.

    Args:
        runs: folders of runs that have the same classes, in any order.
        data: labelled pictures that all of them judge now; by default the predictions that they keep of their
            validation pictures are taken, which must be the same ones.
        reading: how `data` is laid out.
        split: which pictures of `data`, as `evaluate_run` takes it.
        device: "auto" (the fastest available), "cpu", "cuda", "cuda:1" or "mps".

    Returns:
        A Comparison.

    Raises:
        ConfigError: fewer than two runs, or too many, or one twice.
        RunError: a folder is not a run or lacks a file, or the runs have other classes or pictures.
        DataError: as `evaluate_run`.

    Example:
        comparison = compare_runs(["runs/head", "runs/tuned"])
        comparison.pairs[0].difference, comparison.pairs[0].p_value
    """
    opened = _open(runs)
    _check_classes(opened)
    if data is None:
        answers = [_kept(run, opened[0].classes) for run in opened]
        what = "the validation pictures of these runs"
        notes: list[str] = []
    else:
        answers, what, notes = _judged(opened, Path(data), reading=reading, split=split, device=device)
    answers = [answers[0], *(_in_order(other, answers[0], opened, judged=data is not None) for other in answers[1:])]
    first = answers[0]
    right = [one.probabilities.argmax(axis=1) == first.labels for one in answers]
    pairs = [
        pair_up(right[i], right[j], groups=first.groups, places=(i, j)) for i, j in combinations(range(len(runs)), 2)
    ]
    pairs = _corrected(pairs)
    costs = costs_of([load(run.path, device=device) for run in opened])
    labels = labels_of(opened)
    compared = [
        Compared(run.path, label, _metrics(one, opened[0].classes), one.probabilities, cost)
        for run, label, one, cost in zip(opened, labels, answers, costs, strict=True)
    ]
    return Comparison(
        classes=opened[0].classes,
        paths=[first.index.root / first.index.name(row) for row in first.rows],
        labels=first.labels,
        runs=compared,
        pairs=pairs,
        what=what,
        groups=len({group for group in first.groups if group}),
        notes=tuple(notes),
        index=first.index,
        rows=first.rows,
    )


def _open(runs: Sequence[str | Path]) -> list[Run]:
    if not 2 <= len(runs) <= MAX_RUNS:
        raise ConfigError(f"2 to {MAX_RUNS} runs", found=str(len(runs)), fix="Give the folders of some trainings.")
    opened = [open_run(run) for run in runs]
    places = [run.path.resolve() for run in opened]
    twice = next((run.path for run, place in zip(opened, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise ConfigError("different runs", found=f"{str(twice)!r} twice", fix="Give each run once.")
    return opened


def _corrected(pairs: list[Pairing]) -> list[Pairing]:
    corrected = holm([pair.p_value for pair in pairs])
    return [replace(pair, p_holm=value) for pair, value in zip(pairs, corrected, strict=True)]


def _metrics(answers: _Answers, classes: tuple[str, ...]) -> Metrics:
    return summarise(Predictions(answers.rows, answers.labels, answers.probabilities), classes)


def _check_classes(runs: Sequence[Run]) -> None:
    """RunError where two have other classes, with those that only one has."""
    first = runs[0]
    for other in runs[1:]:
        ours, theirs = set(first.classes), set(other.classes)
        if ours != theirs:
            found = "; ".join(
                f"{_some(sorted(alone))} only in {str(run.path)!r}"
                for run, alone in ((first, ours - theirs), (other, theirs - ours)) if alone
            )  # fmt: skip
            raise RunError(
                "runs of the same classes", found=found,
                fix="pictaxa classes RUN --rename or --merge gives a run other classes without training it again.",
            )  # fmt: skip


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:EXAMPLES])) + (f" and {len(names) - EXAMPLES} more" if names[EXAMPLES:] else "")


def _kept(run: Run, classes: tuple[str, ...]) -> _Answers:
    """What a run keeps of its validation pictures; RunError where it has nothing."""
    index, said = read_index(run), read_predictions(run, classes=classes)
    return _answers(run, index, said, classes)


def _judged(
    runs: Sequence[Run], data: Path, *, reading: ReadingConfig, split: Split, device: str
) -> tuple[list[_Answers], str, list[str]]:
    """What each run says of other pictures now, which these are, and what is to be known of that."""
    answers, notes, what = [], [], ""
    for run in runs:
        evaluation = evaluate_run(run.path, data, reading=reading, device=device, select=Selection(split=split))
        index = read_data(data, reading, classes=run.classes)
        hashes = dict(zip(evaluation.predictions.rows.tolist(), evaluation.hashes, strict=True))
        said = _with_classes(evaluation.predictions, run.classes, runs[0].classes)
        found = _answers(run, index, said, runs[0].classes)
        answers.append(replace(found, keys=[hashes[row] for row in said.rows.tolist()]))
        what = evaluation.what
        if seen := len(evaluation.familiarity.seen):
            notes.append(
                f"{seen} of {evaluation.pictures} pictures are known to {run.path} from training or validation, so it "
                "looks better than it is"
            )
        if run == runs[0]:
            notes += [f"set aside {path!r}: {problem}" for path, problem in evaluation.set_aside]
        if evaluation.test_looks:
            notes.append(f"this is look {len(evaluation.test_looks)} at these test pictures with {run.path}")
    return answers, what, notes


def _with_classes(said: Predictions, own: tuple[str, ...], classes: tuple[str, ...]) -> Predictions:
    """Probabilities in the order of other classes."""
    return replace(said, probabilities=said.probabilities[:, [own.index(name) for name in classes]])


def _answers(run: Run, index: Index, said: Predictions, classes: tuple[str, ...]) -> _Answers:
    places = np.array([classes.index(name) for name in run.classes])
    rows = said.rows
    hashes, paths = index.column("hash")[rows].tolist(), index.column("path")[rows].tolist()
    return _Answers(
        run=run,
        keys=[key or path for key, path in zip(hashes, paths, strict=True)],  # an older run has no hashes
        paths=paths,
        labels=places[said.labels],
        probabilities=said.probabilities,
        groups=index.column("group")[rows].tolist(),
        index=index,
        rows=rows,
    )


def _in_order(other: _Answers, first: _Answers, runs: Sequence[Run], *, judged: bool) -> _Answers:
    """A run's answers in the order of the first run's; RunError where the pictures or their labels are others."""
    ours, theirs = _places(first), _places(other)
    if ours.keys() != theirs.keys():
        only = [
            f"{len(keys)} only of {str(one.run.path)!r}, such as {one.paths[place]!r}"
            for one, places, keys in (
                (first, ours, ours.keys() - theirs.keys()), (other, theirs, theirs.keys() - ours.keys())
            )
            if keys and (place := min(places[key] for key in keys)) >= 0
        ]  # fmt: skip
        named = " ".join(as_word(run.path) for run in runs)
        raise RunError(
            "runs that judged the same pictures", found=f"{len(first.keys)} and {len(other.keys)}: {'; '.join(only)}",
            fix="Look at the pictures that can't be read." if judged else
            f"Let them judge the same labelled pictures now: pictaxa compare {named} --on DATA",
        )  # fmt: skip
    order = np.array([theirs[key] for key in ours], dtype=np.int64)
    mine = np.array(list(ours.values()), dtype=np.int64)
    labelled = other.labels[order] != first.labels[mine]
    if labelled.any():
        place = int(mine[labelled.argmax()])
        names = (first.run.classes[one.labels[at]] for one, at in ((first, place), (other, order[labelled.argmax()])))
        raise RunError(
            "the same label of each picture",
            found=f"{labelled.sum()} with others, such as {first.paths[place]!r}: {' and '.join(map(repr, names))}",
            fix="Let them judge the pictures with one set of labels: pictaxa compare RUN RUN --on DATA",
        )  # fmt: skip
    placed = np.empty_like(order)
    placed[mine] = order
    return replace(
        other, keys=first.keys, paths=first.paths, labels=other.labels[placed],
        probabilities=other.probabilities[placed], rows=first.rows, groups=first.groups,
    )  # fmt: skip


def _places(answers: _Answers) -> dict[tuple[str, int], int]:
    """Where each picture stands; of several with the same bytes, and the same label first, the first, and so on."""
    counts: dict[str, int] = {}
    places: dict[tuple[str, int], int] = {}
    for place in np.lexsort((np.array(answers.paths), answers.labels)).tolist():
        key = answers.keys[place]
        counts[key] = counts.get(key, 0) + 1
        places[key, counts[key]] = place
    return places


def draw_comparison(comparison: Comparison, out: Path) -> Path:
    """Draw accuracy against cost, and the runs' curves where they have epochs.

    Args:
        comparison: what `compare_runs` returned.
        out: the .png or .svg to write.

    Returns:
        The file.

    Raises:
        ConfigError: it has another suffix, or can't be written.
        RunError: a run's log is damaged.
    """
    worths = [
        Worth(
            label=f"{letter(place)}  {run.label}", accuracy=run.metrics["accuracy"],
            low=run.metrics["accuracy_95_low"], high=run.metrics["accuracy_95_high"],
            multiply_adds=run.cost.multiply_adds, pictures_per_second=run.cost.pictures_per_second,
        )
        for place, run in enumerate(comparison.runs)
    ]  # fmt: skip
    return draw_worths(worths, [run.path for run in comparison.runs], out)


def draw_differences(comparison: Comparison, out: Path) -> str:
    """Draw pictures on which the runs differ, with their answers.

    Args:
        comparison: what `compare_runs` returned.
        out: the PNG to write.

    Returns:
        In words: where the drawing is, and of how many pictures.

    Raises:
        ConfigError: it is no PNG, or can't be written.
    """
    places = np.flatnonzero(comparison.differ)
    names, labels = comparison.classes, comparison.labels
    answers = [
        [names[labels[place]], *(names[run.predicted[place]] for run in comparison.runs)] for place in places.tolist()
    ]
    decoding = open_run(comparison.runs[0].path).geometry.decoding
    return draw_differing(comparison.index, comparison.rows[places], answers, out, decoding=decoding)
