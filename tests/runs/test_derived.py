from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pictaxa.runs.derived import changed_since, digests, find_derived, keep_derived, tell_made_again
from pictaxa.runs.folder import Run
from pictaxa.runs.manifest import write_manifest
from pictaxa.runs.names import CONFIG, JUDGEMENT, MANIFEST
from pictaxa.runs.writer import only_writer


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A folder with one file, and the list of it."""
    (tmp_path / CONFIG).write_text("{}")
    write_manifest(tmp_path)
    return Run(tmp_path)


def test_a_kept_file_is_found_and_listed(run: Run):
    """What is kept is found again, and the run's list has it beside what it had."""
    assert find_derived(run, JUDGEMENT) is None
    assert keep_derived(run, JUDGEMENT, lambda path: path.write_text("one"))
    assert find_derived(run, JUDGEMENT) == run.path / JUDGEMENT
    assert json.loads((run.path / MANIFEST).read_text())[JUDGEMENT]["size"] == 3
    assert {path.name for path in run.path.iterdir()} == {CONFIG, JUDGEMENT, MANIFEST}


def test_a_changed_file_is_not_found(run: Run, capsys: pytest.CaptureFixture[str]):
    """Nor one that the list has not, or a folder; it is told before another takes its place. Without a list it is."""
    keep_derived(run, JUDGEMENT, lambda path: path.write_text("one"))
    (run.path / JUDGEMENT).write_text("two")
    assert find_derived(run, JUDGEMENT) is None
    tell_made_again(run, JUDGEMENT)
    assert JUDGEMENT in capsys.readouterr().err
    tell_made_again(run, JUDGEMENT, changed=[CONFIG])
    assert CONFIG in capsys.readouterr().err
    write_manifest(run.path)  # as a training does, which knows nothing of what was made before it
    assert find_derived(run, JUDGEMENT) is None
    tell_made_again(run, JUDGEMENT)
    assert not capsys.readouterr().err
    (run.path / MANIFEST).unlink()
    assert find_derived(run, JUDGEMENT) == run.path / JUDGEMENT
    (run.path / JUDGEMENT).unlink()
    (run.path / JUDGEMENT).mkdir()
    assert find_derived(run, JUDGEMENT) is None
    assert not keep_derived(run, JUDGEMENT, lambda path: path.write_text("three"))


def test_another_writer_keeps_it_out(run: Run):
    """While a training writes in the folder nothing else does, and that is no error."""
    with only_writer(run.path):
        assert not keep_derived(run, JUDGEMENT, lambda path: path.write_text("one"))
    assert not (run.path / JUDGEMENT).exists()


def test_what_it_is_made_of_is_known_by_content(run: Run):
    """Another content is another digest, with a list and without; a file that is gone can't be told."""
    made_from = digests(run, (CONFIG, "gone.csv"))
    assert made_from == {CONFIG: hashlib.sha256(b"{}").hexdigest()}
    assert not changed_since(run, made_from)
    (run.path / MANIFEST).unlink()
    assert not changed_since(run, made_from)
    (run.path / CONFIG).write_text("{ }")
    assert changed_since(run, made_from) == [CONFIG]
    (run.path / CONFIG).unlink()
    assert not changed_since(run, made_from)
