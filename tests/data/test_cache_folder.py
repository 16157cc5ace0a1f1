from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from pictaxa.data import cache_folder
from pictaxa.data.cache_folder import CacheLock, default_cache_root, disk_error


def test_the_cache_lies_where_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """PICTAXA_CACHE wins; without it the user's cache folder has it."""
    monkeypatch.setenv("PICTAXA_CACHE", str(tmp_path / "here"))
    assert default_cache_root() == tmp_path / "here"
    monkeypatch.delenv("PICTAXA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert default_cache_root() == tmp_path / "user" / "pictaxa"


def test_a_cache_of_an_earlier_version_is_used_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The system's place is taken where it is there already, or where there is no earlier cache."""
    monkeypatch.delenv("PICTAXA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "earlier"))
    usual = tmp_path / "Library" / "Caches" / "pictaxa"
    monkeypatch.setattr(cache_folder, "user_cache_path", lambda name, appauthor: usual)
    assert default_cache_root() == usual
    (tmp_path / "earlier" / "pictaxa").mkdir(parents=True)
    assert default_cache_root() == tmp_path / "earlier" / "pictaxa"
    usual.mkdir(parents=True)
    assert default_cache_root() == usual


def test_a_full_disk_says_how_much_is_wanted(tmp_path: Path):
    """The megabytes that are wanted and free, and how to give another folder; any other error says its own."""
    full = str(
        disk_error(OSError(errno.ENOSPC, "full"), what="decoded pictures", folder=tmp_path, wanted_bytes=5 * 10**6)
    )
    assert "5 MB of disk for decoded pictures" in full and "MB free at" in full and "PICTAXA_CACHE" in full
    other = str(
        disk_error(OSError(errno.EACCES, "Permission denied"), what="features", folder=tmp_path, wanted_bytes=1)
    )
    assert "Permission denied" in other and "Check its permissions" in other


def test_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Who comes second waits, says so, and goes on once the first has ended."""
    entered = []

    def second() -> None:
        with CacheLock(tmp_path):
            entered.append("second")

    with CacheLock(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.6)
        assert entered == []
    thread.join(timeout=10)
    assert entered == ["second"] and "waiting for another process" in capsys.readouterr().out
