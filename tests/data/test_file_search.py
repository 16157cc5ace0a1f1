"""Files for paths that are not there as they stand: what is taken for a file, and what never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.data.file_search import FileSearch, template_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """data/ with cat/{0.jpg, 1.PNG, x/2.jpeg} and dog/{0.jpg}, and a picture beside data/."""
    for name in ("cat/0.jpg", "cat/1.PNG", "cat/x/2.jpeg", "dog/0.jpg", "cat/.hidden/9.jpg"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(b"x")
    (tmp_path / "8.jpg").write_bytes(b"x")
    return tmp_path / "data"


def test_in_the_folder_that_a_path_names(folder: Path):
    """Another case, no suffix, .jpeg for .jpg; not another kind of picture, and nothing outside."""
    search = FileSearch(folder)
    found = {
        cell: search.alike(cell)
        for cell in ("cat/0", "cat/0.JPEG", "cat/1.png", "cat/1.jpg", "cat/7", "../8", "nowhere/0")
    }
    assert found == {
        "cat/0": "cat/0.jpg", "cat/0.JPEG": "cat/0.jpg", "cat/1.png": "cat/1.PNG", "cat/1.jpg": None, "cat/7": None,
        "../8": None, "nowhere/0": None,
    }  # fmt: skip


def test_anywhere_below(folder: Path):
    """By the name and as many folders as agree; of two that agree alike neither; nothing hidden, nothing outside."""
    search = FileSearch(folder)
    cells = ("2", "old/2.jpg", "pets/DOG/0.jpg", "0.jpg", "9.jpg", "8.jpg", "1234abcd-2.jpeg")
    assert [search.anywhere(cell) for cell in cells] == [
        "cat/x/2.jpeg", "cat/x/2.jpeg", "dog/0.jpg", None, None, None, "cat/x/2.jpeg",
    ]  # fmt: skip
    assert search.ambiguous == [("0.jpg", ["cat/0.jpg", "dog/0.jpg"])]


def test_a_beginning_that_is_not_needed(folder: Path):
    """The shortest without which most are there; none where they share none, or it leads nowhere."""
    search = FileSearch(folder)
    assert search.needless_beginning(["/a/b/cat/0.jpg", "/a/b/dog/0.jpg"]) == "/a/b/"
    assert search.needless_beginning(["/a/cat/0.jpg", "/b/dog/0.jpg"]) == ""
    assert search.needless_beginning(["a/mice/0.jpg", "a/mice/1.jpg"]) == ""


def test_a_template_fits_all_or_none():
    """What stands around each cell in its path; a single file is no rule."""
    assert template_of([("a", "train/a.jpg"), ("b", "train/b.jpg")]) == "train/{}.jpg"
    assert template_of([("a", "train/a.jpg"), ("b", "test/b.jpg")]) == ""
    assert template_of([("a", "train/a.jpg")]) == ""
