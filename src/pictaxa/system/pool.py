"""Work done ahead in threads, with results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def results_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int, name: str = "decode"
) -> Generator[Result, None, None]:
    """Do work in threads, ahead of who takes its results one after the other.

    Args:
        work: what is done with an item; it runs in a thread.
        items: taken as they are needed, however many there are.
        threads: how many work at a time.
        ahead: how many results wait to be taken, at most.
        name: what the threads are called, for whoever looks at a process.

    Returns:
        A generator over the results, in the order of the items. What `work` raises is raised here in its turn; then,
        and when nobody takes the rest, what has not begun is given up.

    Example:
        for square in results_ahead(decode, paths, threads=2, ahead=64): ...
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
