from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.errors import RunError
from pictaxa.runs.places import create_run, next_run_path


def test_a_run_is_made_in_a_free_place(tmp_path: Path):
    """Names count on, hold no blanks, and a folder with something in it is refused."""
    first = next_run_path(tmp_path / "my photos", "lenet5", parent=tmp_path)
    assert first.name == "my-photos-lenet5-1"
    create_run(first)
    (first / "something").write_text("")
    assert next_run_path(tmp_path / "my photos", "lenet5", parent=tmp_path).name == "my-photos-lenet5-2"
    with pytest.raises(RunError, match="a new or empty folder"):
        create_run(first)
