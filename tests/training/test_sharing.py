"""sharing.py: a training whose threads change keeps which steps had how many, and goes on with them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pictaxa.cli.main import main
from pictaxa.runs.folder import Run
from pictaxa.system import device, threads
from pictaxa.system.threads import ThreadWatch
from pictaxa.system.usage import Usage
from pictaxa.training import loop, sharing
from pictaxa.training.checkpoint import Counters
from pictaxa.training.sharing import begin_threads, keep_threads

Make = Callable[..., Path]
FLAGS = ("--epochs", "3", "--checkpoint-seconds", "1000")
NOTE = "note      not all steps are computed by 2 threads"


@pytest.fixture
def neighbour(monkeypatch: pytest.MonkeyPatch) -> Callable[[range], list[int]]:
    """On two cores, a program that keeps one of them busy at these looks; what comes back is each step's threads."""
    monkeypatch.setattr(device, "usable_cores", lambda: 2)
    monkeypatch.setattr(threads, "LOOK_SECONDS", 0.0)
    steps: list[int] = []

    def step(*arguments: Any, take: Callable[..., Any] = loop.take_step, **named: Any) -> Any:
        steps.append(torch.get_num_threads())
        return take(*arguments, **named)

    monkeypatch.setattr(loop, "take_step", step)

    def come(busy: range) -> list[int]:
        counts = {"looks": 0, "busy": 0.0}

        def read() -> Usage:
            counts["looks"] += 1
            counts["busy"] += counts["looks"] in busy
            return Usage(float(counts["looks"]), busy=counts["busy"], own=0.0)

        monkeypatch.setattr(threads, "read_usage", read)
        return steps

    return come


def kept(run: Path) -> list[list[int]]:
    """[step, threads] of threads.json."""
    return [[entry["step"], entry["threads"]] for entry in json.loads((run / "threads.json").read_text())]


def per_step(changes: list[list[int]], steps: int) -> list[int]:
    """The threads of each step, from the changes alone."""
    return [next(number for first, number in reversed(changes) if first <= step) for step in range(steps)]


def test_what_is_kept_are_the_threads_of_every_step(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], neighbour: Callable[[range], list[int]],
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """A neighbour comes and leaves: the number follows, threads.json says when, two lines and one note are said."""
    data, run = make_photos(tmp_path / "photos", {"a": 20, "b": 20}), tmp_path / "run"
    steps = neighbour(range(5, 9))
    assert main(["train", str(data), *tiny, *FLAGS, "--out", str(run)]) == 0
    said = capsys.readouterr().out
    assert {1, 2} == set(steps) and steps[0] == steps[-1] == 2
    assert per_step(kept(run), len(steps)) == steps and len(kept(run)) == 3
    assert said.count("threads   1 of 2") == said.count("threads   2 of 2") == said.count(NOTE) == 1
    assert "--threads 2 keeps the number" in said


def test_a_training_that_was_never_disturbed_says_nothing(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], neighbour: Callable[[range], list[int]],
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """No line, no file; nor where the number is fixed beside a neighbour."""
    data = make_photos(tmp_path / "photos", {"a": 10, "b": 10})
    for busy, fixed in ((range(0), ()), (range(1, 999), ("--threads", "2"))):
        steps, run = neighbour(busy), tmp_path / f"run-{len(fixed)}"
        assert main(["train", str(data), *tiny, *FLAGS, *fixed, "--out", str(run)]) == 0
        said = capsys.readouterr().out
        assert set(steps) == {2} and not (run / "threads.json").exists()
        assert NOTE not in said and "threads   " not in said


def test_a_training_beside_a_neighbour_resumes_with_its_threads(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], neighbour: Callable[[range], list[int]],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """Stopped after a thread was given up, resumed beside the same neighbour: bitwise the unbroken run, and a note."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    words = ["train", str(data), *tiny, *FLAGS]
    steps = neighbour(range(5, 9999))
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    whole = steps.copy()
    steps.clear()
    neighbour(range(5, 9999))
    count = loop.count_step

    def stop(counters: Counters, *arguments: Any, **named: Any) -> None:
        count(counters, *arguments, **named)
        if counters.step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "count_step", stop)
    assert main([*words, "--out", str(tmp_path / "cut")]) == 130
    monkeypatch.setattr(loop, "count_step", count)
    neighbour(range(1, 9999))
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "cut")]) == 0
    assert NOTE in capsys.readouterr().out
    assert steps == whole and set(whole) == {1, 2} and kept(tmp_path / "cut") == kept(tmp_path / "whole")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(one[name].equal(value) for name, value in other.items())


def a_training(tmp_path: Path, counters: Counters, *, most: int = 2) -> tuple[Any, Any]:
    """As much of a Job and a Session as is read, with a watch that sees no neighbours."""
    watch = ThreadWatch(most, watched=True, read=lambda: Usage(0.0, busy=0.0, own=0.0), clock=lambda: 0.0)
    watch.begin()
    return SimpleNamespace(plan=SimpleNamespace(threads=most, watch=watch), run=Run(tmp_path)), SimpleNamespace(
        counters=counters
    )


def test_a_state_from_before_this_was_kept_begins_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """States of earlier versions lack the numbers: from the step that is next on they are kept, and nothing is said."""
    job, session = a_training(tmp_path, Counters(step=5))
    begin_threads(job, session)
    assert session.counters.threads == [[5, 2]] and not capsys.readouterr().out


def test_a_state_goes_on_with_the_threads_that_it_had_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Not with the plan's, nor with those that it had before; that steps differ is said, and written."""
    job, session = a_training(tmp_path, Counters(step=5, threads=[[0, 2], [3, 1]]))
    begin_threads(job, session)
    assert session.counters.threads == kept(tmp_path) == [[0, 2], [3, 1]]
    assert capsys.readouterr().out.count(NOTE) == 1


def test_a_change_before_any_step_is_none():
    """Two numbers at one step: the one that the step had counts; equal ones are one entry."""
    counters = Counters()
    assert counters.note_threads(2) and not counters.note_threads(2)
    assert counters.note_threads(1) and counters.threads == [[0, 1]]
    counters.step = 4
    assert not counters.note_threads(1) and counters.note_threads(2)
    assert counters.threads == [[0, 1], [4, 2]]


def test_a_change_is_saved_before_the_step_that_it_begins_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Once for each change, with the change in the state; each is written, and only the first is said."""
    saved: list[list[list[int]]] = []
    monkeypatch.setattr(sharing, "save_session", lambda _, session: saved.append([*session.counters.threads]))
    job, session = a_training(tmp_path, Counters(threads=[[0, 2]]))
    keep_threads(job, session)
    assert not saved
    session.counters.step = 3
    job.plan.watch.begin(1)
    keep_threads(job, session)
    keep_threads(job, session)
    assert saved == [[[0, 2], [3, 1]]] and kept(tmp_path) == saved[-1]
    assert capsys.readouterr().out.count(NOTE) == 1
    session.counters.step = 6
    job.plan.watch.begin(2)
    keep_threads(job, session)
    assert saved[1:] == [[[0, 2], [3, 1], [6, 2]]] and kept(tmp_path) == saved[-1]
    assert NOTE not in capsys.readouterr().out
