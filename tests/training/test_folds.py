from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

import pictaxa
from pictaxa.cli.main import main
from pictaxa.config.training import TrainConfig
from pictaxa.errors import ConfigError
from pictaxa.inference.loading import load
from pictaxa.metrics import softmax
from pictaxa.runs.folder import open_run
from pictaxa.runs.manifest import check_file
from pictaxa.runs.names import LISTED
from pictaxa.runs.records import read_index, read_predictions
from pictaxa.training.folds import continue_training

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> tuple[Path, Path]:
    """A data set with test pictures, and a run of three folds on it that no test changes: (data, run)."""
    folder = tmp_path_factory.mktemp("folds")
    data = make_photos(folder / "photos" / "train", {"red": 12, "green": 12}).parent
    make_photos(data / "test", {"red": 3, "green": 3}, first=50)
    words = ["--model", "lenet5", "--size", "28", "--batch-size", "8", "--precision", "float32", "--policy", "light"]
    words += ["--cache", str(folder / "cache"), "--epochs", "3", "--lr", "0.02", "--threads", "1"]
    assert main(["train", str(data), *words, "--folds", "3", "--out", str(folder / "run")]) == 0
    return data, folder / "run"


def test_each_picture_is_judged_once_by_a_fold_that_has_not_seen_it(folded: tuple[Path, Path]):
    """The predictions of RUN are those of its folds, in the order of the index, and no test picture is among them."""
    run = open_run(folded[1])
    index, said = read_index(run), read_predictions(run)
    assert said.rows.tolist() == np.flatnonzero(index.column("split") == "val").tolist() and len(said.rows) == 24
    assert (index.column("split") == "test").sum() == 6
    judged_by = pq.read_table(run.predictions_path).column("fold").to_numpy()
    for number, path in enumerate(run.folds, start=1):
        fold = open_run(path)
        own = read_predictions(fold)
        assert said.rows[judged_by == number].tolist() == own.rows.tolist() == read_index(fold).rows("val").tolist()
        np.testing.assert_array_equal(said.probabilities[judged_by == number], own.probabilities)
        assert not np.isin(own.rows, read_index(fold).rows("train")).any()
        assert np.bincount(own.labels).tolist() == [4, 4]  # each class evenly
    right = int((said.predicted == said.labels).sum())
    assert run.metrics["pictures"] == 24 and run.metrics["right"] == right
    for name in LISTED:
        if (run.path / name).exists():
            check_file(run.path, name)


