"""errors.py: what is one tree, and what a message looks like."""

from __future__ import annotations

import os
import pickle
import shlex

import pytest

from pictaxa import errors
from pictaxa.errors import (
    PictaxaError,
    PictureError,
    Problem,
    ProblemKind,
    UsageError,
    as_word,
    close_matches,
    one_line,
)


def test_all_errors_are_of_one_tree():
    """Each is a PictaxaError, and its message is one line."""
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(kinds) > 12 and all(issubclass(kind, PictaxaError) for kind in kinds)
    told = str(errors.DataError("two\nclasses", found="one", fix="Add one."))
    assert told == "expected two classes; found one. Add one."


def test_errors_cross_processes():
    """A picture's error is rebuilt with its name and reason, a mistake in words with its sentence."""
    error = pickle.loads(pickle.dumps(PictureError("a.jpg", ProblemKind.TRUNCATED.told("\n it ends"))))
    assert (error.name, error.reason) == ("a.jpg", "truncated: it ends")
    assert error.problem == Problem(ProblemKind.TRUNCATED, "truncated: it ends")
    assert (
        str(UsageError("There is no command 'x'.", fix="Did you mean y?")) == "There is no command 'x'. Did you mean y?"
    )


def test_near_words_come_first():
    """The nearest of many, or all where none is near."""
    assert close_matches("epohcs", ["epochs", "size"]) == "Did you mean epochs?"
    assert close_matches("zzz", ["b", "a"]) == "Choose one of: b, a."
    assert one_line("a\n\tb  c") == "a b c"


def test_a_path_in_a_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch):
    """Quoted where a shell would take it apart, as it is elsewhere; Windows' shells know double quotation marks."""
    for path in ("runs/one", "my runs/one", 'a\'b $(x)/"花"'):
        assert shlex.split(as_word(path)) == [path]
    assert as_word("runs/one") == "runs/one"
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        told = as_word("C:\\runs"), as_word("C:\\my runs")
    assert told == ("C:\\runs", '"C:\\my runs"')
