from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import ConfigError, ModelError
from pictaxa.models.heads import parse_groups
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import open_run
from pictaxa.runs.relabel import plan_relabelling
from pictaxa.runs.vectors import read_vectors

Make = Callable[..., Path]
TINY = ("--size", "32", "--batch-size", "8", "--precision", "float32", "--policy", "light")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> Path:
    """A run of resnet_lite on four colours."""
    folder = tmp_path_factory.mktemp("relabelling")
    data = make_photos(folder / "photos", {"a": 15, "b": 15, "c": 15, "d": 15})
    words = ["train", str(data), "--out", str(folder / "run"), "--cache", str(folder / "cache"), "--epochs", "2", *TINY]
    assert main([*words, "--model", "resnet_lite"]) == 0
    return folder / "run"


def classes(run: Path, *words: str) -> int:
    return main(["classes", str(run), *words])


def test_classes_are_listed(run: Path, capsys: pytest.CaptureFixture[str]):
    """Without changes, the names by index."""
    assert classes(run) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["0", "a"], ["1", "b"], ["2", "c"], ["3", "d"],
    ]  # fmt: skip


def test_a_merged_class_has_the_sum_of_probabilities(run: Path, tmp_path: Path, make_photos: Make):
    """b and d become one, whose probability is theirs together, for files and in what the run kept; c gets a name."""
    out = tmp_path / "new"
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert classes(run, "--merge", "b,d=bd", "--rename", "c=sea", "--out", str(out)) == 0
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    photos = make_photos(tmp_path / "photos", {"a": 3, "b": 3, "c": 3, "d": 3}, first=100)
    old, new = pictaxa.load(run, calibrated=False), pictaxa.load(out, calibrated=False)
    assert new.classes == ("a", "bd", "sea")
    for one, other in zip(old.predict(photos), new.predict(photos), strict=True):
        assert one.probabilities is not None and other.probabilities is not None
        a, b, c, d = one.probabilities
        assert np.allclose(other.probabilities, [a, b + d, c], atol=1e-5)
    squares, aspects, logits = open_run(out).probe()
    assert np.allclose(new.logits(squares, aspects), logits, atol=1e-4)
    assert open_run(out).metrics["accuracy"] >= open_run(run).metrics["accuracy"]
    assert pictaxa.evaluate(out).metrics["right"] == open_run(out).metrics["right"]
    assert main(["report", str(out)]) == 0


def test_vectors_come_along(run: Path, tmp_path: Path):
    """The features are the same, whatever the classes are called: nothing is computed again, and neighbours have the
    new names.
    """
    out = tmp_path / "merged"
    assert classes(run, "--merge", "a,b=ab", "--out", str(out)) == 0
    then, now = (read_vectors(open_run(path)) for path in (run, out))
    assert then is not None and now is not None
    assert all(np.array_equal(getattr(now, name), value) for name, value in vars(then).items())
    (found,) = pictaxa.nearest(out, run.parent / "photos" / "a" / "0.png", count=1)
    assert found.neighbours[0].label == "ab"


def test_merged_again(run: Path, tmp_path: Path):
    """A run with a merged class can be merged and renamed once more."""
    assert classes(run, "--merge", "b,d=bd", "--out", str(tmp_path / "one")) == 0
    assert classes(tmp_path / "one", "--merge", "a,bd=x", "--out", str(tmp_path / "two")) == 0
    options = open_run(tmp_path / "two").config["chosen"]["model_options"]
    assert "merged=0,0,1,0" in options and open_run(tmp_path / "two").classes == ("x", "c")
    squares, aspects, logits = open_run(tmp_path / "two").probe()
    assert np.allclose(pictaxa.load(tmp_path / "two").logits(squares, aspects), logits, atol=1e-4)


def test_a_training_goes_on_from_merged_classes(run: Path, tmp_path: Path, make_photos: Make):
    """A head that isn't solved has one row for a merged class, the mean of its rows; the others keep theirs."""
    assert classes(run, "--merge", "b,d=bd", "--out", str(tmp_path / "new")) == 0
    data = make_photos(tmp_path / "photos", {"a": 15, "bd": 15, "new": 15})
    words = ["train", str(data), "--weights", str(tmp_path / "new"), "--out", str(tmp_path / "further"), *TINY]
    assert main([*words, "--epochs", "1", "--lr", "1e-9", "--ema-decay", "0", "--solve-head", "no"]) == 0
    old, new = load_file(run / "model.safetensors"), load_file(tmp_path / "further" / "model.safetensors")
    kept = torch.stack([old["fc.weight"][0], old["fc.weight"][[1, 3]].mean(dim=0)])
    assert torch.allclose(new["fc.weight"][:2], kept, atol=1e-5)
    assert new["fc.weight"].shape[0] == 3


