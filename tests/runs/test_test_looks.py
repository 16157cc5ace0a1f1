from __future__ import annotations

import json
from pathlib import Path

import pytest

from pictaxa.errors import RunError
from pictaxa.runs.folder import open_run
from pictaxa.runs.names import TEST_LOOKS
from pictaxa.runs.test_looks import add_test_look, looks_at, read_test_looks

Trained = tuple[Path, Path]


def test_looks_are_kept_in_their_order(trained: Trained):
    """Each with its data set, and with the same digest for the same pictures in any order."""
    run = open_run(trained[1])
    assert read_test_looks(run) == ()
    one, kept = add_test_look(run, "", ["b", "a"], right=1)
    two, _ = add_test_look(run, "/other", ["c"], right=1)
    three, _ = add_test_look(run, "", ["a", "b"], right=2)
    assert kept and read_test_looks(run) == (one, two, three)
    assert looks_at(read_test_looks(run), "") == [one, three]
    assert one.digest == three.digest != two.digest and (one.accuracy, three.accuracy) == (0.5, 1.0)


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[1]", '[{"when": "", "data": "", "pictures": 2, "right": 3, "digest": ""}]']
)
def test_a_damaged_count_is_told(trained: Trained, text: str):
    """A torn file, one of something else, and one with more right than there are: never a first look."""
    _, path = trained
    (path / "manifest.json").unlink()
    (path / TEST_LOOKS).write_text(text)
    with pytest.raises(RunError, match=TEST_LOOKS):
        read_test_looks(open_run(path))


def test_a_count_that_was_changed_or_removed_is_told(trained: Trained):
    """The run's list has it, so that nobody begins to count anew by mistake."""
    run = open_run(trained[1])
    add_test_look(run, "", ["a"], right=1)
    (run.path / TEST_LOOKS).write_text(json.dumps([]))
    with pytest.raises(RunError, match="changed file"):
        read_test_looks(run)
    (run.path / TEST_LOOKS).unlink()
    with pytest.raises(RunError, match=r"test-looks\.json in the run folder"):
        add_test_look(run, "", ["a"], right=1)
