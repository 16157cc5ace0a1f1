"""TensorBoard and MLflow: a training's curves, figures and pictures where people already look.

They follow a training and take no part in it. Each gets the rows of the log, and at the end what the report shows.
Where one of them fails that is told once, and the training goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..config.by_name import changed_settings, from_json
from ..config.training import TrainConfig
from ..runs.folder import Run
from ..system.extras import need
from ..system.progress import warn

if TYPE_CHECKING:
    import numpy as np

SAMPLES = 16  # augmented pictures that are shown
COLUMNS = {  # of the log, and what they are called on a board
    "train_loss": "loss/training", "val_loss": "loss/validation", "train_accuracy": "accuracy/training",
    "val_accuracy": "accuracy/validation", "lr": "lr", "pictures_per_second": "pictures_per_second",
    "waiting_share": "waiting_share",
}  # fmt: skip


class Board(Protocol):
    """Where a training is told."""

    name: str

    def settings(self, settings: Mapping[str, Any]) -> None:
        """What was asked for, at the start."""

    def pictures(self, images: np.ndarray) -> None:
        """(N, C, H, W) float32 in [0, 1]: what the model gets in training, at the start."""

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """The figures of an epoch."""

    def result(self, run: Run) -> None:
        """A finished run."""

    def close(self) -> None:
        """Nothing more comes."""


def require_boards(config: TrainConfig) -> None:
    """MissingExtraError where a board is asked for whose library is not installed."""
    if config.machine.tensorboard is not None:
        need("tensorboard", extra="tensorboard")
    if config.machine.mlflow:
        need("mlflow", extra="mlflow")


@contextmanager
def following(run: Run, config: TrainConfig, *, told: int) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Tell the boards that are asked for of each epoch.

    Args:
        run: the run that is being trained.
        config: its settings.
        told: how many epochs they know already, of a training that goes on.

    Yields:
        What is called with all rows of the log whenever there are more; without boards it does nothing.
    """
    boards = _open_boards(run, config)
    known: list[Mapping[str, Any]] = []

    def tell(rows: Sequence[Mapping[str, Any]]) -> None:
        for place, row in enumerate(rows):
            if place < told or (place - told < len(known) and known[place - told] == row):
                continue
            known[place - told :] = [dict(row)]  # the last row may be validated after it was told
            values = {name: float(row[column]) for column, name in COLUMNS.items() if row[column] is not None}
            _each(boards, partial(_epoch, number=int(row["epoch"]), values=values))

    if boards and not told:
        _begin(boards, config)
    try:
        yield tell
    finally:
        _each(boards, lambda board: board.close())


def tell_end(run: Run) -> None:
    """Give the boards that its training was asked to write to what a finished run comes to.

    Args:
        run: the run, completed.
    """
    boards = _open_boards(run, from_json(run.config["asked"]))
    _each(boards, lambda board: board.result(run))
    _each(boards, lambda board: board.close())


def _open_boards(run: Run, config: TrainConfig) -> list[Board]:
    """Those that are asked for; one that can't be reached is told, and left out."""
    boards: list[Board] = []
    try:
        if config.machine.tensorboard is not None:
            from .board_tensorboard import TensorBoard

            boards.append(TensorBoard(config.machine.tensorboard / _name(run)))
        if config.machine.mlflow:
            from .board_mlflow import MlflowBoard

            boards.append(MlflowBoard(config.machine.mlflow, run, name=_name(run)))
    except Exception as error:  # of these libraries there is no one kind
        warn(f"note      a board can't be written to: {error}")
    return boards


def _epoch(board: Board, *, number: int, values: Mapping[str, float]) -> None:
    board.epoch(number, values)


def _name(run: Run) -> str:
    """What a run is called: its folder; a fold stands below the run that it belongs to."""
    path = run.path.resolve()
    return f"{path.parent.name}/{path.name}" if path.name.startswith("fold-") else path.name


def _begin(boards: list[Board], config: TrainConfig) -> None:
    """Settings, and pictures as the model will get them."""
    settings = {name: str(value) for name, value in changed_settings(replace(config, out=None)).items()}
    _each(boards, lambda board: board.settings(settings))

    def show(board: Board) -> None:
        from .batch import make_batch  # with torch

        batch = make_batch(
            config.data, augmentation=config.augmentation, pictures=config.pictures, batch_size=SAMPLES,
            reading=config.reading, asked=config.decoding, seed=config.seed,
        )  # fmt: skip
        board.pictures(batch.images)

    _each(boards, show)


def _each(boards: list[Board], do: Callable[[Board], None]) -> None:
    """Do something with each board; one that fails gets nothing more, and the training does not notice."""
    for board in list(boards):
        try:
            do(board)
        except Exception as error:
            boards.remove(board)
            warn(f"note      {board.name} is not written to any more: {error}")