def test_a_renamed_run_is_the_same(run: Path, tmp_path: Path):
    """New names, the same weights and figures; without --out the place is found."""
    assert classes(run, "--rename", "a=b", "b=a") == 0
    out = run.with_name("run-classes-1")
    assert open_run(out).classes == ("b", "a", "c", "d")
    assert (out / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert open_run(out).metrics["accuracy"] == open_run(run).metrics["accuracy"]


@pytest.mark.parametrize(
    ("rename", "merge", "told"),
    [
        (["x=y"], [], "a class of the run"),
        (["a"], [], "--rename A=B"),
        (["a="], [], "--rename A=B"),
        ([], ["a=b"], "two classes or more"),
        (["a=b"], [], "--merge a,b=b"),
        (["a=x", "a=y"], [], "twice"),
        ([], ["a,b=c"], "--merge a,b,c=c"),
        ([], ["a,b,c,d=x"], "at least two classes in the result"),
        (["a=x\ny"], [], "one line of text"),
        (["a=  "], [], "--rename A=B"),
    ],
)
def test_mistakes_are_told(rename: list[str], merge: list[str], told: str):
    """Each says what to write instead."""
    with pytest.raises(ConfigError, match=told):
        plan_relabelling(("a", "b", "c", "d"), rename=rename, merge=merge)


@pytest.mark.parametrize(
    ("rename", "merge", "expected"),
    [
        (["b=c=x"], [], ("a", "x", "d,e", "é", "猫")),
        ([], ["d,e,猫=y"], ("a", "b=c", "y", "é")),
        (["e\u0301=plain"], [], ("a", "b=c", "d,e", "plain", "猫")),
        (["猫= e\u0301t "], [], ("a", "b=c", "d,e", "é", "ét")),
        ([" a =b"], ["é,猫=p=q"], ("b", "b=c", "d,e", "p=q")),
    ],
)
def test_names_may_have_any_letters(rename: list[str], merge: list[str], expected: tuple[str, ...]):
    """= and commas in a class's name, accents written in two letters, blanks around a name: all are understood."""
    plan = plan_relabelling(("a", "b=c", "d,e", "é", "猫"), rename=rename, merge=merge)
    assert plan.new == expected


def test_what_can_be_read_in_two_ways_is_refused():
    """Where names with = or commas leave open what is meant, it is asked for in one line."""
    with pytest.raises(ConfigError, match="ambiguous"):
        plan_relabelling(("b", "b=c", "d"), rename=["b=c=x"], merge=[])
    with pytest.raises(ConfigError, match="ambiguous"):
        plan_relabelling(("a", "b", "a,b", "c"), rename=[], merge=["a,b,c=x"])


@pytest.mark.parametrize(
    ("rename", "merge", "told"),
    [
        (["a=b=z"], [], "'a' as 'b=z', or 'a=b' as 'z'. First rename 'a' separately"),
        ([], ["a,b,c=x"], "'a' and 'b,c' as 'x'. First rename 'b' separately"),
        ([], ["c,a=b=x"], "'c' and 'a' as 'b=x', or 'c' and 'a=b' as 'x'. First rename 'a' separately"),
    ],
)
def test_what_is_told_of_two_ways_leaves_one(rename: list[str], merge: list[str], told: str):
    """Both readings are told; once the class that is named has another name, the same words have one."""
    names = ("a", "a=b", "b", "b,c", "c")
    with pytest.raises(ConfigError, match="ambiguous") as caught:
        plan_relabelling(names, rename=rename, merge=merge)
    assert told in str(caught.value)
    first = told.split("'")[-2]
    again = plan_relabelling(names, rename=[f"{first}=other"], merge=[])
    assert plan_relabelling(again.new, rename=rename, merge=merge).new


def test_a_merge_of_thousands():
    """As many classes as one likes are read, without a limit and at once."""
    names = [str(number) for number in range(3000)]
    assert plan_relabelling(names, rename=[], merge=[",".join(names[1:]) + "=others"]).new == ("0", "others")


def test_flags_given_twice_add_up(run: Path, tmp_path: Path):
    """--merge and --rename may be repeated; each place counts."""
    words = ["--rename", "a=sun", "--merge", "b,c=bc", "--rename=d=sea", "--out", str(tmp_path / "new")]
    assert classes(run, *words) == 0
    assert open_run(tmp_path / "new").classes == ("sun", "bc", "sea")
    assert classes(run, "--merge", "a,b=ab", "--merge", "c,d=cd", "--out", str(tmp_path / "two")) == 0
    assert open_run(tmp_path / "two").classes == ("ab", "cd")


def test_merged_rows_of_any_entry():
    """With hidden layers too, the logits are the logarithm of the rows' sum of exponentials."""
    for options in ({}, {"head": "8"}):
        torch.manual_seed(0)
        plain = create_model("resnet_lite", 4, **options).eval()
        merged = create_model("resnet_lite", 3, merged="0,1,2,1", **options).eval()
        merged.load_state_dict(plain.state_dict())
        images = torch.rand(2, 3, 32, 32)
        with torch.no_grad():
            rows, logits = plain(images), merged(images)
        assert torch.allclose(logits[:, 1], rows[:, [1, 3]].logsumexp(1), atol=1e-5)
        assert torch.equal(logits[:, 0], rows[:, [0]].logsumexp(1))
    with pytest.raises(ModelError, match="merged"):
        create_model("resnet_lite", 4, merged="0,1,2,1")
    for words in ("", "a", "0,2", "1,2"):
        with pytest.raises(ModelError, match="counted from 0"):
            parse_groups(words)
