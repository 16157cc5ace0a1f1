from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.config.usual import FROM_KNOWN, FROM_NOTHING
from pictaxa.data.index import index_from_columns
from pictaxa.runs.folder import open_run
from pictaxa.system.progress import clock
from pictaxa.training import planner
from pictaxa.training.planner import PlanRow, TrainingPlan, plan_lines, plan_training, time_to

Make = Callable[..., Path]


def a_row(**other: object) -> PlanRow:
    usual = {
        "model": "efficientnet_lite0", "weights": "imagenet", "tune": "all", "size": 224, "train_per_second": 50.0,
        "predict_per_second": 200.0, "minutes": 5.0, "epochs": 15.0, "memory_bytes": 2**30,
        "accuracy": (0.95, 0.9, 0.96),
    }  # fmt: skip
    return PlanRow(**(usual | other))


# A head that comes to 80% to 92% in 10 s, and 1,000 pictures at 50 a second: 20 s an epoch.
HEAD = a_row(tune="head", train_per_second=None, epochs=None, minutes=10 / 60, accuracy=(0.9, 0.8, 0.92))
NOTHING = a_row(model="resnet_lite", weights="none", accuracy=None)
PLAN = TrainingPlan((a_row(), HEAD, NOTHING), pictures=1000, probed=400, head_seconds=10.0)
FIRST, LAST = clock(10 + 3 * 20), clock(10 + 20 * 20)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (0.5, "about 0:10, with the head alone"),
        (0.8, "about 0:10, with the head alone"),
        (0.81, f"0:10 with the head alone, if it does well, up to {LAST} with the whole network"),
        (0.92, f"0:10 with the head alone, if it does well, up to {LAST} with the whole network"),
        (0.921, f"{FIRST} to {LAST} with the whole network, if at all: the head alone may reach 92.0%"),
        (0.983, f"{FIRST} to {LAST} with the whole network, if at all"),
        (0.985, "not to be expected: the head alone may reach 90.0%"),
        (0.999, "not to be expected"),
    ],
)
def test_how_long_until_an_accuracy(target: float, told: str):
    """By the head alone, perhaps by it, by all of the network if at all, or not: each with an honest range of times."""
    assert time_to(PLAN, target).startswith(told)


@pytest.mark.parametrize("rows", [(NOTHING,), (NOTHING, HEAD), (a_row(accuracy=None), HEAD, NOTHING)])
def test_nothing_is_promised_of_what_is_not_known(rows: tuple[PlanRow, ...]):
    """Without a probed head and a network to train from it there is no time."""
    plan = TrainingPlan(rows, pictures=1000, probed=0, head_seconds=0.0)
    assert time_to(plan, 0.9).startswith("not known before training")


def test_a_plan_as_a_person_reads_it():
    """A line for each way, the first with number 1; what is not known is said, and the target comes last."""
    title, head, *lines = plan_lines(PLAN, target=0.5)
    assert title == "pictures  1000 to train; 400 probed"
    assert all(word in head for word in ("backbone", "training", "epochs", "memory", "accuracy to expect"))
    assert [line[0] for line in lines[:3]] == ["1", "2", "3"] and len(lines) == 4
    assert "50/s" in lines[0] and "15.0" in lines[0] and "1.0 GB" in lines[0] and "95.0% (90.0% to 96.0%)" in lines[0]
    assert "50/s" not in lines[1] and "200/s" in lines[1] and "90.0% (80.0% to 92.0%)" in lines[1]
    assert lines[2].endswith("not known before training")
    assert lines[3].startswith("50.0%") and "with the head alone" in lines[3]
    assert len(list(plan_lines(PLAN))) == 5


def test_more_than_the_head_is_expected_to_be_no_worse():
    """From a fifth of the head's errors to all of them."""
    assert planner._tuned((0.8, 0.7, 0.9), tuned=True) == pytest.approx((0.88, 0.7, 0.98))
    assert planner._tuned((0.8, 0.7, 0.9), tuned=False) == (0.8, 0.7, 0.9)
    assert planner._tuned(None, tuned=True) is None


