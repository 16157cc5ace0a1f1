from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.data.drawing import draw_pictures, draw_rows
from pictaxa.data.index import Index, index_from_columns
from pictaxa.errors import ConfigError
from pictaxa.runs.folder import open_run
from pictaxa.runs.records import read_index

Make = Callable[..., Path]


def table(counts: dict[tuple[str, int], int], *, order: int = 0) -> Index:
    """An index with so many pictures of each (split, class), in some order."""
    places = [(split, label, number) for (split, label), count in counts.items() for number in range(count)]
    places = [places[i] for i in np.random.default_rng(order).permutation(len(places))]
    columns = {
        "path": [f"{split or 'all'}/{label}/{number}.png" for split, label, number in places],
        "label": [label for _, label, _ in places], "split": [split for split, _, _ in places],
        "bytes": [1] * len(places), "mtime_ns": [0] * len(places),
    }  # fmt: skip
    return index_from_columns(columns, root=Path(), classes=("a", "b", "c"))


def drawn(index: Index) -> set[str]:
    return set(index.column("path").tolist())


def test_each_class_gives_its_part():
    """Of 700, 200 and 100 pictures 100 are 70, 20 and 10, whatever their order; a note says how many of how many."""
    counts = {("", 0): 700, ("", 1): 200, ("", 2): 100}
    some = draw_pictures(table(counts), 100, seed=0)
    assert Counter(some.labels.tolist()) == {0: 70, 1: 20, 2: 10}
    assert some.notes == ("100 of 1,000 pictures, drawn at random from each class",)
    assert drawn(draw_pictures(table(counts, order=1), 100, seed=0)) == drawn(some)


def test_the_seed_decides_and_more_pictures_are_more_of_the_same():
    """Another seed draws others; a larger draw of one class has all of a smaller one."""
    index = table({("", 0): 500})
    hundred = drawn(draw_pictures(index, 100, seed=0))
    assert hundred < drawn(draw_pictures(index, 200, seed=0))
    assert 5 < len(hundred & drawn(draw_pictures(index, 100, seed=1))) < 40


def test_validation_pictures_of_the_data_set_are_drawn_too_and_those_for_testing_are_left():
    """Splits keep their proportion; of the pictures for testing none is drawn from, and none is in the index."""
    counts = {("train", 0): 80, ("train", 1): 80, ("val", 0): 20, ("val", 1): 20, ("test", 0): 50, ("test", 1): 50}
    some = draw_pictures(table(counts), 50, seed=0)
    assert Counter(some.column("split").tolist()) == {"train": 40, "val": 10}
    assert len(draw_pictures(table(counts), None, seed=0)) == 300


def test_rare_classes_keep_enough():
    """At least two pictures of each class, of which one can validate; a number that is too small for that is told."""
    index = table({("", 0): 1000, ("", 1): 3, ("", 2): 2})
    assert Counter(draw_pictures(index, 20, seed=0).labels.tolist()) == {0: 16, 1: 2, 2: 2}
    with pytest.raises(ConfigError, match=r"--pictures of 6 or more.*found 5.*Use --pictures 6"):
        draw_pictures(index, 5, seed=0)


def test_more_than_there_are_is_all():
    """Nothing is repeated."""
    index = table({("test", 0): 5, ("test", 1): 5})
    assert draw_rows(index, index.rows("test"), 99, seed=0).tolist() == index.rows("test").tolist()
    assert len(draw_rows(index, index.rows("test"), 4, seed=0)) == 4


def test_a_training_and_an_evaluation_of_some(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """--pictures: so many are decoded, split and trained on; evaluate judges as many as it is asked for."""
    data = make_photos(tmp_path / "photos" / "train", {"a": 30, "b": 30}).parent
    make_photos(data / "test", {"a": 10, "b": 10}, first=50)
    words = ["train", str(data), "--weights", "none", "--model", "simple_cnn", "--size", "28", "--batch-size", "8"]
    assert main([*words, "--pictures", "20", "--epochs", "2", "--out", str(tmp_path / "run")]) == 0
    assert "16 to train, 4 to validate" in capsys.readouterr().out
    index = read_index(open_run(tmp_path / "run"))
    assert len(index) == 20 and Counter(index.column("split").tolist()) == {"train": 16, "val": 4}
    assert main(["evaluate", str(tmp_path / "run"), str(data), "--split", "test", "--pictures", "6"]) == 0
    assert "6 of the test pictures" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "run"), str(data), "--split", "test", "--pictures", "1"]) == 2
    assert "--pictures of 2 or more" in capsys.readouterr().err
