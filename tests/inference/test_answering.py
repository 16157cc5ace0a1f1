from __future__ import annotations

import numpy as np
import pytest

from pictaxa.inference.answering import RAW, Answering
from pictaxa.metrics import softmax

CLASSES = ("cat", "dog", "cow")
LOGITS = np.array([1.0, 2.0, 0.0], dtype=np.float32)


def test_the_models_own_probabilities():
    """Nothing is asked for: every picture has an answer and no set."""
    said = RAW.answer("a.jpg", CLASSES, LOGITS)
    assert said.probabilities == pytest.approx(softmax(LOGITS[None])[0])
    assert (said.label, said.answer, said.abstained, said.possible) == ("dog", "dog", None, None)
    assert not RAW.abstains and not RAW.has_sets


def test_a_temperature_divides_the_logits():
    """The logits stay the model's own."""
    said = Answering(temperature=2.0).answer("a.jpg", CLASSES, LOGITS)
    assert said.probabilities == pytest.approx(softmax(LOGITS[None] / 2)[0]) and said.logits is LOGITS


@pytest.mark.parametrize(("threshold", "answer"), [(0.66, "dog"), (0.67, "unsure")])
def test_an_answer_needs_its_probability(threshold: float, answer: str):
    """The probability of the dog is 0.665; its label is said in any case."""
    said = Answering(threshold=threshold).answer("a.jpg", CLASSES, LOGITS)
    assert (said.answer, said.label, said.abstained) == (answer, "dog", answer == "unsure")
    assert ("unsure" in repr(said)) == said.abstained


def test_a_set_has_the_classes_that_are_probable_enough():
    """The most probable first; by one number for all classes or one of each; perhaps none, perhaps all."""
    sets = {
        least: Answering(least=least).answer("a.jpg", CLASSES, LOGITS).possible for least in ((0.2,), (0.9,), (0.0,))
    }
    assert sets == {(0.2,): ("dog", "cat"), (0.9,): (), (0.0,): ("dog", "cat", "cow")}
    assert Answering(least=(0.5, 0.5, 0.05)).answer("a.jpg", CLASSES, LOGITS).possible == ("dog", "cow")