def test_the_interval_of_what_is_expected():
    """Of the curve the middle 95% of its draws, which hold the estimate; without one the probe's (Wilson 1927)."""
    draws = np.linspace(0, 1, 1001)
    assert planner._expected(3, 10, np.array([[0.2, *draws]])) == pytest.approx((0.8, 0.025, 0.975))
    assert planner._expected(3, 10, np.array([[0.5, *draws / 4]])) == pytest.approx((0.5, 0.5, 1 - 0.025 / 4))
    assert planner._expected(3, 10, np.array([[0.0, *draws]])) == pytest.approx((1.0, 0.025, 1.0))
    middle, low, high = planner._expected(8, 10, None)  # (8 + z²/2 ± z sqrt(8 * 2 / 10 + z²/4)) / (10 + z²), z = 1.96
    assert (middle, low, high) == (0.8, pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert planner._expected(0, 0, None) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(("splits", "learn"), [(("",), 32), (("train", "val"), 20), (("train", "test"), 16)])
def test_some_of_each_class_are_probed(monkeypatch: pytest.MonkeyPatch, splits: tuple[str, ...], learn: int):
    """As many of a rare class as of another, while there are some, and never any that judges; how many there are."""
    monkeypatch.setattr(planner, "PROBED", 10)
    labels = np.array([0] * 34 + [1] * 6, np.int32)
    split = [splits[number % len(splits)] for number in range(40)]
    names = [str(number) for number in range(40)]
    blank = {"path": names, "bytes": labels, "mtime_ns": labels, "hash": names}
    index = index_from_columns({**blank, "label": labels, "split": split}, root=Path(), classes=("a", "b"))
    some, count = planner._drawn(SimpleNamespace(index=index, config=SimpleNamespace(seed=0)))
    assert len(some) == 10 and set(some.column("split")) <= {"", "train"}
    rare = 5 if len(splits) == 1 else 3
    assert np.bincount(some.labels).tolist() == [10 - rare, rare]
    assert count == learn


SMALL = {"size": 64, "batch_size": 4, "progressive_resizing": 0.0}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step is measured, not three."""
    monkeypatch.setattr(planner, "STEPS", 2)


@pytest.mark.usefixtures("quick")
def test_the_first_row_is_what_train_takes(tmp_path: Path, make_photos: Make):
    """Network, size, weights and length of `pictaxa train DATA`; the row's flags say the same in words."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    plan = plan_training(with_words(TrainConfig(data=data), SMALL))
    first = plan.rows[0]
    assert (first.tune, first.minutes, first.weights) == ("all", FROM_KNOWN.minutes, "imagenet")
    assert (plan.pictures, plan.probed) == (32, 40)
    assert first.epochs == pytest.approx((300 - plan.head_seconds) * first.train_per_second / 32)
    for name, flags in (("one", []), ("two", first.flags.split())):
        words = ["--size", "64", "--steps", "1", "--batch-size", "8", "--progressive-resizing", "0"]
        assert main(["train", str(data), *words, *flags, "--out", str(tmp_path / name)]) == 0
    one, two = (open_run(tmp_path / name).config for name in ("one", "two"))
    assert (one["chosen"]["model"], one["chosen"]["size"]) == (first.model, first.size)
    assert one["chosen"] == two["chosen"] and one["asked"]["transfer"] == two["asked"]["transfer"]


@pytest.mark.usefixtures("quick")
def test_each_row_can_be_trained_as_its_flags_say(tmp_path: Path, make_photos: Make):
    """All of the known network, its head, and one from nothing: what the flags ask for is what the row has."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    plan = plan_training(with_words(TrainConfig(data=data), SMALL | {"minutes": 2.0}))
    found = [(row.tune, row.epochs is None, row.accuracy is None) for row in plan.rows]
    assert found == [("all", False, False), ("head", True, False), ("all", False, True)]
    assert plan.rows[0].minutes == plan.rows[2].minutes == 2.0
    assert plan.rows[1].minutes == pytest.approx(plan.head_seconds / 60) and plan.rows[1].train_per_second is None
    nothing = plan.rows[2]
    assert nothing.epochs == pytest.approx(120 * nothing.train_per_second / 32) and nothing.model == "resnet_lite"
    for number, row in enumerate(plan.rows):
        words = ["--size", "64", "--steps", "1", "--batch-size", "8", "--progressive-resizing", "0", *row.flags.split()]
        assert main(["train", str(data), *words, "--out", str(tmp_path / str(number))]) == 0
        config = open_run(tmp_path / str(number)).config
        assert (config["chosen"]["model"], config["chosen"]["size"]) == (row.model, row.size)
        assert config["asked"]["transfer"]["tune"] == row.tune
    for row in plan.rows[:2]:
        middle, low, high = row.accuracy
        assert 0 <= low <= middle <= high <= 1 and middle > 0.8


@pytest.mark.usefixtures("quick")
def test_from_nothing_it_is_ten_minutes(tmp_path: Path, make_photos: Make):
    """Without --minutes each way has its usual length."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8})
    plan = plan_training(with_words(TrainConfig(data=data), SMALL | {"weights": "none"}))
    assert [row.weights for row in plan.rows] == ["none", "imagenet", "imagenet"]
    assert [row.minutes for row in plan.rows[:2]] == [FROM_NOTHING.minutes, FROM_KNOWN.minutes]


def test_speeds_are_measured(
    backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], own_cache: Path
):
    """On a run's network: real steps and predictions, memory for its weights at least; the table and the file agree."""
    data = make_photos(tmp_path / "photos", {"x": 20, "y": 20})
    words = ["plan", str(data), "--weights", str(backbone), "--size", "64", "--minutes", "1", "--time-to", "0.3"]
    assert main([*words, "--json", str(tmp_path / "plan.json")]) == 0
    said = capsys.readouterr().out
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert [(row["model"], row["tune"]) for row in plan["rows"]] == [
        ("resnet_lite", "all"), ("resnet_lite", "head"), ("resnet_lite", "all"),
    ]  # fmt: skip
    weights = 4 * 1_000_000
    for row in plan["rows"]:
        assert row["predict_per_second"] > 1 and row["size"] == 64
        assert (row["train_per_second"] is None) == (row["tune"] == "head")
        if row["train_per_second"] is not None:
            assert row["train_per_second"] > 1 and row["memory_bytes"] > 5 * weights
            assert f"{row['train_per_second']:.0f}/s" in said
    assert "30.0%     about" in said and "with the head alone" in said
    assert not list((own_cache).rglob("*.f32"))  # nothing of the probe stays


