"""Timing sides that take turns, so that a burst of neighbours hits all of them."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds_in_turn(sides: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Each side's seconds, round by round, after one call of each that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, run in sides.items():
            before = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - before)
    return seconds
