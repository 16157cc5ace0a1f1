from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pictaxa.cli.main import main
from pictaxa.runs.folder import open_run
from pictaxa.training import loop, session
from pictaxa.training.checkpoint import Counters, save_state
from pictaxa.training.interrupts import interrupt_flag
from pictaxa.training.learner import WholeModel

Make = Callable[..., Path]


def command(data: Path, run: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "pictaxa", "train", str(data), "--out", str(run), *flags]


def kill_at_step(words: list[str], state: Path, *, step: int, number: int) -> subprocess.CompletedProcess[str]:
    """Start a training and send it a signal as soon as its state of `step` is written."""
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 60
    while not any(int(path.stem[5:]) >= step for path in state.glob("step-*.safetensors")):
        assert child.poll() is None and time.monotonic() < deadline, child.communicate()[0]
        time.sleep(0.001)
    child.send_signal(number)
    output, _ = child.communicate(timeout=60)
    return subprocess.CompletedProcess(words, child.returncode, output)


def same_weights(first: Path, second: Path) -> bool:
    ours, theirs = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    return all(ours[name].equal(theirs[name]) for name in ours.keys() | theirs.keys())


def log_without_times(run: Path) -> list[dict[str, str]]:
    timed = {"seconds", "pictures_per_second", "waiting_share"}
    return [{name: value for name, value in row.items() if name not in timed} for row in open_run(run).log_rows()]


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(
            (
                "--model",
                "lenet5",
                "--size",
                "28",
                "--batch-size",
                "8",
                "--sampling",
                "balanced",
                "--augment",
                "trivial_augment=0.5",
                "mixup=0.3",
                "cutmix=0.3",
                "erasing=0.5",
                "noise=0.1",
            ),
            id="lenet5-sgd",
        ),
        pytest.param(
            ("--model", "resnet_lite", "--size", "32", "--batch-size", "8", "--optimizer", "adamw"),
            id="resnet_lite-adamw",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_killed_and_resumed_is_bitwise_the_unbroken_run(tmp_path: Path, make_photos: Make, flags: tuple[str, ...]):
    """SIGKILL at three places, in the middle of epochs too, and the run ends with the same weights and log."""
    data = make_photos(tmp_path / "photos", {"a": 26, "b": 26})
    flags = (*flags, "--epochs", "3", "--checkpoint-seconds", "0", "--threads", "1")  # whatever else the machine does
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(command(data, whole, *flags)[3:]) == 0
    # 42 pictures in 6 batches an epoch: the middle of the first, the end of the first, the middle of the third.
    words = command(data, broken, *flags)
    for step in (2, 6, 15):
        done = kill_at_step(words, broken / "state", step=step, number=signal.SIGKILL)
        assert done.returncode == -signal.SIGKILL
        words = [sys.executable, "-m", "pictaxa", "train", "--resume", str(broken)]
    assert main(["train", "--resume", str(broken)]) == 0
    assert same_weights(whole, broken)
    assert log_without_times(whole) == log_without_times(broken)
    assert (whole / "metrics.json").read_text() == (broken / "metrics.json").read_text()


def test_a_second_ctrl_c_stops_at_once():
    """The first sets the flag, the second raises; afterwards Ctrl-C is what it was before."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupt_flag() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert interrupted.is_set()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]):
    """SIGINT: status 130, a line with the command that goes on, no traceback; and that command finishes the run."""
    data, run = make_photos(tmp_path / "photos", {"a": 40, "b": 40}), tmp_path / "run"
    words = command(data, run, *tiny, "--epochs", "40", "--checkpoint-seconds", "0")
    stopped = kill_at_step(words, run / "state", step=12, number=signal.SIGINT)
    assert stopped.returncode == 130
    assert f"pictaxa train --resume {run}" in stopped.stdout and "Traceback" not in stopped.stdout
    assert main(["train", "--resume", str(run)]) == 0
    assert [int(row["epoch"]) for row in open_run(run).log_rows()] == list(range(1, 41))


def test_a_run_folder_holds_all_that_its_readers_need(trained: tuple[Path, Path]):
    """Every file that the design names is there, and says what was asked and what was chosen."""
    data, path = trained
    run = open_run(path)
    for name in (
        "config.json", "classes.json", "pictures.json", "index.parquet", "log.csv", "model.safetensors",
        "predictions-val.parquet", "metrics.json", "probe.npz",
    ):  # fmt: skip
        assert (path / name).exists(), name
    assert run.config["asked"]["schedule"]["epochs"] == 3 and run.config["asked"]["data"] == str(data)
    machine = run.config["chosen"]["machine"]
    assert machine["device"] == "cpu" and machine["precision"] == "float32" and "as requested" in machine["reason"]
    best = max(float(row["val_accuracy"]) for row in run.log_rows())
    assert run.metrics["accuracy"] == pytest.approx(best, abs=1e-5)
    assert best > 0.9
    assert 1 <= len(list((path / "state").iterdir())) <= 2


def test_the_same_settings_give_the_same_run(trained: tuple[Path, Path], tmp_path: Path):
    """--config RUN/config.json repeats a run bit for bit; YAML says the same; flags beside it win."""
    _, run = trained
    assert main(["train", "--config", str(run / "config.json"), "--out", str(tmp_path / "again")]) == 0
    assert same_weights(run, tmp_path / "again")
    asked = open_run(run).config["asked"]
    yaml = tmp_path / "settings.yaml"
    yaml.write_text(
        f"data: {asked['data']}\nmodel: lenet5\npictures:\n  size: 28\nbatch_size: 8\nprecision: float32\n"
        "policy: light\nepochs: 3\nlr: 0.02\n"
    )
    assert main(["train", "--config", str(yaml), "--out", str(tmp_path / "yaml")]) == 0
    assert same_weights(run, tmp_path / "yaml")
    words = ["--config", str(run / "config.json"), "--epochs", "1", "--out", str(tmp_path / "short")]
    assert main(["train", *words]) == 0
    assert len(open_run(tmp_path / "short").log_rows()) == 1


@pytest.mark.parametrize("minutes", [0.05, 0.1])
def test_minutes_are_kept(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], minutes: float):
    """A training by minutes ends within 2% (of seconds: 0.3 s) and has annealed its rate to nearly zero.

    Other work on the machine may spoil one try, so the best of five counts. Loading torch's compiler, which its
    optimizers want and which counts for a user, takes as long as the shortest of these, so it is done before.
    """
    importlib.import_module("torch._dynamo")
    data = make_photos(tmp_path / "photos", {"a": 40, "b": 40})
    seconds, off = 60 * minutes, []
    for number in range(5):
        run = tmp_path / f"run-{number}"
        started = time.monotonic()
        assert main(["train", str(data), *tiny, "--minutes", str(minutes), "--out", str(run)]) == 0
        off.append(abs(time.monotonic() - started - seconds))
        if off[-1] <= max(0.3, 0.02 * seconds):
            break
    assert min(off) <= max(0.3, 0.02 * seconds), off
    rows = open_run(run).log_rows()
    assert float(rows[-1]["lr"]) < 0.02 * max(float(row["lr"]) for row in rows)
    assert rows[-1]["val_accuracy"]


def test_the_last_epoch_is_validated_whenever_the_time_is_up(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """An epoch after which the time is up, though its validation was not due before that, is judged all the same."""
    data = make_photos(tmp_path / "photos", {"a": 10, "b": 10})
    monkeypatch.setattr(loop, "VALIDATION_SHARE", -1.0)
    monkeypatch.setattr(loop, "progress_of", lambda job, session, length: float(len(session.counters.log) == 2))
    assert main(["train", str(data), *tiny, "--minutes", "1", "--out", str(tmp_path / "run")]) == 0
    assert [bool(row["val_accuracy"]) for row in open_run(tmp_path / "run").log_rows()] == [False, True]


def test_a_loss_that_is_not_finite_stops_with_advice(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """An exploding rate ends in one line with step, rate and what to try, and leaves a finite state behind."""
    data, run = make_photos(tmp_path / "photos", {"a": 12, "b": 12}), tmp_path / "run"
    flags = ("--epochs", "30", "--lr", "1e30", "--clip-grad-norm", "None", "--checkpoint-seconds", "0")
    assert main(["train", str(data), *tiny, *flags, "--out", str(run)]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and "finite" in said and "step" in said and "--lr" in said
    newest = sorted((run / "state").iterdir())[-1]
    model = {name: value for name, value in load_file(newest).items() if name.startswith("model.")}
    assert model and all(value.isfinite().all() for value in model.values())


@pytest.mark.parametrize("epochs", ["1", "3"])
def test_a_rate_that_leaves_no_numbers_to_judge_is_one_line(
    tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], epochs: str
):
    """Cut gradients keep weights finite and far too large: no epoch of NaN is the best; status 2, what to try."""
    data, run = make_photos(tmp_path / "photos", {"a": 12, "b": 12, "c": 12}), tmp_path / "run"
    words = ["--model", "cifar_resnet20", "--size", "32", "--batch-size", "8", "--lr", "1e9", "--epochs", epochs]
    assert main(["train", str(data), *words, "--out", str(run)]) == 2
    said = capsys.readouterr()
    assert "nan" not in said.out and said.err.count("\n") == 1
    assert "NaN or infinity for 6 of 6 validation pictures" in said.err and "Try --lr 0.019," in said.err
    assert not (run / "metrics.json").exists() and not (run / "model.safetensors").exists()
    assert main(["evaluate", str(run)]) == 2


def test_a_solved_head_outlives_a_training_that_ran_away(
    tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]
):
    """From ImageNet's weights with an exploding rate: the error says where the head's weights are; they are finite."""
    data, run = make_photos(tmp_path / "photos", {"a": 12, "b": 12}), tmp_path / "run"
    flags = ("--size", "32", "--epochs", "9", "--lr", "1e30", "--clip-grad-norm", "None", "--weights", "imagenet")
    assert main(["train", str(data), *flags, "--out", str(run)]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and str(run / "model.safetensors") in said
    assert all(value.isfinite().all() for value in load_file(run / "model.safetensors").values())


@contextmanager
def no_file_longer_than(size_bytes: int) -> Iterator[None]:
    """As on a disk that is full, or a FAT one: writing past the limit fails in the middle of a file."""
    resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stops_in_one_line_and_loses_nothing(
    tmp_path: Path,
    make_photos: Make,
    tiny: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Three states are written whole, the fourth is cut off: resuming ends as the unbroken run."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    flags, whole, full = (*tiny, "--epochs", "2", "--checkpoint-seconds", "0"), tmp_path / "whole", tmp_path / "full"
    assert main(["train", str(data), *flags, "--out", str(whole)]) == 0
    capsys.readouterr()
    with ExitStack() as limits, monkeypatch.context() as patched:

        def save_until_full(folder: Path, counters: Counters, **state: Any) -> Path:
            if counters.step == 3:
                limits.enter_context(no_file_longer_than(10_000))
            return save_state(folder, counters, **state)

        patched.setattr(session, "save_state", save_until_full)
        assert main(["train", str(data), *flags, "--out", str(full)]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said and os.strerror(errno.EFBIG) in said and f"pictaxa train --resume {full}" in said
    assert {path.stem for path in (full / "state").iterdir()} == {"step-000000001", "step-000000002"}
    assert main(["train", "--resume", str(full)]) == 0
    assert same_weights(whole, full) and log_without_times(whole) == log_without_times(full)


def test_too_little_memory_is_told_in_one_line(
    tmp_path: Path,
    make_photos: Make,
    tiny: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """A step that asks for more than there can be: how much, and a smaller batch; other errors of torch stay."""
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    monkeypatch.setattr(WholeModel, "outputs", lambda *_: torch.empty(2**55))
    assert main(["train", str(data), *tiny, "--epochs", "1", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said and "--batch-size 4" in said and f"tried to allocate {2**57} bytes" in said
    monkeypatch.setattr(WholeModel, "outputs", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        main(["train", str(data), *tiny, "--epochs", "1", "--out", str(tmp_path / "other")])


def test_resuming_notices_changed_pictures(
    trained: tuple[Path, Path], capsys: pytest.CaptureFixture[str], draw: Callable[..., object]
):
    """A run can't go on with other pictures than it was started with."""
    data, run = trained
    draw(0, 500).save(data / "red" / "0.png")
    assert main(["train", "--resume", str(run)]) == 2
    assert "started with" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ("--class-weights", "balanced"),
        ("--sampling", "balanced"),
        ("--ema-decay", "0"),
        ("--optimizer", "adam"),
        ("--policy", "light", "--augment", "trivial_augment=0.3", "mixup=0.3", "erasing=0.3", "noise=0.05"),
    ],
)
def test_every_way_of_training_learns(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], flags: tuple[str, ...]):
    """Class weights, balanced epochs, no averaging, another optimizer, mixtures: all learn three colours."""
    data = make_photos(tmp_path / "photos", {"a": 30, "b": 10, "c": 8})
    words = ["train", str(data), *tiny, "--epochs", "8", *flags, "--out", str(tmp_path / "run")]
    words += ["--lr", "0.005" if "adam" in flags else "0.03"]
    assert main(words) == 0
    assert open_run(tmp_path / "run").metrics["accuracy"] > 0.85


