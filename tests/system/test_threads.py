"""threads.py: threads are given up to others and taken back, by injected clock and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from pictaxa.system.threads import LINES, LOOK_SECONDS, ThreadWatch
from pictaxa.system.usage import Usage


class Machine:
    """A clock and counts that a test moves on."""

    def __init__(self) -> None:
        self.now = self.busy = self.own = self.niced = 0.0
        self.reads = 0

    def read(self) -> Usage:
        self.reads += 1
        return Usage(self.now, self.busy, self.own, self.niced)

    def clock(self) -> float:
        return self.now

    def watch(self, most: int = 2, *, draw: float = 0.0, watched: bool = True) -> ThreadWatch:
        watch = ThreadWatch(most, watched=watched, read=self.read, clock=self.clock, draw=lambda: draw)
        watch.begin()
        return watch

    def run(
        self, watch: ThreadWatch, *, others: float, seconds: float, niced: Callable[[int], float] = lambda threads: 0.0
    ) -> list[int]:
        """Steps of 0.1 s beside others that use so many cores, and niced ones by our threads: the threads of each."""
        threads = []
        for _ in range(round(seconds * 10)):
            own = torch.get_num_threads()
            self.now += 0.1
            self.own += 0.1 * own
            self.niced += 0.1 * niced(own)
            self.busy += 0.1 * (own + others + niced(own))
            threads.append(watch.look())
        return threads


@pytest.fixture
def machine() -> Machine:
    """At time 0, with nothing counted."""
    return Machine()


def changes(threads: list[int]) -> list[int]:
    """The numbers without repeats."""
    return [number for place, number in enumerate(threads) if not place or threads[place - 1] != number]


def test_a_busy_neighbour_gets_a_core_and_gives_it_back(machine: Machine, capsys: pytest.CaptureFixture[str]):
    """Within 1.5 s of its coming a thread is given up, within 2 of its leaving taken back; each is a line."""
    watch = machine.watch()
    assert machine.run(watch, others=0.0, seconds=2) == [2] * 20
    assert not capsys.readouterr().out
    beside = machine.run(watch, others=1.0, seconds=5)
    assert beside[15:] == [1] * 35 and torch.get_num_threads() == 1
    assert capsys.readouterr().out == "threads   1 of 2 compute: other programs keep 1.0 cores busy\n"
    alone = machine.run(watch, others=0.0, seconds=5)
    assert alone[:8] == [1] * 8 and alone[20:] == [2] * 30 and torch.get_num_threads() == 2
    assert capsys.readouterr().out == "threads   2 of 2 compute: other programs have left\n"


def test_a_neighbour_from_the_start_is_noticed_at_the_first_look(machine: Machine):
    """A fifth of a second after the watch began, so that a short training has no slow step."""
    assert machine.run(machine.watch(), others=1.0, seconds=0.5) == [2, 1, 1, 1, 1]


def test_a_short_burst_takes_no_thread(machine: Machine, capsys: pytest.CaptureFixture[str]):
    """Half a second of another program now and then: the training stays repeatable, and nothing is said."""
    watch = machine.watch()
    for _ in range(20):
        assert set(machine.run(watch, others=0.0, seconds=2) + machine.run(watch, others=1.0, seconds=0.4)) == {2}
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("most", "others", "threads"),
    [(2, 0.2, 2), (2, 0.35, 2), (2, 0.5, 1), (2, 2.0, 1), (8, 0.9, 7), (8, 1.2, 7), (8, 3.6, 4), (8, 9.0, 1),
     (1, 1.0, 1)],
)  # fmt: skip
def test_as_many_are_given_up_as_others_use(machine: Machine, most: int, others: float, threads: int):
    """A thread for each core that others use more than GIVE_UP of; one always computes."""
    assert machine.run(machine.watch(most), others=others, seconds=3)[-1] == threads


def test_a_niced_program_that_gives_way_takes_no_thread(machine: Machine):
    """It has a core while the training begins, and next to nothing once all threads compute."""
    watch = machine.watch()
    assert set(machine.run(watch, others=0.0, seconds=5, niced=lambda threads: 0.03)) == {2}
    machine.run(watch, others=1.0, seconds=2)
    assert machine.run(watch, others=0.0, seconds=5, niced=lambda threads: 1.0 if threads < 2 else 0.03)[-1] == 2
    start = machine.watch()
    assert set(machine.run(start, others=0.0, seconds=0.3, niced=lambda threads: 1.0)) == {2}


def test_a_niced_program_of_another_group_is_tried_at_a_small_cost(machine: Machine):
    """One that gets its part all the same has a core nearly always: all threads are tried less and less often."""
    threads = machine.run(machine.watch(), others=0.0, seconds=120, niced=lambda threads: 0.7 if threads == 2 else 1.0)
    assert 0 < threads[600:].count(2) < 0.1 * 600


def test_between_the_bounds_the_number_stays(machine: Machine):
    """Others at a third of a core neither take a thread nor give it back."""
    watch = machine.watch()
    assert set(machine.run(watch, others=0.33, seconds=5)) == {2}
    machine.run(watch, others=1.0, seconds=2)
    assert set(machine.run(watch, others=0.33, seconds=5)) == {1}


def test_a_neighbour_that_comes_again_and_again_is_waited_for_longer(machine: Machine):
    """With two seconds of work and two of rest, the threads change ever less often; who stays away ends that."""
    watch = machine.watch()
    numbers = [n for _ in range(10) for others in (1.0, 0.0) for n in machine.run(watch, others=others, seconds=2)]
    assert len(changes(numbers[:120])) > len(changes(numbers[280:])) == 1
    assert machine.run(watch, others=0.0, seconds=20)[-1] == 2
    machine.run(watch, others=1.0, seconds=2)
    assert machine.run(watch, others=0.0, seconds=2)[-1] == 2


@pytest.mark.parametrize("cores", [2, 4, 6])
def test_trainings_side_by_side_come_to_rest(cores: int):
    """Two and three that watch each other share the cores, and after ten seconds none changes any more."""
    for count in (2, 3):
        machines = [Machine() for _ in range(count)]
        watches = [machine.watch(cores, draw=(number + 0.5) / count) for number, machine in enumerate(machines)]
        history = []
        for _ in range(600):
            threads = [watch.threads for watch in watches]
            crowded = max(1.0, sum(threads) / cores)  # each gets its part
            for machine, own in zip(machines, threads, strict=True):
                machine.now += 0.1
                machine.own += 0.1 * own / crowded
                machine.busy += 0.1 * sum(threads) / crowded
            for watch in watches:
                torch.set_num_threads(watch.threads)
                watch.look()
            history.append([watch.threads for watch in watches])
        assert all(threads == history[-1] for threads in history[300:]), history[300:]
        assert sum(history[-1]) == max(cores, count)


def test_a_fixed_number_is_not_watched(machine: Machine):
    """Nothing is read, however busy others are."""
    watch = machine.watch(watched=False)
    assert set(machine.run(watch, others=2.0, seconds=3)) == {2} and machine.reads == 0
    watch.begin(1)
    assert torch.get_num_threads() == 2


def test_without_counts_the_number_stays():
    """A system that tells nothing keeps all threads."""
    watch = ThreadWatch(2, watched=True, read=lambda: None, clock=lambda: 0.0)
    watch.begin()
    assert watch.look() == 2


def test_counts_that_fail_later_keep_the_number(machine: Machine):
    """One look without an answer changes nothing; the next one looks again."""
    answers: Iterator[Callable[[], Usage | None]] = iter([machine.read, lambda: None, machine.read])
    watch = ThreadWatch(2, watched=True, read=lambda: next(answers)(), clock=machine.clock)
    watch.begin()
    machine.now = machine.busy = 1.0
    assert watch.look() == 2
    assert watch.look() == 1


def test_a_number_that_somebody_else_set_stays(machine: Machine):
    """Torch's threads belong to whoever sets them last, also after the work."""
    watch = machine.watch(4)
    torch.set_num_threads(3)
    with watch:
        assert set(machine.run(watch, others=3.0, seconds=2)) == {3}
    assert torch.get_num_threads() == 3


def test_after_the_work_all_threads_are_there_again(machine: Machine):
    """What comes next begins with all of them."""
    with machine.watch() as watch:
        assert machine.run(watch, others=1.0, seconds=2)[-1] == 1
    assert torch.get_num_threads() == watch.threads == 2


def test_looking_is_cheap(machine: Machine):
    """The counts are read once in LOOK_SECONDS, however short the steps are."""
    watch = machine.watch()
    for _ in range(1000):
        machine.now += LOOK_SECONDS / 500
        watch.look()
    assert machine.reads <= 1 + 2


def test_a_restless_machine_does_not_fill_the_log(machine: Machine, capsys: pytest.CaptureFixture[str]):
    """The first changes are told, later ones once a minute."""
    watch = machine.watch()
    for _ in range(60):
        machine.run(watch, others=1.0, seconds=1)
        machine.run(watch, others=0.0, seconds=20)
    assert LINES < capsys.readouterr().out.count("\n") <= LINES + 22