@pytest.mark.parametrize("value", ["2", "1", "0", "-0.5", "nan"])
def test_an_accuracy_that_is_none(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], value: str):
    """--time-to of 1 and more or 0 and less is one line, status 2, before anything is measured."""
    data = make_photos(tmp_path / "photos", {"a": 4, "b": 4})
    assert main(["plan", str(data), "--time-to", value]) == 2
    said = capsys.readouterr().err
    assert "--time-to above 0 and below 1" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--minutes", "-1"), "--minutes above 0"),
        (("--model", "lenet6"), "lenet5"),
        (("--weights", "missing"), "a run or a file of weights"),
        (("--json", "no/such/folder/a.json"), "--json"),
    ],
)
def test_mistakes_are_told(
    tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
):
    """Each in one line with status 2."""
    data = make_photos(tmp_path / "photos", {"a": 4, "b": 4})
    assert main(["plan", str(data), *words]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


@pytest.mark.usefixtures("quick")
def test_pictures_that_cannot_be_judged(tmp_path: Path, make_photos: Make):
    """One picture of each class: a plan all the same, whose accuracy may be anything."""
    data = make_photos(tmp_path / "photos", {"a": 1, "b": 1, "c": 1})
    plan = plan_training(with_words(TrainConfig(data=data), SMALL))
    assert plan.rows[1].accuracy[1:] == (0, 1)
