"""A training beside other programs: which steps how many threads compute, and that this is kept.

Weights are a function of the seed, the pictures and these numbers: another number of threads adds up in another order.
So each change goes into the state before the step that it begins with, and into the run folder.
"""

from __future__ import annotations

from ..runs.names import THREADS
from ..system.progress import say
from .checkpoint import Counters
from .job import Job
from .session import Session, save_session


def begin_threads(job: Job, session: Session) -> None:
    """Compute with the number of threads that a resumed state had, and keep the number that the first step has."""
    counters, watch = session.counters, job.plan.watch
    if counters.threads:
        watch.begin(counters.threads[-1][1])
    counters.note_threads(watch.look())
    _tell_threads(job, counters)


def keep_threads(job: Job, session: Session) -> None:
    """Look whether threads are to be given up or taken back, and keep a change before the step that it begins with.

    With the state, so that one that is resumed goes on with the number that the steps after it had.
    """
    counters = session.counters
    if counters.note_threads(job.plan.watch.look()):
        save_session(job, session)
        if len(counters.threads) == 2:
            _tell_threads(job, counters)
        else:
            job.run.write_threads(counters.threads)


def _tell_threads(job: Job, counters: Counters) -> None:
    """Say once where not all steps have the plan's number of threads, and write which have."""
    most = job.plan.threads
    if any(threads != most for _, threads in counters.threads):
        job.run.write_threads(counters.threads)
        say(
            f"note      not all steps are computed by {most} threads ({THREADS} lists them), so weights may differ in "
            f"rounding from a run where they are; --threads {most} keeps the number"
        )
