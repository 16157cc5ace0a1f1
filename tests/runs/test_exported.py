from __future__ import annotations

import json
from pathlib import Path

import pytest

from pictaxa.errors import RunError
from pictaxa.runs.exported import EXPORT, is_export, open_export


def test_what_is_no_export_is_told(tmp_path: Path):
    """No folder, an empty one, a document of another type, a format that is no number."""
    assert not is_export(tmp_path)
    for text in (None, "[]", "{}", json.dumps({"format": True}), json.dumps({"format": 0}), json.dumps({"format": 1})):
        if text is not None:
            (tmp_path / EXPORT).write_text(text)
        with pytest.raises(RunError):
            open_export(tmp_path)
