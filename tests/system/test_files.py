from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.system.files import write_atomically


def test_a_file_is_the_old_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Replaced in one step; where writing fails, what was there stays whole."""
    path = tmp_path / "notes.json"
    write_atomically(path, "old, 旧")
    assert path.read_text(encoding="utf-8") == "old, 旧"

    def fail(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="no room"):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old, 旧"
