"""How a run's logits become an answer: at which temperature, when none is given, and which classes are possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..metrics import softmax
from .none_of_these import Likeness
from .prediction import Prediction


@dataclass(frozen=True)
class Answering:
    """What predictions are made by, beside the model; judge/asked.py makes it of what a run's judgement says.

    Args:
        temperature: probabilities are softmax(logits / temperature); 1 leaves them as the model has them.
        threshold: the least probability of an answer, from 0 to 1; a picture with less has none. None: every picture
            has one.
        least: the probability with which a class is in a picture's set, (1,) for all classes or (classes,) of each.
            None: there are no sets.
        likeness: how like the training pictures a picture must be for one of the classes; None: that is not asked.
        told: what these rules come to, in lines for people.

    Example:
        surely = Answering(temperature=1.4, threshold=0.8)
        surely.answer("a.jpg", ("cat", "dog"), np.array([0.2, 0.1], dtype=np.float32)).answer  # "unsure"
    """

    temperature: float = 1.0
    threshold: float | None = None
    least: tuple[float, ...] | None = None
    likeness: Likeness | None = None
    told: tuple[str, ...] = ()

    @property
    def abstains(self) -> bool:
        """Whether a picture may have another answer than its label."""
        return self.threshold is not None or self.likeness is not None

    @property
    def has_sets(self) -> bool:
        """Whether each picture has a set of classes."""
        return self.least is not None

    def closeness(self, raw: np.ndarray) -> list[float | None]:
        """Of (n, width) vectors as the network gives them, how close each comes to a training picture, if asked."""
        return [None] * len(raw) if self.likeness is None else self.likeness.closeness(raw).tolist()

    def answer(
        self, path: str, classes: tuple[str, ...], logits: np.ndarray, *, closeness: float | None = None
    ) -> Prediction:
        """Answer for one picture, of (classes,) float32 logits and its closeness."""
        shares = softmax(logits[None] / np.float32(self.temperature))[0]
        possible = None
        if self.least is not None:
            inside = shares >= np.array(self.least, dtype=np.float32)
            order = np.argsort(-shares, kind="stable")
            possible = tuple(classes[label] for label in order if inside[label])
        return Prediction(
            path,
            classes,
            probabilities=shares,
            logits=logits,
            abstained=None if self.threshold is None else bool(shares.max() < self.threshold),
            possible=possible,
            closeness=closeness,
            known=None if closeness is None or self.likeness is None else closeness >= self.likeness.least,
        )


RAW = Answering()
