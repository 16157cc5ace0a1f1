from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pictaxa.system.pool import results_ahead


def test_results_come_in_order():
    """However long each takes, results stand in the order of the items."""

    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(results_ahead(work, range(40), threads=4, ahead=8)) == [number * number for number in range(40)]


def test_no_more_is_computed_than_may_wait():
    """While nobody takes results, at most `ahead` items are taken."""
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = results_ahead(lambda number: number, items(), threads=2, ahead=5)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(taken) == 5


def test_what_fails_is_raised_in_its_turn():
    """Results before the item that failed are given first."""

    def work(number: int) -> float:
        return 1 / (3 - number)

    results = results_ahead(work, range(9), threads=2, ahead=4)
    assert [next(results) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_goes_on_once_nobody_takes_the_rest():
    """Closing the results ends the threads."""
    results = results_ahead(lambda number: number, range(1000), threads=2, ahead=4, name="closing")
    next(results)
    results.close()
    assert not any(thread.name.startswith("closing") for thread in threading.enumerate())