def test_runs_are_named_after_data_and_model(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """Without --out runs are runs/DATA-MODEL-1, -2, ..."""
    make_photos(tmp_path / "my flowers", {"a": 6, "b": 6})
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "my flowers", *tiny, "--epochs", "1"]) == 0
    assert sorted(os.listdir("runs")) == ["my-flowers-lenet5-1", "my-flowers-lenet5-2"]
    assert json.loads(Path("runs/my-flowers-lenet5-1/classes.json").read_text()) == {"0": "a", "1": "b"}


@pytest.mark.parametrize("keep", ["accuracy", "loss", "last"])
def test_the_epoch_that_is_kept(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], keep: str):
    """The one asked for: its figures are those of metrics.json."""
    data, run = make_photos(tmp_path / "photos", {"a": 20, "b": 20}), tmp_path / "run"
    words = ["--epochs", "5", "--lr", "0.05", "--best-by", keep, "--ema-decay", "0"]
    assert main(["train", str(data), *tiny, *words, "--out", str(run)]) == 0
    rows = [{word: float(row[word]) for word in ("val_accuracy", "val_loss")} for row in open_run(run).log_rows()]
    best = {
        "accuracy": max(rows, key=lambda row: row["val_accuracy"]),
        "loss": min(rows, key=lambda row: row["val_loss"]),
        "last": rows[-1],
    }[keep]
    metrics = open_run(run).metrics
    assert metrics["accuracy"] == pytest.approx(best["val_accuracy"], abs=1e-5)
    if keep != "accuracy":
        assert metrics["log_loss"] == pytest.approx(best["val_loss"], abs=1e-5)


