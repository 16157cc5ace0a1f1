from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.data.fetching import Fetcher
from pictaxa.data.listing import natural_order
from pictaxa.data.reading import read_data, survey
from pictaxa.errors import DataError

Make = Callable[..., Path]


def paths_by_class(root: Path) -> dict[str, list[str]]:
    index = read_data(root)
    found: dict[str, list[str]] = {name: [] for name in index.classes}
    for path, label in zip(index.column("path"), index.labels, strict=True):
        found[index.classes[label]].append(path)
    return found


def test_classes_are_in_natural_order():
    """Numbers in names count by value: 2 comes before 10, and case does not matter."""
    names = ["10", "2", "a10", "A2", "1"]
    assert sorted(names, key=natural_order) == ["1", "2", "10", "A2", "a10"]


def test_a_folder_per_class_at_any_depth(tmp_path: Path, make_photos: Make):
    """Pictures at any depth below a class belong to it, whatever their names hold."""
    make_photos(tmp_path, {"玫瑰": 1, "class 2": 1})
    deep = tmp_path / "玫瑰" / "a b" / "it's"
    deep.mkdir(parents=True)
    names = ['say "hi".png', "line\nbreak.png", "雏菊 花.png", "semi;colon,comma.png"]
    for name in names:
        (deep / name).write_bytes((tmp_path / "玫瑰" / "0.png").read_bytes())
    found = paths_by_class(tmp_path)
    assert set(found["玫瑰"]) == {"玫瑰/0.png", *(f"玫瑰/a b/it's/{name}" for name in names)}
    assert found["class 2"] == ["class 2/0.png"]


@pytest.mark.parametrize(
    "names",
    [("train", "val", "test"), ("training", "validation", "testing"), ("Train", "valid"), ("训练集", "验证集")],
)
def test_the_owners_splits_are_kept(tmp_path: Path, make_photos: Make, names: tuple[str, ...]):
    """Folders named like splits are splits, in any of their usual spellings."""
    for place, name in enumerate(names):
        make_photos(tmp_path / name, {"a": 2, "b": 1}, first=10 * place)
    index = read_data(tmp_path)
    assert index.classes == ("a", "b")
    assert sorted(set(index.column("split"))) == sorted(["train", "val", "test"][: len(names)])


def test_a_class_that_is_called_train(tmp_path: Path, make_photos: Make):
    """A folder `train` full of pictures beside other classes is a class of trains."""
    make_photos(tmp_path, {"train": 2, "plane": 2})
    assert read_data(tmp_path).classes == ("plane", "train")


def test_other_splits_are_mapped_by_name(tmp_path: Path, make_photos: Make):
    """A class that val lacks must not shift the labels of the ones after it; it is said."""
    make_photos(tmp_path / "train", {"a": 1, "b": 1, "c": 1})
    make_photos(tmp_path / "val", {"a": 1, "c": 1}, first=5)
    index = read_data(tmp_path)
    labels = dict(zip(index.column("path"), index.labels, strict=True))
    assert labels["val/c/5.png"] == labels["train/c/0.png"] == 2
    assert any("val has no picture of b" in note for note in index.notes)


def test_what_is_passed_over_is_said(tmp_path: Path, make_photos: Make):
    """Hidden and system folders, other files and empty classes are left out, and the index says so."""
    make_photos(tmp_path, {"a": 1, "b": 1})
    (tmp_path / ".cache").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "a" / "._0.png").write_bytes(b"resource fork")
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "labels.csv").write_text("x")
    index = read_data(tmp_path)
    said = " | ".join(index.notes)
    assert len(index) == 2
    for word in (".cache", "__MACOSX", "._0.png", ".txt", "empty", ".csv"):
        assert word in said, word


def test_the_same_name_composed_and_decomposed_is_one_class(tmp_path: Path, make_photos: Make):
    """é typed on a Mac and é typed elsewhere are the same class."""
    make_photos(tmp_path / "train", {"caf\u00e9": 1, "b": 1})
    make_photos(tmp_path / "val", {"cafe\u0301": 1}, first=5)
    assert set(read_data(tmp_path).labels[read_data(tmp_path).column("split") == "val"]) == {1}


