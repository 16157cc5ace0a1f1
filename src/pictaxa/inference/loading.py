"""From a folder to what predicts: a run, the mean of several folds, or a run's file of weights, each checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..config.machine import MachineConfig
from ..errors import RunError, as_word
from ..metrics import softmax
from ..models.contract import Classifier
from ..runs.folder import Run, open_run, weights_file
from ..runs.typed import damaged
from ..system.device import Plan, choose_plan
from ..system.progress import warn
from ..weights.kinds import check_kind, is_of_tensorflow
from .answering import RAW, Answering
from .predictor import Predictor


class AveragingPredictor(Predictor):
    """A training of several folds, ready to predict: a class is as probable as the folds say on average.

    Its logits are the logarithms of these probabilities.

    Args:
        run: the run of all folds.
        plan: as for `Predictor`.

    Raises:
        RunError: a fold is not finished, or is damaged as `Predictor` tells, or has other classes or another input.

    Example:
        predictor = pictaxa.load("runs/photos-efficientnet_lite0-folds-1")
    """

    def __init__(self, run: Run, plan: Plan, *, answering: Answering = RAW) -> None:
        self.run, self.plan, self.answering = run, plan, answering
        self.classes, self.geometry = run.classes, run.geometry
        self.folds = []
        for path in run.folds:
            if not (path.is_dir() and open_run(path).is_finished):
                raise RunError(
                    f"{len(run.folds)} folds that are finished", found=f"{str(path)!r}, which is not",
                    fix=f"Continue with: pictaxa train --resume {as_word(run.path)}",
                )  # fmt: skip
            fold = Predictor(open_run(path), plan)
            if (fold.classes, fold.geometry) != (self.classes, self.geometry):
                raise damaged(path, f"the classes and the input of {str(run.path)!r} in each fold", "others")
            self.folds.append(fold)
        warn(f"note      {run.path}: probabilities are the mean of its {len(self.folds)} folds'")

    @property
    def model(self) -> Classifier:  # type: ignore[override]  # an attribute of others, here a question
        """RunError: each fold has its own, and whoever asks for one should be given one of them."""
        self.run.existing(self.run.model_path.name)
        raise AssertionError(self.run.path)  # a run of folds has no such file

    def outputs(self, squares: np.ndarray, aspects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the logarithm of the mean of the folds' probabilities; they have no vectors in common, so of each
        picture there is an empty one.
        """
        each = np.stack([softmax(fold.logits(squares, aspects)) for fold in self.folds])  # (folds, N, classes)
        averaged: np.ndarray = np.log(np.maximum(each.mean(axis=0), np.finfo(np.float32).tiny))
        return averaged, np.empty((len(squares), 0), dtype=np.float32)

    def vectors(self, squares: np.ndarray, aspects: np.ndarray) -> np.ndarray:
        """RunError: each fold has its own."""
        raise AssertionError(self.model)


def load(run: str | Path, *, device: str = "auto", threads: int | None = None, answering: Answering = RAW) -> Predictor:
    """Load a trained run, as `pictaxa.load` does, for callers that check their arguments themselves."""
    opened, plan = open_run(run), choose_plan(MachineConfig(device=device, threads=threads))
    kind = AveragingPredictor if opened.folds else Predictor
    return kind(opened, plan, answering=answering)


def checked_weights(path: Path) -> Path:
    """Find the file of weights that a path means; those of a run are loaded, and compared with what it says of them.

    Args:
        path: a run folder, or a file of weights, which is left to whoever reads it.

    Returns:
        The file.

    Raises:
        RunError: the folder is not a run, lacks a file, or has one that is damaged or changed.
        WeightsError: it is a SavedModel or a checkpoint of TensorFlow.

    Example:
        tensors = load_tensors(checked_weights(Path("runs/photos-resnet18-1")))
    """
    if is_of_tensorflow(path):
        check_kind(path)  # which names it and says what to do
    if path.is_dir():
        load(path, device="cpu")
    return weights_file(path)
