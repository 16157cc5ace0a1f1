"""The validation pictures as the report's page has them: the most telling ones first, as many as it has room for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data.index import Index
from ..errors import printable
from ..metrics import Predictions, cooled
from ..runs.folder import Run
from ..runs.judgement import Judgement, read_judgement
from ..runs.records import read_predictions

LISTED_BYTES = 1_100_000  # of names and answers
THUMBNAIL_BYTES = 2_700_000  # of pictures in the explorer
FEW, LARGE_SIDE, SMALL_SIDE = 300, 176, 112  # up to so many pictures they are of the larger side, pixels
SUREST, SUREST_SIDE = 12, 240  # errors that are shown by themselves


def calibrated_predictions(run: Run, judgement: Judgement | None = None) -> Predictions:
    """Read what a run says of its validation pictures, calibrated where it is judged.

    Args:
        run: a run that has been validated.
        judgement: of it, where that is read already.

    Returns:
        Predictions, with rows of the run's index.
    """
    predictions, judgement = read_predictions(run), judgement or read_judgement(run)
    if judgement is None:
        return predictions
    calibrated = cooled(predictions.probabilities, judgement.temperature).astype(np.float32)
    return replace(predictions, probabilities=calibrated)


@dataclass(frozen=True)
class Order:
    """Places among the predictions, (n,) int64 each."""

    wrong: np.ndarray  # the surest first
    right: np.ndarray  # so that any beginning of it has pictures of each class and of any certainty

    @property
    def all(self) -> np.ndarray:
        """The wrong ones, then the right ones."""
        return np.concatenate([self.wrong, self.right])


def order_of(predictions: Predictions) -> Order:
    """Decide which pictures come first where there is no room for all.

    Args:
        predictions: of the validation pictures.

    Returns:
        All their places.
    """
    sure = np.argsort(-predictions.probabilities.max(axis=1), kind="stable")
    is_right = (predictions.predicted == predictions.labels)[sure]
    wrong, right = sure[~is_right], sure[is_right]
    # A number in each class from the least sure on, so that the classes take turns.
    turns = np.zeros(len(right), dtype=np.int64)
    for label in np.unique(predictions.labels[right]):
        own = np.flatnonzero(predictions.labels[right] == label)
        turns[own[_halves(len(own))]] = np.arange(len(own))
    return Order(wrong, right[np.argsort(turns, kind="stable")])


def _halves(count: int) -> np.ndarray:
    """Places 0 to count - 1 from both ends and the middle inwards, so that few of them span all of the range."""
    bits = max(1, (count - 1).bit_length())
    numbers = np.arange(1 << bits)
    reversed_bits = sum(((numbers >> bit) & 1) << (bits - 1 - bit) for bit in range(bits))
    return np.asarray(reversed_bits)[np.asarray(reversed_bits) < count]


def rows_of(
    predictions: Predictions, index: Index, places: np.ndarray, *, budget: int = LISTED_BYTES
) -> list[list[Any]]:
    """Make what the page's script has of each picture, as many as there is room for.

    Args:
        predictions: of the validation pictures.
        index: with their names.
        places: among the predictions, the most important first.
        budget: bytes that all may take together.

    Returns:
        Of each [name, label, answer, its probability and the label's in thousandths]; the picture comes after it.
    """
    names, spent, rows = index.column("path"), 0, []
    for place in places.tolist():
        label, answer = int(predictions.labels[place]), int(predictions.predicted[place])
        name = printable(names[predictions.rows[place]])
        spent += len(name.encode()) + 32
        if spent > budget:
            break
        shares = predictions.probabilities[place, [answer, label]]
        rows.append([name, label, answer, *(round(1000 * float(share)) for share in shares)])
    return rows


def side_of(count: int) -> int:
    """The side of the explorer's pictures where there are so many, pixels."""
    return LARGE_SIDE if count <= FEW else SMALL_SIDE


def pairs_of(matrix: np.ndarray, *, most: int) -> list[tuple[int, int, int]]:
    """Find which classes are taken for which.

    Args:
        matrix: (classes, classes) counts, row the true class.
        most: how many pairs at most.

    Returns:
        (true class, answer, pictures), the most frequent first.
    """
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    true, answer = np.nonzero(wrong)
    order = np.argsort(-wrong[true, answer], kind="stable")[:most]
    return [(int(true[i]), int(answer[i]), int(wrong[true[i], answer[i]])) for i in order]
