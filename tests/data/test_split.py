from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pictaxa.data.index import Index, index_from_columns
from pictaxa.data.split import parts_of_class, places_in_class, split_index
from pictaxa.errors import DataError, Problem, ProblemKind


def an_index(contents: list[tuple[str, int]], *, split: str = "") -> Index:
    """Rows with (content hash, label)."""
    columns: dict[str, object] = {
        "path": [f"{number}.png" for number in range(len(contents))],
        "label": [label for _, label in contents],
        "split": [split] * len(contents),
        "bytes": [1] * len(contents),
        "mtime_ns": [1] * len(contents),
        "hash": [content for content, _ in contents],
    }
    classes = tuple(f"class {label}" for label in range(1 + max(label for _, label in contents)))
    return index_from_columns(columns, root=Path(), classes=classes)


def test_places_in_a_class():
    """How many of the same class come before each, and that as a part of the class; of no pictures none."""
    labels = np.array([2, 0, 2, 2, 0, 5])
    assert places_in_class(labels).tolist() == [0, 0, 1, 2, 1, 0]
    assert parts_of_class(labels) == pytest.approx([0, 0, 1 / 3, 2 / 3, 1 / 2, 0])
    assert places_in_class(np.array([], dtype=np.int64)).tolist() == []


def validation_contents(index: Index) -> set[str]:
    return set(index.column("hash")[index.rows("val")])


CONTENTS = [(f"{label}-{number}", label) for label, count in enumerate((50, 20, 5)) for number in range(count)]


def test_every_class_gives_its_share():
    """A fifth of each class goes to validation, at least one of a small one."""
    index = split_index(an_index(CONTENTS), 0)
    assert np.bincount(index.labels[index.rows("val")]).tolist() == [10, 4, 1]
    assert len(index.rows("val")) + len(index.rows("train")) == len(CONTENTS)


def test_the_split_does_not_depend_on_the_order_of_files():
    """The same pictures listed in another order fall on the same sides; another seed moves them."""
    backwards = validation_contents(split_index(an_index(CONTENTS[::-1]), 0))
    assert validation_contents(split_index(an_index(CONTENTS), 0)) == backwards
    assert validation_contents(split_index(an_index(CONTENTS), 1)) != backwards


def test_identical_files_stay_on_one_side():
    """Copies of a picture are never on both sides, and one with two labels never judges the model."""
    contents = [(f"c{number // 3}", 0) for number in range(60)] + [(f"d{number}", 1) for number in range(20)]
    contents += [("both", 0), ("both", 1)]
    for seed in range(5):
        index = split_index(an_index(contents), seed)
        sides: dict[str, set[str]] = {}
        for content, side in zip(index.column("hash"), index.column("split"), strict=True):
            sides.setdefault(content, set()).add(side)
        assert all(len(side) == 1 for side in sides.values())
        assert sides["both"] == {"train"}


def test_a_class_of_one_picture_is_an_error():
    """One picture, or copies of one, can't be both learned from and judged by."""
    for alone in ([("x", 1)], [("x", 1), ("x", 1)]):
        with pytest.raises(DataError, match="'class 1' has 1"):
            split_index(an_index([("a", 0), ("b", 0), *alone]), 0)


def test_pictures_set_aside_are_in_no_split():
    """A picture with a problem is neither trained on nor judged by."""
    index = an_index(CONTENTS)
    index = split_index(index.with_problems([Problem(ProblemKind.EMPTY, "empty file"), *[None] * (len(index) - 1)]), 0)
    assert 0 not in index.rows("train") and 0 not in index.rows("val")


def test_the_owners_validation_folder_is_left_alone():
    """Where there are validation pictures nothing moves; a class without training pictures is an error."""
    index = an_index(CONTENTS, split="train")
    splits = ["val"] * 5 + ["train"] * (len(index) - 5)
    assert split_index(index.with_columns({"split": splits}), 0).column("split").tolist() == splits
    with pytest.raises(DataError, match="class 2"):
        split_index(index.with_columns({"split": ["train"] * 70 + ["val"] * 5}), 0)


def grouped(sizes: list[int], *, labels: int = 2) -> Index:
    """Groups of so many pictures, all different, each group of one class after the other."""
    contents = [(f"{group}-{n}", group % labels) for group, size in enumerate(sizes) for n in range(size)]
    index = an_index(contents)
    return index.with_columns({"group": [content.partition("-")[0] for content, _ in contents]})


def test_groups_stay_on_one_side():
    """A group is wholly in training or wholly in validation, also one with pictures of several classes."""
    index = split_index(grouped([7] * 20), 0)
    sides = {(g, s) for g, s in zip(index.column("group"), index.column("split"), strict=True)}
    assert len(sides) == 20 and 4 * 7 <= len(index.rows("val")) <= 6 * 7
    mixed = grouped([6] * 20).with_columns({"label": np.arange(120) % 2})
    index = split_index(mixed, 0)
    sides = {(g, s) for g, s in zip(index.column("group"), index.column("split"), strict=True)}
    assert len(sides) == 20 and 4 * 6 <= len(index.rows("val")) <= 6 * 6


def test_pictures_that_are_alike_stay_on_one_side():
    """Pairs of rows, and what they lead to."""
    index = an_index(CONTENTS)
    pairs = np.array([(n, n + 1) for n in range(49) if n % 5 != 4])  # fives of the first class
    splits = split_index(index, 0, alike=pairs).column("split")
    assert all(len(set(splits[first : first + 5])) == 1 for first in range(0, 50, 5))
    assert (splits[:50] == "val").sum() == 10


@pytest.mark.parametrize("parts", [2, 5, 10])
def test_folds_share_the_pictures_out(parts: int):
    """Each picture is judged in exactly one fold, and each fold has its share of each class that is large enough."""
    judged = np.zeros(len(CONTENTS), dtype=int)
    for part in range(1, parts + 1):
        index = split_index(an_index(CONTENTS, split="train"), 3, fold=(part, parts)) if part > 0 else None
        assert index is not None
        rows = index.rows("val")
        judged[rows] += 1
        assert abs(np.bincount(index.labels[rows], minlength=3)[0] - 50 / parts) <= 1
    assert (judged == 1).all()


def test_a_group_that_is_a_whole_class():
    """Nothing of it would be left to train or to judge: an error says so."""
    with pytest.raises(DataError, match="group"):
        split_index(grouped([7, 7, 7, 7]).with_columns({"group": ["all"] * 28}), 0)
