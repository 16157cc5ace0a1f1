"""How many threads compute: all of them, and fewer while other programs keep cores busy.

A layer is computed by all threads together, and ends when the last one has done its part. With as many threads as cores
and another program on one of them, that is the thread which waits for its turn on the shared core, and all others wait
for it, layer after layer: a training of two threads beside one busy program is slower than with one thread
(docs/measured/training.md). So a watch looks now and then at what others use, which the system tells even while
this process leaves a core to them: nothing has to be tried to notice that they have left.

Sums are added up in another order by another number of threads, so results may differ in rounding. Who must have the
same bits fixes the number (`--threads`); then nothing is watched.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable

import torch

from .progress import say
from .usage import Usage, read_usage

LOOK_SECONDS = 0.4  # between two looks: Linux counts in hundredths of a second, so a share is right to 0.05
FIRST_SECONDS = 0.2  # before the first, which may come before the first step
# Cores that others use at which a thread more is given up. Two threads do 1.5 times the work of one, so they lose when
# the slower one is kept from a third of its core; between the two bounds the number stays.
GIVE_UP, TAKE_BACK = 0.4, 0.25
# So long others must have been there before a thread is given up: a mail that is fetched changes nothing. A neighbour
# that is there from the start is noticed at the first look.
CROWDED_SECONDS = 1.0
CALM_SECONDS = 1.0  # that others must have been calm before a thread is taken back
MAX_CALM_SECONDS = 16.0  # at most, where they came back again and again
RELAPSE_SECONDS = 5.0  # others that came back so soon had not left
LINES, LINE_SECONDS = 8, 60.0  # changes that are all told; afterwards one in so many seconds


class ThreadWatch:
    """Sets torch's number of threads by what other programs leave.

    Niced programs take what is left, so that they use a core as soon as a thread is given up; whether they would leave
    it again is seen only by taking it back. Most do; not those of another session or control group, for which Linux
    shares the processor between the groups first. So they count while all threads compute, and not before that.

    Args:
        most: threads that compute when nothing else runs.
        watched: False: the number stays.
        read: gives the counts of now, or None where there are none; then the number stays too. By default the system's.
        clock: of read, in seconds.
        draw: numbers from 0 to 1. They decide when threads are taken back and nothing else: two trainings side by side
            that took their threads back at the same moment would both give them up again, and so on.

    Example:
        watch = ThreadWatch(most=2, watched=True)
        with watch:
            for batch in batches:
                watch.look()
                model(batch)
    """

    def __init__(
        self,
        most: int,
        *,
        watched: bool,
        read: Callable[[], Usage | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] | None = None,
    ) -> None:
        self.most = most
        self.threads = most
        self._read, self._clock = read or read_usage, clock
        self._draw = draw or random.Random(os.getpid()).random
        self._before = self._read() if watched and most > 1 else None
        self._crowded, self._calm = CROWDED_SECONDS, 0.0  # seconds for which others have been there, or calm
        self._due = FIRST_SECONDS
        self._base = self._wanted_calm = CALM_SECONDS
        self._taken_back = -math.inf
        self._told, self._last_told = 0, -math.inf

    def begin(self, threads: int | None = None) -> None:
        """Compute with so many threads from now on, by default with all; what is watched may change it again."""
        self.threads = self.most if threads is None or self._before is None else min(max(threads, 1), self.most)
        torch.set_num_threads(self.threads)

    def __enter__(self) -> ThreadWatch:
        return self

    def __exit__(self, *_: object) -> None:
        """What comes after the work has all threads again, unless somebody else has set their number."""
        if torch.get_num_threads() == self.threads:
            self.begin()

    def look(self) -> int:
        """Change the number of threads where others came or left; cheap enough for every step.

        It belongs into the thread that computes, between two steps. A number that somebody else has set stays.

        Returns:
            How many threads compute now.
        """
        current = torch.get_num_threads()
        before = self._before
        if before is None or current != self.threads or self._clock() - before.clock < self._due:
            return current
        now = self._read()
        if now is None:
            return current
        others, firm = now.others_since(before), now.others_since(before, niced=False)
        needed = self._left_by((firm if self._due == FIRST_SECONDS else others) - GIVE_UP)
        free = self._left_by(firm - TAKE_BACK)
        passed = now.clock - before.clock
        self._before, self._due = now, LOOK_SECONDS
        self._crowded = self._crowded + passed if needed < current else 0.0
        self._calm = self._calm + passed if free > current else 0.0
        if self._crowded >= CROWDED_SECONDS:
            self._give_up(needed, others=others, clock=now.clock)
        elif self._calm >= self._wanted_calm:
            self._take_back(free, others=others, clock=now.clock)
        return self.threads

    def _left_by(self, cores: float) -> int:
        """Threads that are left where others have so many cores, and 1 at the least."""
        return max(1, self.most - max(0, math.ceil(cores)))

    def _give_up(self, threads: int, *, others: float, clock: float) -> None:
        relapsed = clock - self._taken_back < RELAPSE_SECONDS
        self._base = min(2 * self._base, MAX_CALM_SECONDS) if relapsed else CALM_SECONDS
        self._wanted_calm = self._base * (1 + self._draw())
        self._set(threads, others=others, clock=clock)

    def _take_back(self, threads: int, *, others: float, clock: float) -> None:
        self._taken_back = clock
        self._set(threads, others=others, clock=clock)

    def _set(self, threads: int, *, others: float, clock: float) -> None:
        self._crowded = self._calm = 0.0
        self.begin(threads)
        if self._told >= LINES and clock - self._last_told < LINE_SECONDS:
            return
        self._told, self._last_told = self._told + 1, clock
        why = f"other programs keep {others:.1f} cores busy" if threads < self.most else "other programs have left"
        say(f"threads   {threads} of {self.most} compute: {why}")
