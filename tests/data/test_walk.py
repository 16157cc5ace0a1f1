"""The one walk over folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pictaxa.config.data import ReadingConfig
from pictaxa.data.index import Index
from pictaxa.data.reading import read_data
from pictaxa.data.walk import PassedOver, is_hidden, list_entries, walk_pictures
from pictaxa.errors import DataError, PictureError
from pictaxa.inference.inputs import named_pictures, walk


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes with what people have among their pictures."""
    root = tmp_path / "photos"
    for path in (
        "a/1.jpg", "a/deep/2.png", "b/3.jpg", "a/.hidden.jpg", "a/@eaDir/1.jpg/THUMB.jpg", "__MACOSX/a/._1.jpg",
        "#recycle/old.jpg", "a/notes.txt", "b/noext", "b/~$open.jpg",
    ):  # fmt: skip
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "4.jpg").write_bytes(b"x")
    (root / "b" / "linked").symlink_to(elsewhere)
    return root


def test_training_and_prediction_see_the_same_pictures(tree: Path):
    """Links are followed, the systems' folders are passed over, by both alike and in one order."""
    found = [str(path.relative_to(tree)) for path in walk([tree])]
    assert found == ["a/1.jpg", "a/deep/2.png", "b/3.jpg", "b/linked/4.jpg"]
    assert sorted(read_data(tree).column("path")) == found


def test_what_is_passed_over_is_counted(tree: Path):
    """Hidden and system names, other files by suffix: nothing is left out without a word."""
    passed = PassedOver()
    list(walk_pictures(tree, passed))
    said = " | ".join(passed.notes())
    assert passed.hidden.total() == 5 and passed.other_files == {".txt": 1, "": 1}
    for word in (
        "5 hidden",
        "#recycle",
        "@eaDir",
        "__MACOSX",
        "2 files that are not pictures",
        ".txt x1",
        "no suffix x1",
    ):
        assert word in said, word


def test_a_loop_of_links_ends(tree: Path):
    """A link that leads back is passed over once, and told."""
    (tree / "a" / "again").symlink_to(tree)
    passed = PassedOver()
    assert len(list(walk_pictures(tree, passed))) == 4
    assert [Path(link).name for link, _ in passed.loops] == ["again"]
    assert "lead back" in passed.notes()[0] or "lead back" in passed.notes()[-1]


def test_a_folder_that_may_not_be_read_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch):
    """The rest goes on."""
    real = os.scandir

    def denied(folder: str | Path) -> object:
        if str(folder).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", denied)
    passed = PassedOver()
    assert len(list(walk_pictures(tree, passed))) == 3
    assert "could not read 1 folders" in passed.notes()[-1] and "Permission denied" in passed.notes()[-1]


@pytest.mark.parametrize(
    "name", [".git", "__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "Thumbs.db", "~$report.docx", "@Recycle"]
)
def test_names_of_systems(name: str):
    """What NAS and office programs leave among pictures."""
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["cat", "@home", "#1", "recycle", "~tilde"])
def test_other_names_are_the_owners(name: str):
    """A class may begin with a sign."""
    assert not is_hidden(name)


def test_entries_come_by_name(tree: Path):
    """The order does not depend on the disk."""
    assert [entry.name for entry in list_entries(tree / "b", PassedOver())] == ["3.jpg", "linked", "noext"]


GOOD = ("a/1.jpg", "a/2.jpg", "a/3.jpg", "b/4.jpg", "b/5.jpg", "b/6.jpg")


@pytest.fixture
def pipes(tmp_path: Path) -> Path:
    """Two classes of three pictures, and what is no file: pipes, a link to one, a device."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    for name in GOOD:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    (tmp_path / "b" / "link.jpg").symlink_to(tmp_path / "a" / "pipe.jpg")
    (tmp_path / "b" / "zero.jpg").symlink_to("/dev/zero")
    return tmp_path


SET_ASIDE = {
    "a/pipe.jpg": "unreadable: a named pipe, not a file", "b/link.jpg": "unreadable: a named pipe, not a file",
    "b/zero.jpg": "unreadable: a device, not a file",
}  # fmt: skip


def reasons_of(index: Index) -> dict[str, str]:
    return {path: str(problem) for path, problem in index.set_aside()}


def test_pipes_and_devices_in_a_folder(pipes: Path):
    """Each is a row with its reason, and never opened; so it is where a prediction is asked for."""
    index = read_data(pipes)
    assert reasons_of(index) == SET_ASIDE and index.usable.sum() == len(GOOD)
    reasons = {}
    for name, fetch in named_pictures([pipes]):
        if Path(name).stem.isalpha():
            with pytest.raises(PictureError) as error:
                fetch()
            reasons[str(Path(name).relative_to(pipes))] = error.value.reason
    assert reasons == SET_ASIDE


def test_pipes_and_devices_in_a_table(pipes: Path):
    """As paths of pictures, as files with pictures in them, and in a table's own place."""
    rows = ["path,label", *(f"{name},{name[0]}" for name in (*GOOD, *SET_ASIDE)), "a/pipe.jpg#inside,a", "a,b"]
    (pipes / "t.csv").write_text("\n".join(rows))
    index = read_data(pipes / "t.csv")
    pipe = SET_ASIDE["a/pipe.jpg"]
    assert reasons_of(index) == {**SET_ASIDE, "a/pipe.jpg#inside": pipe, "a": "unreadable: a folder"}
    os.mkfifo(pipes / "p.csv")
    for reading in (ReadingConfig(), ReadingConfig(layout="manifest"), ReadingConfig(layout="shards")):
        with pytest.raises(DataError, match=r"p\.csv.*a named pipe, not a file"):
            read_data(pipes / "p.csv", reading)


@pytest.mark.parametrize(
    "name",
    [
        "metadata.csv", "metadata.jsonl", "words.txt", "x.tar", "x.parquet", "x.npz", "x.h5", "data_batch_1",
        "train-images-idx3-ubyte",
    ],
)  # fmt: skip
def test_pipes_under_names_that_layouts_look_for(pipes: Path, name: str):
    """None is opened to see what it holds."""
    os.mkfifo(pipes / name)
    assert read_data(pipes).usable.sum() == len(GOOD)
    (pipes / "only").mkdir()
    os.mkfifo(pipes / "only" / name)
    with pytest.raises(DataError):
        read_data(pipes / "only")
