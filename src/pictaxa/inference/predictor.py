"""Prediction: the one way from a square to logits, and a stream of files through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import replace

import numpy as np
import torch

from ..augment.preprocess import Geometry
from ..errors import PictureError, RunError, printable
from ..images.colour import CONVERTED
from ..images.decode import Held, Square, count_notes, square_of
from ..models.fusing import fast_copy
from ..models.heads import apart
from ..runs.folder import Run
from ..system.device import Plan, to_device
from ..system.pool import results_ahead
from ..system.progress import warn
from ..weights.files import load_model_weights
from .answering import RAW, Answering
from .inputs import Given, given_pictures
from .kept_model import COMPARED, check_logits, model_of
from .logits import BATCH, square_outputs
from .prediction import Prediction, PredictionList

SHOWN_CLASSES = 6  # of a predictor's repr


def tell_nobody(square: Square) -> None:
    """Do nothing with a square."""


class Predictor:
    """A trained run, ready to predict; `load` of loading.py makes one from a folder.

    Args:
        run: the run, with its weights.
        plan: the device, the memory format, and the number of threads that decode. Logits are float32 in any case.
        answering: how logits become answers, by default with the model's own probabilities; judge/asked.py makes what
            else is asked for.

    Raises:
        RunError: the run lacks a file, has one that is damaged or changed, or its weights don't give the logits that
            its probe has of them.

    Example:
        predictor = pictaxa.load("runs/photos-resnet18-1")
        for prediction in predictor.stream(["holiday.jpg", "more-photos"]):
            print(prediction.path, prediction.label)
    """

    def __init__(self, run: Run, plan: Plan, *, answering: Answering = RAW) -> None:
        self.run = run
        self.plan = plan
        self.answering = answering
        self.classes = run.classes
        self.geometry = run.geometry
        model = model_of(run)
        load_model_weights(model, run.existing(run.model_path.name))
        self.model = fast_copy(to_device(model, plan), size=self.geometry.size)
        self._parts = apart(self.model)
        if run.has_probe:
            squares, aspects, logits = (part[:COMPARED] for part in run.probe())
            check_logits(self.logits(squares, aspects), logits, run=run, device=plan.device.type)

    def __repr__(self) -> str:
        shown = ", ".join(self.classes[:SHOWN_CLASSES]) + (", ..." if len(self.classes) > SHOWN_CLASSES else "")
        return printable(f"<Predictor {self.run.path}: {len(self.classes)} classes ({shown}), {self.plan.device}>")

    def answers_by(self, answering: Answering) -> Predictor:
        """The same model with other answers; nothing is loaded again."""
        other = copy(self)
        other.answering = answering
        return other

    def predict(self, pictures: Given | Iterable[Given]) -> PredictionList:
        """Predict pictures: files, all pictures below folders, and what a program holds in memory.

        Args:
            pictures: one picture, or several in a list or any other iterable. A picture is a path (a folder, zip or tar
                file stands for the pictures that training would find there), a picture of Pillow's, an array as
                images/arrays.py describes it (uint8 or float, (H, W, C) or (C, H, W), RGB or grey; of four axes:
                several pictures), the bytes of a file, or a file that is open for reading bytes.

        Returns:
            A Prediction for each picture, in order; one that can't be read has its `problem` instead of probabilities.

        Raises:
            SettingError: something among them is no picture; it is a TypeError too.
            DataError: there is nothing at a path, or nobody can know what is white in an array of floats.

        Example:
            predictions = predictor.predict(["holiday.jpg", "more-photos", Image.open("cat.png")])
        """
        return PredictionList(self.stream(pictures))

    def stream(self, pictures: Given | Iterable[Given]) -> Iterator[Prediction]:
        """Predict like `predict`, but one by one: only a few batches are in memory, however many pictures there are.

        Args:
            pictures: as `predict` takes them.

        Returns:
            An iterator over the predictions, in order.

        Raises:
            SettingError, DataError: as `predict`, but each when its turn comes.

        Example:
            for prediction in predictor.stream(["more-photos"]):
                print(prediction.path, prediction.label)
        """
        return self.judge(given_pictures(pictures, decoding=self.geometry.decoding))

    def judge(
        self, pictures: Iterable[tuple[str, Callable[[], Held]]], *, look: Callable[[Square], None] = tell_nobody
    ) -> Iterator[Prediction]:
        """Predict pictures from any source, one by one.

        Args:
            pictures: (name, function) pairs; the function gives the picture's bytes, its pixels, (H, W) or (H, W, C)
                uint8, or what else images/decode.py takes. It runs in a thread, ahead of its turn, and may raise
                PictureError.
            look: called with the square of each picture that can be read, in order, before it is judged.

        Returns:
            An iterator over the predictions, in order, with the names as their paths.

        Example:
            pixels = np.zeros((64, 64, 3), dtype=np.uint8)
            (prediction,) = predictor.judge([("black", lambda: pixels)])
        """
        for prediction, _ in self.judge_with_vectors(pictures, look=look):
            yield prediction

    def judge_with_vectors(
        self, pictures: Iterable[tuple[str, Callable[[], Held]]], *, look: Callable[[Square], None] = tell_nobody
    ) -> Iterator[tuple[Prediction, np.ndarray | None]]:
        """Predict pictures as `judge` does, and give what the network's head makes each prediction of.

        Args:
            pictures: as `judge` takes them.
            look: likewise.

        Returns:
            An iterator over predictions with (width,) float32 vectors; None for a picture that can't be read.

        Example:
            ((prediction, vector),) = predictor.judge_with_vectors([("black", lambda: pixels)])
        """
        waiting: list[tuple[str, Square | PictureError]] = []
        notes: Counter[str] = Counter()
        with self.plan.watch:
            for item in self._squares(pictures):
                waiting.append(item)
                if isinstance(item[1], Square):
                    look(item[1])
                    notes.update(note for note in item[1].notes if note != CONVERTED)
                if len(waiting) == BATCH:
                    yield from self._judge(waiting)
                    waiting.clear()
            yield from self._judge(waiting)
        for note in count_notes(notes.elements()):
            warn(f"note      {note}")

    def logits(self, squares: np.ndarray, aspects: np.ndarray) -> np.ndarray:
        """Compute the logits of decoded pictures, as every prediction does.

        Args:
            squares: (N, S, S, C) uint8, S and C as `geometry.square` and `geometry.channels` have them.
            aspects: (N,) float, width / height of each picture.

        Returns:
            (N, classes) float32 logits.

        Raises:
            RunError: the weights give NaN or infinity for some picture.

        Example:
            squares, aspects, logits = predictor.run.probe()  # what the run's own model said
            np.allclose(predictor.logits(squares, aspects), logits, atol=1e-4)  # True
        """
        return self.outputs(squares, aspects)[0]

    def outputs(self, squares: np.ndarray, aspects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the logits of decoded pictures, and what the network's head makes them of, in one pass.

        Args:
            squares: as `logits` takes them.
            aspects: likewise.

        Returns:
            (N, classes) float32 logits, and (N, width) float32 vectors: of the pictures themselves, also where the
            logits are averaged with those of their mirror images.

        Raises:
            RunError: the weights give NaN or infinity for some picture.

        Example:
            logits, vectors = predictor.outputs(*predictor.run.probe()[:2])
        """
        return self._outputs(squares, aspects, self.geometry)

    def vectors(self, squares: np.ndarray, aspects: np.ndarray) -> np.ndarray:
        """Compute the vectors of `outputs` alone, which is half the work where it looks at mirror images too.

        Args:
            squares: as `logits` takes them.
            aspects: likewise.

        Returns:
            (N, width) float32.

        Raises:
            RunError: as `outputs`.

        Example:
            vectors = predictor.vectors(*predictor.run.probe()[:2])
        """
        return self._outputs(squares, aspects, replace(self.geometry, tta="none"))[1]

    def _outputs(self, squares: np.ndarray, aspects: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
        images = torch.from_numpy(squares).to(self.plan.device)
        both = square_outputs(*self._parts, images, aspects=aspects, geometry=geometry)
        logits, vectors = both.logits.cpu().numpy(), both.vectors.cpu().numpy()
        bad = int((~np.isfinite(logits)).any(axis=1).sum())
        if bad:
            raise RunError(
                "weights that give finite numbers", found=f"NaN or infinity for {bad} of {len(squares)} pictures",
                fix="Train again, with a smaller --lr than that of config.json.",
            )  # fmt: skip
        return logits, vectors

    def _squares(
        self, pictures: Iterable[tuple[str, Callable[[], Held]]]
    ) -> Iterator[tuple[str, Square | PictureError]]:
        """Decoded ahead in threads, in order."""

        def load(picture: tuple[str, Callable[[], Held]]) -> tuple[str, Square | PictureError]:
            name, fetch = picture
            try:
                square = square_of(
                    fetch(), name=name, side=self.geometry.square, channels=self.geometry.channels,
                    decoding=self.geometry.decoding,
                )  # fmt: skip
                return name, square
            except PictureError as error:
                return name, error

        return results_ahead(load, pictures, threads=self.plan.threads, ahead=2 * BATCH)

    def _judge(self, items: list[tuple[str, Square | PictureError]]) -> Iterator[tuple[Prediction, np.ndarray | None]]:
        squares = [item for _, item in items if isinstance(item, Square)]
        judged: Iterator[tuple[np.ndarray, np.ndarray, float | None]] = iter(())
        if squares:
            self.plan.watch.look()
            pixels = np.stack([square.pixels for square in squares])
            aspects = np.array([square.aspect for square in squares], dtype=np.float32)
            logits, vectors = self.outputs(pixels, aspects)
            judged = zip(logits, vectors, self.answering.closeness(vectors), strict=True)
        for path, item in items:
            if isinstance(item, PictureError):
                unread = Prediction(
                    path, self.classes, probabilities=None, logits=None, problem=item.reason,
                    problem_kind=item.problem.kind,
                )  # fmt: skip
                yield unread, None
            else:
                own, vector, closeness = next(judged)
                yield self.answering.answer(path, self.classes, own, closeness=closeness), vector