def test_links_are_followed_and_broken_ones_set_aside(tmp_path: Path, make_photos: Make):
    """A link to a picture is a picture; one that leads nowhere is set aside with its reason."""
    make_photos(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "b" / "link.png").symlink_to(tmp_path / "a" / "0.png")
    (tmp_path / "b" / "broken.png").symlink_to(tmp_path / "nowhere")
    index = read_data(tmp_path)
    assert len(index) == 4
    assert [path for path, _ in index.set_aside()] == ["b/broken.png"]


def test_names_in_another_encoding_are_decoded(tmp_path: Path, make_photos: Make):
    """Folders and files whose names are GBK or Latin-1, as other systems write them, are read by their right names."""
    make_photos(tmp_path, {"b": 2})
    folder = os.fsencode(tmp_path) + b"/" + "花朵".encode("gbk")
    Path(os.fsdecode(folder)).mkdir()
    for name in (b"caf\xe9.png", "照片.png".encode("gbk")):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes((tmp_path / "b" / "0.png").read_bytes())
    index = read_data(tmp_path)
    assert index.classes == ("b", "花朵") and index.set_aside() == []
    assert "2 paths are not in UTF-8" in " | ".join(index.notes)
    assert sorted(index.column("path")) == ["b/0.png", "b/1.png", "花朵/café.png", "花朵/照片.png"]
    with Fetcher(index) as fetcher:
        assert {fetcher.fetch(row) for row in range(4)} >= {(tmp_path / "b" / "0.png").read_bytes()}


def test_a_name_in_no_encoding_is_shown_by_its_bytes(tmp_path: Path, make_photos: Make):
    """Bytes that make no sound name in any encoding are shown escaped, and the file is read all the same."""
    make_photos(tmp_path, {"a": 1, "b": 1})
    Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"/\xff\x98\x81.png")).write_bytes(b"x")
    index = read_data(tmp_path)
    row = index.column("path").tolist().index("a/\\xff\\x98\\x81.png")
    assert index.usable[row] and index.location(row)[0].read_bytes() == b"x"


BAD = {
    "nothing there": ("nothing at", lambda root, make: None),
    "empty folder": ("it is empty", lambda root, make: root.mkdir()),
    "a file": ("a file at", lambda root, make: root.write_text("x")),
    "no class folders": ("no class with a picture", lambda root, make: make(root.parent, {root.name: 3})),
    "one class": ("only 'a'", lambda root, make: make(root, {"a": 3})),
    "differ in case": ("'Rose' and 'rose'", lambda root, make: make(root, {"Rose": 2, "rose": 2})),
    "unknown class in val": (
        "found c",
        lambda root, make: (make(root / "train", {"a": 2, "b": 2}), make(root / "val", {"a": 1, "c": 1})),
    ),
    "a loop of links": (
        "leads back",
        lambda root, make: (make(root, {"a": 2, "b": 2}), (root / "a" / "again").symlink_to(root / "a")),
    ),
    "two folders for one split": (
        "'val' and 'valid'",
        lambda root, make: [make(root / name, {"a": 1, "b": 1}) for name in ("train", "val", "valid")],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_in_a_folder_are_one_line(tmp_path: Path, make_photos: Make, case: str):
    """Each mistake is a DataError of one line that says what was found."""
    words, arrange = BAD[case]
    arrange(tmp_path / "photos", make_photos)
    with pytest.raises(DataError) as caught:
        read_data(tmp_path / "photos")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_survey_reads_sizes_and_modes(tmp_path: Path, make_photos: Make, draw: Callable[..., object]):
    """The median longer side comes from the headers, and a set of grey pictures is known as one."""
    make_photos(tmp_path / "colour", {"a": 2, "b": 2})
    assert survey(read_data(tmp_path / "colour")) == (48, False)
    for path in (tmp_path / "colour").rglob("*.png"):
        draw(0, 0).convert("L").save(path)
    assert survey(read_data(tmp_path / "colour")) == (48, True)
