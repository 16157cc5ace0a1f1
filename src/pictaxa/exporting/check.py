"""Whether an exported network answers as its run does, by what it says once its own runtime has opened it."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from ..config.exporting import Output, Precision
from ..errors import RunError
from ..inference.exported import BATCH, Answers
from ..metrics import cooled, softmax
from ..runs.exported import FARTHEST
from .sample import Sample

ROUNDS = 5  # of a measured speed; the two sides alternate


@dataclass(frozen=True)
class Comparison:
    """Answers before and after, of the same pictures."""

    before: np.ndarray  # (n, classes) float32 probabilities
    after: np.ndarray
    labels: np.ndarray  # (n,) int64; -1 where nobody knows

    @property
    def largest_difference(self) -> float:
        """Of any probability."""
        return float(np.abs(self.before - self.after).max())

    @property
    def agreement(self) -> float:
        """The share of pictures with the same most probable class."""
        return float((self.before.argmax(axis=1) == self.after.argmax(axis=1)).mean())

    @property
    def right(self) -> tuple[np.ndarray, np.ndarray]:
        """Which labelled pictures are right, before and after: (m,) bool each."""
        known = self.labels >= 0
        truth = self.labels[known]
        return self.before[known].argmax(axis=1) == truth, self.after[known].argmax(axis=1) == truth

    @property
    def p_value(self) -> float:
        """McNemar's exact test of the two being equally often right; 1 where no picture tells."""
        before, after = self.right
        lost, won = int((before & ~after).sum()), int((after & ~before).sum())
        return float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0

    def worse_classes(self, classes: tuple[str, ...]) -> dict[str, float]:
        """The share of its pictures that each class loses, of those that lose any, the most first."""
        before, after = self.right
        truth = self.labels[self.labels >= 0]
        shares = {
            name: float(before[truth == label].mean() - after[truth == label].mean())
            for label, name in enumerate(classes)
            if (truth == label).any()
        }
        return {name: share for name, share in sorted(shares.items(), key=lambda item: -item[1]) if share > 0}


def compare(after: Answers, sample: Sample, logits: np.ndarray, *, temperature: float, output: Output) -> Comparison:
    """Ask an exported network what its run was asked.

    Args:
        after: of the exported network, as its own runtime opened it.
        sample: the pictures.
        logits: (n, classes) float32, what the run says of them.
        temperature: of the run's probabilities.
        output: what the network gives.

    Returns:
        A Comparison of calibrated probabilities.
    """
    said, _ = after(sample.squares, sample.aspects)
    probabilities = cooled(softmax(said), temperature) if output == "logits" else said
    return Comparison(before=cooled(softmax(logits), temperature), after=probabilities, labels=sample.labels)


def require_equal(comparison: Comparison, *, precision: Precision, allow_loss: float, where: str) -> None:
    """Refuse a network whose answers are not the run's.

    Args:
        comparison: with the run.
        precision: of the network.
        allow_loss: how much of the accuracy may be lost, from 0 to 1.
        where: the format, in words.

    Raises:
        RunError: probabilities differ by more than the precision explains, or more pictures are wrong than allowed.
    """
    most, found = FARTHEST[precision], comparison.largest_difference
    if not np.isfinite(comparison.after).all() or found > most:
        told = f"{found:.3g}" if math.isfinite(found) else "NaN or infinity"
        raise RunError(
            f"probabilities within {most:g} of the run's", found=f"a difference of {told} in {where}",
            fix="Nothing is written. Use another --format or --quantize; see docs/export.md.",
        )  # fmt: skip
    before, after = comparison.right
    if len(before) and before.mean() - after.mean() > allow_loss + 1e-9:
        raise RunError(
            f"an accuracy of at most {100 * allow_loss:g} points less than the run's (--allow-loss)",
            found=f"{before.mean():.1%} before and {after.mean():.1%} after, of {len(before)} pictures",
            fix="Nothing is written. Allow more, or export without --quantize.",
        )


def speeds(before: Answers, after: Answers, sample: Sample) -> tuple[float, float]:
    """Pictures per second of a run and of its export, the medians of rounds in which the two alternate.

    Args:
        before: what `pictaxa predict` computes of squares and aspects.
        after: what the export does.
        sample: the squares, one or more.

    Returns:
        (before, after).
    """
    squares, aspects = sample.squares[:BATCH], sample.aspects[:BATCH]
    rates: tuple[list[float], list[float]] = ([], [])
    for round_ in range(ROUNDS + 1):
        for answers, rate in zip((before, after), rates, strict=True):
            begin = time.perf_counter()
            answers(squares, aspects)
            if round_:  # the first warms up
                rate.append(len(squares) / (time.perf_counter() - begin))
    return statistics.median(rates[0]), statistics.median(rates[1])