def test_prediction_takes_the_mean_of_the_folds_probabilities(
    folded: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    """RUN predicts by the mean, which is said; a fold by itself."""
    data, path = folded
    picture = str(data / "test" / "red" / "50.png")
    each = [load(fold).predict(picture)[0].probabilities for fold in open_run(path).folds]
    (answer,) = load(path).predict(picture)
    assert answer.probabilities is not None and answer.logits is not None
    np.testing.assert_allclose(answer.probabilities, np.mean(np.array(each, dtype=np.float64), axis=0), atol=1e-6)
    np.testing.assert_allclose(softmax(answer.logits[None])[0], answer.probabilities, atol=1e-6)
    assert "mean of its 3 folds'" in capsys.readouterr().err


def test_commands_take_the_run_of_all_or_say_which_to_give(
    folded: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """evaluate, report, predict, curves, classes and inspect work; what needs one model names a fold."""
    data, path = folded
    run, picture = str(path), str(data / "test" / "red" / "50.png")
    for words in (
        ["evaluate", run], ["evaluate", run, "--split", "test"], ["report", run], ["predict", run, picture],
        ["classes", run], ["curves", run, "--out", str(tmp_path / "curves.png")], ["inspect", str(data), "--run", run],
    ):  # fmt: skip
        assert main(words) == 0, words
    said = capsys.readouterr().out
    assert "each by the fold of 3 that has not seen it: 24 pictures" in said
    assert "checked with the 3 folds" in said
    for words in (
        ["look", run], ["explain", run, picture], ["nearest", run, picture], ["export", run],
        ["classes", run, "--rename", "red=rot"], ["train", str(data), "--weights", run],
        ["evaluate", run, "--grid", str(tmp_path / "a.png")],
    ):  # fmt: skip
        assert main(words) == 2, words
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert "fold-1" in told, told


def test_a_run_of_folds_goes_on_where_it_was_cut_off(
    folded: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Ctrl-C in the second fold names RUN, and --resume RUN gives the very weights of the unbroken run."""
    data, whole = folded
    run = tmp_path / "run"
    config = str(whole / "config.json")
    words = [sys.executable, "-m", "pictaxa", "train", "--config", config, "--out", str(run)]
    child = subprocess.Popen(
        [*words, "--checkpoint-seconds", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while not any((run / "fold-2" / "state").glob("step-*2.safetensors")):
        assert child.poll() is None and time.monotonic() < deadline, child.communicate()[0]
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[0]
    assert child.returncode == 130 and f"pictaxa train --resume {run}\n" in said, said
    assert not (run / "fold-3").exists()
    assert main(["predict", str(run), str(data)]) == 2
    assert f"pictaxa train --resume {run}" in capsys.readouterr().err
    assert continue_training(run).metrics["pictures"] == 24
    assert "fold      1 of 3 is finished" in capsys.readouterr().out
    for name in ("fold-1", "fold-2", "fold-3"):
        ours, theirs = load_file(run / name / "model.safetensors"), load_file(whole / name / "model.safetensors")
        assert all(ours[key].equal(theirs[key]) for key in ours.keys() | theirs.keys()), name
    np.testing.assert_array_equal(
        read_predictions(open_run(run)).probabilities, read_predictions(open_run(whole)).probabilities
    )


def test_the_minutes_are_those_of_all_folds(tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]):
    """--minutes is divided; each fold keeps its last epoch."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8})
    run = tmp_path / "run"
    words = ["--minutes", "0.04", "--folds", "2", "--out", str(run)]
    assert main(["train", str(data), *tiny, *words]) == 0
    asked = [open_run(path).config["asked"] for path in open_run(run).folds]
    assert [one["schedule"]["minutes"] for one in asked] == [0.02, 0.02]
    assert [(one["fold"], one["schedule"]["best_by"]) for one in asked] == [("1/2", "last"), ("2/2", "last")]


def test_a_head_looks_at_each_picture_once_for_all_folds(
    tmp_path: Path, backbone: Path, data: Path, capsys: pytest.CaptureFixture[str]
):
    """With --tune head the frozen backbone's features are computed once, and the folds' weights are those of trainings
    by themselves.
    """
    words = ["--weights", str(backbone), "--tune", "head", "--size", "32", "--policy", "none", "--threads", "1"]
    one = [*words, "--cache", str(tmp_path / "other"), "--fold", "2/2", "--out", str(tmp_path / "one")]
    assert main(["train", str(data), *one]) == 0
    capsys.readouterr()
    classifier = pictaxa.train(
        data, weights=backbone, tune="head", size=32, policy="none", threads=1, folds=2, out=tmp_path / "run",
        cache=tmp_path / "cache",
    )  # fmt: skip
    assert len(classifier.run.folds) == 2
    ours = load_file(tmp_path / "run" / "fold-2" / "model.safetensors")
    theirs = load_file(tmp_path / "one" / "model.safetensors")
    assert all(ours[key].equal(theirs[key]) for key in ours.keys() | theirs.keys())


@pytest.mark.parametrize("folds", [1, 0, 2000])
def test_folds_out_of_range_are_refused(folds: int):
    """Two folds at least; --fold names one of them, so the two exclude each other."""
    with pytest.raises(ConfigError, match="folds"):
        TrainConfig(data=Path("photos"), folds=folds)
    with pytest.raises(ConfigError, match="--folds or --fold"):
        TrainConfig(data=Path("photos"), folds=3, fold="1/3")
