"""One battery over every layout of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from pictaxa.config.data import ReadingConfig
from pictaxa.data.fetching import Fetcher
from pictaxa.data.layout import Layout, files_within
from pictaxa.data.layouts import arrays, cifar, folders, idx, imagefolder, manifests, parquet, shards
from pictaxa.data.layouts.registry import LAYOUTS, find_layout, open_pictures, recognise
from pictaxa.data.reading import read_data
from pictaxa.errors import DataError

every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


def test_flag_and_registry_agree():
    """--layout offers every layout, and auto."""
    offered = get_args(get_type_hints(ReadingConfig)["layout"])
    assert set(offered) == {"auto", *(layout.name for layout in LAYOUTS)}
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)
    modules = (arrays, cifar, folders, idx, imagefolder, manifests, parquet, shards)
    assert {module.LAYOUT.name for module in modules} == {layout.name for layout in LAYOUTS}


@every_layout
def test_each_is_found_by_its_name(layout: Layout):
    """By the word of the flag."""
    assert find_layout(layout.name) is layout


@every_layout
def test_an_empty_folder_and_a_text_are_of_none(layout: Layout, tmp_path: Path):
    """Nothing is recognised in them, and what is told to read them says what it expected."""
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert not layout.recognises(text) and not layout.recognises(empty) and not layout.holds(text)
    with pytest.raises(DataError):
        layout.lists([empty], ReadingConfig(), for_training=True)


@every_layout
def test_files_are_held_by_one_layout(layout: Layout):
    """Each file with pictures in it is of one layout alone, or the first one would take another's."""
    files = {
        "parquet": "train-0.parquet", "shards": "a-00.tar", "arrays": "mnist.npz", "idx": "train-images-idx3-ubyte.gz",
        "cifar": "data_batch_1",
    }  # fmt: skip
    holders = [other.name for other in LAYOUTS if other.holds(Path(files.get(layout.name, "photo.jpg")))]
    assert holders == ([layout.name] if layout.name in files else [])
    assert (layout.opens is not None) == (layout.name in files)


def test_a_folder_of_none_may_still_hold_pictures(tmp_path: Path):
    """A folder is taken for one of pictures where nothing else is recognised; a file is not."""
    (tmp_path / "a").mkdir()
    found = recognise(tmp_path)
    assert found is not None and found.name == "folders"
    (tmp_path / "a.txt").write_text("")
    assert recognise(tmp_path / "a.txt") is None


def test_a_picture_within_a_file_of_no_layout(tmp_path: Path):
    """A table that points into such a file has a row with the reason; it is not taken for CIFAR's."""
    with pytest.raises(DataError, match="a file with pictures in it"):
        open_pictures(tmp_path / "album.zip")
    np.savez(tmp_path / "whole.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.array([0, 1, 0, 1]))
    (tmp_path / "album.zip").write_bytes(b"PK")
    rows = [f"whole.npz#x/{row},{'ab'[row % 2]}" for row in range(4)] + ["album.zip#1.jpg,a"]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    index = read_data(tmp_path / "table.csv")
    with Fetcher(index) as fetcher:
        assert np.asarray(fetcher.fetch(0)).shape == (8, 8)
        with pytest.raises(Exception, match="unreadable"):
            fetcher.fetch(4)


def test_files_within_a_folder(tmp_path: Path):
    """Those in it, else those one folder below, in order; none is an error."""
    (tmp_path / "data").mkdir()
    for name in ("b.tar", "a.tar"):
        (tmp_path / "data" / name).write_bytes(b"")
    assert [file.name for file in files_within([tmp_path], ".tar")] == ["a.tar", "b.tar"]
    (tmp_path / "c.tar").write_bytes(b"")
    assert files_within([tmp_path], ".tar") == [tmp_path / "c.tar"]
    with pytest.raises(DataError, match=r"\.parquet files"):
        files_within([tmp_path], ".parquet")


def test_several_places_of_a_layout_that_takes_one(tmp_path: Path):
    """A pattern of two folders, of pictures or of CIFAR's, is refused: all but the first would be passed over."""
    for name in ("a", "b"):
        for label in ("cat", "dog"):
            (tmp_path / name / label).mkdir(parents=True)
            (tmp_path / name / label / "0.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"one place for the layout folders; found 2: .*a, .*b\. Give one"):
        read_data(tmp_path / "{a,b}")
    with pytest.raises(DataError, match="one place for the layout cifar"):
        read_data(tmp_path / "{a,b}", ReadingConfig(layout="cifar"))
    with pytest.raises(DataError, match="files, or one folder"):
        read_data(tmp_path / "{a,b}", ReadingConfig(layout="parquet"))
    assert {layout.name for layout in LAYOUTS if layout.takes_one} == {"folders", "imagefolder", "cifar"}