@pytest.mark.parametrize("most", ["4", "100"])
def test_an_epoch_may_be_judged_by_some_pictures(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], most: str, capsys: pytest.CaptureFixture[str]
):
    """--validation-pictures 4: accuracies of the log are fourths, those of the run are of all, and a line says so."""
    data, run = make_photos(tmp_path / "photos", {"a": 35, "b": 35}), tmp_path / "run"
    words = ["--epochs", "2", "--validation-pictures", most, "--lr", "0.01"]
    assert main(["train", str(data), *tiny, *words, "--out", str(run)]) == 0
    trained, said = open_run(run), capsys.readouterr().out
    some = 4 if most == "4" else 14
    assert all((some * float(row["val_accuracy"])).is_integer() for row in trained.log_rows())
    assert trained.metrics["pictures"] == 14
    assert ("evaluated on all 14 validation pictures" in said) == (most == "4")


def test_patience_ends_a_training(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """--patience 2: two epochs after the best one it ends, keeps that one, and a resumed run is at its end too."""
    data, run = make_photos(tmp_path / "photos", {"a": 20, "b": 20}), tmp_path / "run"
    words = ["--epochs", "40", "--lr-schedule", "constant", "--best-by", "loss", "--patience", "2", "--lr", "0.3"]
    assert main(["train", str(data), *tiny, *words, "--warmup", "0", "--ema-decay", "0", "--out", str(run)]) == 0
    assert "no better validation in the last 2" in capsys.readouterr().out
    losses = [float(row["val_loss"]) for row in open_run(run).log_rows()]
    assert len(losses) < 40 and losses.index(min(losses)) == len(losses) - 3
    assert open_run(run).metrics["log_loss"] == pytest.approx(min(losses), abs=1e-5)
    assert main(["train", "--resume", str(run)]) == 0
    assert len(open_run(run).log_rows()) == len(losses)
    assert main(["train", str(data), *tiny, "--patience", "2", "--best-by", "last"]) == 2


def test_steps_decide_the_length(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]):
    """Seven steps, three to an epoch, of pictures that come again: three epochs, the last of one step."""
    data, run = make_photos(tmp_path / "photos", {"a": 10, "b": 10}), tmp_path / "run"
    words = ["--steps", "7", "--steps-per-epoch", "3"]
    assert main(["train", str(data), *tiny, *words, "--out", str(run)]) == 0
    assert [int(row["step"]) for row in open_run(run).log_rows()] == [3, 6, 7]
    assert main(["train", str(data), *tiny, "--steps", "7", "--epochs", "1"]) == 2
