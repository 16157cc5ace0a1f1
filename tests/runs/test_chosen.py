from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from pictaxa.errors import RunError
from pictaxa.runs.chosen import Chosen, read_chosen

CHOSEN = Chosen(
    model="lenet5", model_options=("dropout=0.3",), root="/photos", size=28, peak_lr=0.1, new_head=False, steps=12,
    notes=("read as idx",), machine={"device": "cpu"},
)  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    """A config.json as it is read again."""
    whole = {"asked": {"data": "/asked"}, "chosen": asdict(CHOSEN) | changes}
    return json.loads(json.dumps(whole))


def test_what_was_written_is_read():
    """All of it, through JSON."""
    assert read_chosen(document(), where="config.json") == CHOSEN


def test_runs_of_earlier_versions():
    """They lack the root, which was asked for, and that the head was new; what is more is passed over."""
    older = document(of_a_later_version=3)
    del older["chosen"]["root"], older["chosen"]["new_head"], older["chosen"]["notes"]
    read = read_chosen(older, where="config.json")
    assert read.root == "/asked" and read.new_head and read.notes == ()


@pytest.mark.parametrize(
    ("changes", "found"),
    [({"model": 3}, "model = 3"), ({"size": "28"}, "size = '28'"), ({"model_options": None}, "model_options = None")],
)
def test_what_is_of_another_kind(changes: dict[str, Any], found: str):
    """It is told with its file, and nothing is read."""
    with pytest.raises(RunError, match=r"run/config\.json") as told:
        read_chosen(document(**changes), where="run/config.json")
    assert found in str(told.value)


@pytest.mark.parametrize("damaged", [{}, {"asked": {}}, {"asked": [], "chosen": {}}, {"asked": {}, "chosen": {}}])
def test_what_is_missing(damaged: dict[str, Any]):
    """A document with nothing but its format is one line, too."""
    with pytest.raises(RunError, match="what was chosen for the training"):
        read_chosen({"format": 1, **damaged}, where="config.json")
