"""Pictures with a run's answer, and heat maps of what speaks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ConfigError, PictureError, close_matches, printable
from ..images.decode import Held, Square, decode
from ..inference.prediction import Prediction
from ..inference.predictor import Predictor
from ..models.contract import Classifier
from ..system.printing import picture_html
from .attending import attention_layers
from .frame import Frame, Hot, frame_of, on_picture, where_hot
from .methods import DEFAULT, METHODS, MethodName, find_method
from .network import heat_maps, network_for

SIDE = 480  # of a picture as it is shown, pixels of its longer side
MAX_CLASSES = 8  # side by side
SHOWN = 20  # of a list in a notebook
BATCH = 16  # pictures whose maps are computed together


@dataclass(frozen=True)
class Asked:
    """What is to be explained.

    Args:
        classes: names of classes; () for the most probable ones.
        top: how many of the most probable ones, from 1 on.
        method: of METHOD_NAMES.

    Raises:
        ConfigError: the method is unknown, or there are more classes than fit side by side.
    """

    classes: tuple[str, ...] = ()
    top: int = 1
    method: MethodName = DEFAULT

    def __post_init__(self) -> None:
        find_method(self.method)
        if not 1 <= self.top <= MAX_CLASSES:
            raise ConfigError(f"--top from 1 to {MAX_CLASSES}", found=str(self.top), fix="Use --top 3, for example.")
        if len(self.classes) > MAX_CLASSES:
            raise ConfigError(
                f"at most {MAX_CLASSES} classes side by side", found=str(len(self.classes)), fix="Leave some out."
            )


@dataclass(frozen=True, eq=False)
class Heat:
    """What speaks for a class in a picture.

    Args:
        label: the class.
        probability: that the run gives it.
        values: (h, w) float32 in [0, 1] over the network's input, the largest 1; all 0 where nothing speaks for it.
        frame: where the input lies on the upright picture.
        aspect: width / height of the picture.
    """

    label: str
    probability: float
    values: np.ndarray
    frame: Frame
    aspect: float

    def on_picture(self, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Lay it over the upright picture.

        Args:
            width: pixels.
            height: pixels.

        Returns:
            (height, width) float32 in [0, 1]; and (height, width) bool: what the network saw.
        """
        return on_picture(self.values, self.frame, width=width, height=height)

    @property
    def where(self) -> Hot | None:
        """Where on the picture it is; None where nothing speaks for the class."""
        return where_hot(self.values, self.frame, aspect=self.aspect)


