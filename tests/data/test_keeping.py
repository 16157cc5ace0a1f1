from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pictaxa.cli.main import main
from pictaxa.data.keeping import list_caches

Make = Callable[..., Path]


def test_caches_are_listed_and_cleaned(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """Each with its data set and its size; what is gone can go, then everything; what is not ours stays."""
    cache = tmp_path / "cache"
    for name in ("here", "there"):
        data = make_photos(tmp_path / name, {"a": 6, "b": 6})
        words = ["train", str(data), *tiny, "--epochs", "1", "--cache", str(cache)]
        assert main([*words, "--out", str(tmp_path / f"run-{name}")]) == 0
    (cache / "mine").mkdir()
    (cache / "mine" / "letter.txt").write_text("x")
    shutil.rmtree(tmp_path / "there")
    capsys.readouterr()
    assert main(["cache", "--cache", str(cache)]) == 0
    out = capsys.readouterr().out
    assert f"pixels of {tmp_path / 'here'}" in out and f"{tmp_path / 'there'} (its data set no longer exists)" in out
    assert main(["cache", "--cache", str(cache), "--clean", "gone"]) == 0
    assert [kept.what for kept in list_caches(cache)] == [f"pixels of {tmp_path / 'here'}"]
    assert main(["cache", "--cache", str(cache), "--clean", "all"]) == 0
    assert [path.name for path in cache.iterdir()] == ["mine"]
    assert main(["cache", "--cache", str(tmp_path / "none")]) == 0
