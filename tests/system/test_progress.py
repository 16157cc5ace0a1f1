from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pictaxa.cli.main import main
from pictaxa.system.progress import LOG, CountProgress, TrainProgress, clock, say, silence, warn

Make = Callable[..., Path]


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelname, record.getMessage()))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """A handler of the logger `pictaxa`, taken away again."""
    handler = Kept()
    LOG.addHandler(handler)
    yield handler
    LOG.removeHandler(handler)


def test_lines_are_printed_where_nobody_takes_them(capsys: pytest.CaptureFixture[str]):
    """What is said on standard output, warnings on standard error."""
    say("a line with 100%")
    warn("a warning")
    said = capsys.readouterr()
    assert said.out == "a line with 100%\n" and said.err == "a warning\n"


def test_a_handler_takes_all_of_it(kept: Kept, capsys: pytest.CaptureFixture[str]):
    """As records of logging, whatever the root logger's level is; nothing is printed."""
    say("a line with 100%")
    warn("a warning")
    with CountProgress("count", total=2) as progress:
        progress.count(2)
        progress.finished()
    assert kept.lines[:2] == [("INFO", "a line with 100%"), ("WARNING", "a warning")]
    assert kept.lines[2][1].startswith("count     2 pictures in")
    assert capsys.readouterr() == ("", "")


def test_a_handlers_own_level_counts():
    """One for warnings takes no more than these."""
    handler = Kept(logging.WARNING)
    LOG.addHandler(handler)
    say("a line")
    warn("a warning")
    LOG.removeHandler(handler)
    assert handler.lines == [("WARNING", "a warning")]


def test_silence_ends(capsys: pytest.CaptureFixture[str]):
    """Nothing is said within, even where it ends with an error."""
    with pytest.raises(ValueError, match="x"), silence():
        say("within")
        raise ValueError("x")
    say("after")
    assert capsys.readouterr().out == "after\n"


def test_a_quiet_command_prints_its_result_alone(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """--quiet wherever it stands: a training says nothing but where it went, a mistake is still told."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8})
    run = tmp_path / "run"
    assert main(["train", str(data), *tiny, "--quiet", "--epochs", "1", "--out", str(run)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("next ") and len(said.out.splitlines()) == 2 and said.err == ""
    assert main(["--quiet", "evaluate", str(run)]) == 0
    assert capsys.readouterr().out.startswith("evaluated ")
    assert main(["evaluate", str(tmp_path / "none"), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_epochs_line(capsys: pytest.CaptureFixture[str]):
    """Loss, accuracy, learning rate, speed and time, training and validation; within 100 columns though all is long."""
    row = {
        "epoch": 12, "train_loss": 0.5124, "val_loss": 0.4117, "train_accuracy": 0.823, "val_accuracy": 0.881,
        "lr": 0.00098, "pictures_per_second": 312.4, "seconds": 83.0,
    }  # fmt: skip
    longest = {
        "epoch": 1000, "train_loss": 12.3456, "val_loss": 23.4567, "train_accuracy": 1.0, "val_accuracy": 1.0,
        "lr": 9.81e-05, "pictures_per_second": 12345.0, "seconds": 7384.0,
    }  # fmt: skip
    with TrainProgress() as display:
        display.epoch(row, best=True)
        display.epoch(longest, best=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "epoch  12  loss 0.512  val 0.412  accuracy 82.3%  val 88.1%  lr 0.00098  312/s  1:23  best"
    assert len(second) <= 100


def test_clock():
    """Minutes and seconds, hours where there are any."""
    assert [clock(seconds) for seconds in (-1, 0.4, 59.6, 61, 3661)] == ["0:00", "0:00", "1:00", "1:01", "1:01:01"]