@dataclass(frozen=True, eq=False)
class Explanation:
    """A picture with a run's answer and heat maps.

    Args:
        prediction: the answer, as `predict` gives it; of a picture that can't be read its `problem`.
        method: how the maps were made.
        picture: upright, its longer side SIDE pixels at most; None where it can't be read.
        heats: a Heat for each class that was asked for, in that order.
    """

    prediction: Prediction
    method: MethodName
    picture: Image.Image | None
    heats: tuple[Heat, ...]

    def lines(self) -> list[str]:
        """What people read: the answer, and where the heat is."""
        path, answer = self.prediction.path, self.prediction
        if answer.problem:
            return [f"{path}  not read: {answer.problem}"]
        lines = []
        for heat in self.heats:
            hot = heat.where
            place = "nothing here speaks for it" if hot is None else (
                f"heat around {hot.centre[0]:.0%} from the left, {hot.centre[1]:.0%} from the top"
            )  # fmt: skip
            lines.append(f"{path}  {heat.label} {heat.probability:.1%}  {place}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """As --json has it: answer and probability, and where the heat of each class is."""
        found = []
        for heat in self.heats:
            hot = heat.where
            place = {} if hot is None else {
                "centre": [round(part, 4) for part in hot.centre], "box": [round(part, 4) for part in hot.box]
            }  # fmt: skip
            found.append({"class": heat.label, "probability": heat.probability, **place})
        answer = {"label": self.prediction.label, "probability": self.prediction.probability}
        problem = {"problem": self.prediction.problem} if self.prediction.problem else answer
        return {"path": self.prediction.path, **problem, "heat": found}


class ExplanationList(list[Explanation]):
    """A list of explanations, in the order of the pictures; a notebook shows what was drawn of them.

    Example:
        explanations = pictaxa.explain("runs/photos-resnet18-1", "more-photos", "why.png")
    """

    drawn: tuple[Path, ...] = ()  # where drawings were asked for

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(printable(line))}</p>" for one in self[:SHOWN] for line in one.lines())
        return "".join(picture_html(path) for path in self.drawn[:SHOWN] if path.exists()) or lines


def explain_pictures(
    predictor: Predictor, pictures: Iterable[tuple[str, Callable[[], Held]]], asked: Asked
) -> Iterator[Explanation]:
    """Predict pictures and explain the answers, one by one; only a few are in memory.

    Args:
        predictor: of a run.
        pictures: (name, function) pairs, as `Predictor.judge` takes them.
        asked: which classes, and how.

    Returns:
        An iterator over the explanations, in order.

    Raises:
        ConfigError: the run has not the classes that are asked for.
        ModelError: the method is not for this network.
        MissingExtraError: the method needs captum, which is not installed.

    Example:
        for explanation in explain_pictures(predictor, named_pictures(["holiday.jpg"]), Asked(top=2)):
            print(explanation.as_json())
    """
    for name in asked.classes:
        if name not in predictor.classes:
            raise ConfigError("a class of the run", found=repr(name), fix=close_matches(name, predictor.classes))
    if asked.method == "attention-rollout" and not attention_layers(predictor.model):
        raise ConfigError(
            "a transformer for --method attention-rollout", found=predictor.run.chosen.model,
            fix="Leave --method out, or use another.",
        )  # fmt: skip
    return _explained(predictor, pictures, asked, network_for(predictor, METHODS[asked.method]))


def _explained(
    predictor: Predictor, pictures: Iterable[tuple[str, Callable[[], Held]]], asked: Asked, model: Classifier
) -> Iterator[Explanation]:
    shown: dict[int, Image.Image] = {}  # by the picture's place; decoded beside its square, ahead of its turn
    squares: list[Square] = []  # of those that can be read, before their predictions
    waiting: list[tuple[int, Prediction]] = []

    def beside(place: int, name: str, fetch: Callable[[], Held]) -> Callable[[], Held]:
        def fetched() -> Held:
            picture = fetch()
            try:
                image = decode(picture, name=name, decoding=predictor.geometry.decoding, least_side=SIDE)
                image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0)
                shown[place] = image
            except PictureError:
                pass  # which the prediction tells
            return picture

        return fetched

    named = ((name, beside(place, name, fetch)) for place, (name, fetch) in enumerate(pictures))
    for place, prediction in enumerate(predictor.judge(named, look=squares.append)):
        waiting.append((place, prediction))
        if len(waiting) == (1 if METHODS[asked.method].slow else BATCH):
            yield from _with_heat(predictor, model, asked, waiting, squares, shown)
            waiting.clear()
    yield from _with_heat(predictor, model, asked, waiting, squares, shown)


def _with_heat(
    predictor: Predictor, model: Classifier, asked: Asked, waiting: list[tuple[int, Prediction]],
    squares: list[Square], shown: dict[int, Image.Image],
) -> Iterator[Explanation]:  # fmt: skip
    """The explanations of some predictions; takes their squares and pictures away."""
    read = [prediction for _, prediction in waiting if prediction.probabilities is not None]
    own, squares[: len(read)] = squares[: len(read)], []
    wanted = [_classes(prediction, asked) for prediction in read]
    maps: Iterator[np.ndarray] = iter(())
    if read:
        maps = iter(
            heat_maps(
                predictor, model, METHODS[asked.method],
                squares=np.stack([square.pixels for square in own]),
                aspects=np.array([square.aspect for square in own], dtype=np.float32),
                labels=np.array([[predictor.classes.index(name) for name in names] for names in wanted]),
            )
        )  # fmt: skip
    names, sizes = iter(wanted), iter(own)
    for place, prediction in waiting:
        if prediction.probabilities is None:
            yield Explanation(prediction, asked.method, None, ())
            continue
        square = next(sizes)
        frame = frame_of(square.aspect, view=predictor.geometry.view)
        heats = tuple(
            Heat(name, _probability(prediction, name), values, frame, square.aspect)
            for name, values in zip(next(names), next(maps), strict=True)
        )
        yield Explanation(prediction, asked.method, shown.pop(place, None), heats)


def _classes(prediction: Prediction, asked: Asked) -> tuple[str, ...]:
    return asked.classes or tuple(name for name, _ in prediction.top(min(asked.top, len(prediction.classes))))


def _probability(prediction: Prediction, name: str) -> float:
    assert prediction.probabilities is not None
    return float(prediction.probabilities[prediction.classes.index(name)])
