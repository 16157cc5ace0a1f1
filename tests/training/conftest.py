"""What the tests of training share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pictaxa.training.logistic import HeadProblem


@pytest.fixture(scope="session")
def clouds() -> Callable[..., HeadProblem]:
    """Makes vectors of some classes to tell apart."""

    def make(
        counts: Sequence[int], *, width: int = 10, spread: float = 1.0, seed: int = 0, views: int = 1
    ) -> HeadProblem:
        """Vectors of some classes, a cloud each as wide as `spread`, at scales that differ from number to number."""
        random = np.random.default_rng(seed)
        labels = np.repeat(np.arange(len(counts)), counts)
        centres = random.normal(size=(len(counts), width))
        scale, shift = np.linspace(0.7, 2, width), random.normal(size=width)
        vectors = [
            ((centres[labels] + spread * random.normal(size=(len(labels), width))) * scale + shift).astype(np.float32)
            for _ in range(views)
        ]
        return HeadProblem(vectors, labels, len(counts), np.arange(len(labels)))

    return make
