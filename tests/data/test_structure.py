"""Which folders are splits and which are classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pictaxa.config.data import ReadingConfig
from pictaxa.data.reading import read_data
from pictaxa.data.split_names import WORDS, split_of_name
from pictaxa.data.structure import FolderReading, find_class_folders
from pictaxa.errors import DataError

SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def make(root: Path, paths: list[str]) -> Path:
    """A tree of files; a name in braces stands for two pictures."""
    for path in paths:
        names = [path] if path.endswith((".jpg", ".csv", ".txt")) else [f"{path}/0.jpg", f"{path}/1.jpg"]
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"x")
    return root


def read(root: Path, **config: object) -> tuple[dict[str, int], tuple[str, ...]]:
    """{"split/class": pictures} of those with a label, and the notes."""
    index = read_data(root, ReadingConfig(**config))  # type: ignore[arg-type]  # settings of several types by name
    found: dict[str, int] = {}
    for split, label in zip(index.column("split"), index.labels, strict=True):
        if label >= 0:
            key = f"{split}/{index.classes[label]}"
            found[key] = found.get(key, 0) + 1
    return found, index.notes


PLAIN = {  # what is plain: folders -> pictures by split and class, words of the notes
    "training_set": (["training_set/a", "training_set/b", "test_set/a"], {"train/a": 2, "train/b": 2, "test/a": 2}, ""),
    "one deeper": (
        ["seg_train/seg_train/a", "seg_train/seg_train/b", "seg_test/seg_test/a", "seg_pred/seg_pred"],
        {"train/a": 2, "train/b": 2, "test/a": 2}, "seg_pred",
    ),
    "eval beside test": (
        ["train/a", "train/b", "eval/a", "test/b"], {"train/a": 2, "train/b": 2, "val/a": 2, "test/b": 2}, "",
    ),
    "classes first": (
        ["a/train", "a/test", "b/train", "b/test"], {"train/a": 2, "test/a": 2, "train/b": 2, "test/b": 2}, "",
    ),
    "toy trains": (["train", "plane"], {"/train": 2, "/plane": 2}, ""),
    "test tubes": (["test tube", "beaker"], {"/test tube": 2, "/beaker": 2}, ""),
    "test beside its classes": (["a", "b", "test/a"], {"/a": 2, "/b": 2, "test/a": 2}, ""),
    "a test that nobody labelled": (["train/a", "train/b", "test"], {"train/a": 2, "train/b": 2}, "2 in test"),
    "loose pictures": (["a", "b", "9.jpg"], {"/a": 2, "/b": 2}, "skipped 1 pictures that are in no class folder"),
    "a class that only test has": (
        ["train/a", "train/b", "test/a", "test/unknown"], {"train/a": 2, "train/b": 2, "test/a": 2}, "unknown",
    ),
    "a class called test": (["train/test", "train/prod"], {"train/test": 2, "train/prod": 2}, ""),
    "other folders beside splits": (
        ["train/a", "train/b", "val/a", "extra/c"], {"train/a": 2, "train/b": 2, "val/a": 2}, "extra",
    ),
    "a wrapper": (["photos/a", "photos/b", "LICENSE.txt"], {"/a": 2, "/b": 2}, "photos"),
    "two wrappers and splits": (
        ["x/y/train/a", "x/y/train/b", "x/y/val/b"], {"train/a": 2, "train/b": 2, "val/b": 2}, "x/y",
    ),
    "folders within classes": (["animal/cat", "animal/dog", "plant/rose"], {"/animal": 4, "/plant": 2}, "animal/cat"),
    "one split alone": (["train/a", "train/b"], {"train/a": 2, "train/b": 2}, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_structure(tmp_path: Path, case: str):
    """What can be read in one way is read so, and what is left out is told."""
    paths, expected, words = PLAIN[case]
    found, notes = read(make(tmp_path / "data", paths))
    assert found == expected
    assert words in " | ".join(notes)


DOUBTFUL = {  # folders -> (flag that settles it, pictures then), for both readings
    "makes of trains": (
        ["train/old", "train/new", "plane/old", "plane/new"],
        {"split_folders": "yes"}, {"train/old": 2, "train/new": 2},
        {"split_folders": "no", "class_folder": "top"}, {"/train": 4, "/plane": 4},
    ),
    "a flat test beside classes": (
        ["cat", "dog", "test"],
        {"split_folders": "yes"}, {"/cat": 2, "/dog": 2},
        {"split_folders": "no"}, {"/cat": 2, "/dog": 2, "/test": 2},
    ),
    "years of classes": (
        ["2019/cat", "2019/dog", "2020/cat", "2020/dog"],
        {"class_folder": "top"}, {"/2019": 4, "/2020": 4},
        {"class_folder": "parent"}, {"/cat": 4, "/dog": 4},
    ),
    "a copy of the whole within": (
        ["cat", "dog", "cow", "all/cat", "all/dog", "all/cow"],
        {"class_folder": "top"}, {"/cat": 2, "/dog": 2, "/cow": 2, "/all": 6},
        {"class_folder": "parent"}, {"/cat": 4, "/dog": 4, "/cow": 4},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DOUBTFUL)
def test_a_doubtful_structure_stops_with_both_readings(tmp_path: Path, case: str):
    """The error names both readings and the flag; with the flag each is read."""
    paths, one, expected_one, other, expected_other = DOUBTFUL[case]
    root = make(tmp_path / "data", paths)
    with pytest.raises(DataError) as caught:
        read_data(root)
    for flag, value in (next(iter(one.items())), next(iter(other.items()))):
        assert f"--{flag.replace('_', '-')} {value}" in str(caught.value)
    assert read(root, **one)[0] == expected_one
    assert read(root, **other)[0] == expected_other


def test_only_others_than_training_are_refused(tmp_path: Path):
    """valid and test with nothing to train on are no classes."""
    root = make(tmp_path / "data", ["valid/a", "valid/b", "test/a"])
    with pytest.raises(DataError, match="only test, valid"):
        read_data(root)
    reader = FolderReading(root, ReadingConfig(), for_training=False)  # to be judged they are enough
    assert {folder.split for folder in find_class_folders(reader)} == {"val", "test"}


def test_labels_from_the_names_of_files(tmp_path: Path):
    """cat.0.jpg in one folder beside an unlabelled test: the error tells the pattern, and the pattern reads them."""
    root = make(
        tmp_path / "data",
        ["train/cat.0.jpg", "train/cat.1.jpg", "train/dog.0.jpg", "train/dog.1.jpg", "test/1.jpg", "test/2.jpg"],
    )
    with pytest.raises(DataError) as caught:
        read_data(root)
    told = str(caught.value)
    assert "cat, dog" in told and "--label-pattern" in told
    pattern = told.split("--label-pattern '")[1].split("' if")[0]
    found, notes = read(root, label_pattern=pattern)
    assert found == {"train/cat": 2, "train/dog": 2}
    assert "skipped 2 pictures whose names don't fit" in " | ".join(notes)
    assert read(root, label_pattern=r"/(?P<label>\w+)\.\d")[0] == found


@pytest.mark.parametrize(("pattern", "words"), [("(", "regular expression"), ("xyz", "fit --label-pattern 'xyz'")])
def test_patterns_that_find_nothing(tmp_path: Path, pattern: str, words: str):
    """A pattern that is none, or fits no picture, is one line."""
    root = make(tmp_path / "data", ["cat.0.jpg", "dog.0.jpg"])
    with pytest.raises(DataError, match=words):
        read_data(root, ReadingConfig(label_pattern=pattern))


def test_a_table_beside_loose_pictures_is_pointed_to(tmp_path: Path):
    """labels.csv beside train/ID.jpg: the error says to give the table."""
    root = make(tmp_path / "data", ["train/0a.jpg", "train/0b.jpg", "labels.csv"])
    with pytest.raises(DataError, match="Give the table"):
        read_data(root)


@SETTINGS
@given(
    spelt=st.tuples(*(st.sampled_from(WORDS[split]) for split in ("train", "val", "test"))),
    around=st.sampled_from(["{}", "{}_set", "my-{}", "{}2", "{} images", "v1.{}", "{}set", "birds_{}_01"]),
    form=st.sampled_from([str, str.upper, str.title]),
    classes=st.lists(st.sampled_from(["cat", "dog", "玫瑰", "a b", "7"]), min_size=2, max_size=4, unique=True),
)  # fmt: skip
def test_any_spelling_of_splits(
    tmp_path_factory: pytest.TempPathFactory,
    spelt: tuple[str, ...],
    around: str,
    form: Callable[[str], str],
    classes: list[str],
):
    """Splits in any word, with words or digits around them, in any case: never classes, always these."""
    root = tmp_path_factory.mktemp("tree")
    names = [around.format(form(word)) for word in spelt]
    make(root, [f"{name}/{label}" for name in names for label in classes])
    index = read_data(root)
    assert set(index.classes) == set(classes)
    tops = [path.split("/")[0] for path in index.column("path")]
    splits = dict(zip(tops, index.column("split"), strict=True))
    assert splits == dict(zip(names, ("train", "val", "test"), strict=True))
    assert [split_of_name(name) for name in names] == ["train", "val", "test"]
