"""Labels as people type them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictaxa.data.labels import clean_label, clean_labels, find_twins, look_of, visible


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("cat ", "cat"), (" cat", "cat"), ("cat\u00a0", "cat"), ("\u200bcat", "cat"), ("c\u200bat", "cat"),
        ("\ufeffcat", "cat"), ("cat\u3000", "cat"), ("cat\t\n", "cat"), ("cat\u200d \u200c", "cat"),
        ("big dog", "big dog"), ("cafe\u0301", "café"), ("\u00a0\u200b", ""), ("", ""),
        ("می\u200cروم", "می\u200cروم"), ("👩\u200d🌾", "👩\u200d🌾"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_taken_off(typed: str, kept: str):
    """Blanks at the ends and what has no width go; joiners within words and emoji belong to them."""
    assert clean_label(typed) == kept


@given(st.text(max_size=12))
def test_cleaning_twice_changes_nothing(text: str):
    """A cleaned label is clean, and never longer than what was composed of it."""
    once = clean_label(text)
    assert clean_label(once) == once
    assert once == once.strip()


def test_a_column_says_what_it_changed():
    """Rows keep their order; each changed spelling is told once, and an empty cell is no change."""
    kept, changed = clean_labels(pa.array(["cat", "cat ", None, "dog", "cat "]))
    assert kept.to_pylist() == ["cat", "cat", "", "dog", "cat"]
    assert changed == [("cat ", "cat")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rose", "rose"),
        ("big  dog", "big dog"),
        ("big\u00a0dog", "big dog"),
        ("ｃａｔ", "cat"),
        ("сat", "cat"),
        ("ﬁsh", "fish"),
    ],
)
def test_names_that_look_the_same(one: str, other: str):
    """Case, blanks within, width and letters of another script that are drawn alike make no two classes."""
    assert look_of(one) == look_of(other)
    assert find_twins(["x", one, "y", other]) == (one, other)


def test_names_that_can_be_told_apart():
    """Numbers, accents and hyphens tell names apart; so does case where it is meant."""
    assert find_twins(["1", "01", "résumé", "resume", "t-shirt", "t shirt", "玫瑰", "玫瑰花"]) is None
    assert find_twins(["A", "a"], folds_case=False) is None


def test_blanks_are_made_visible():
    """In a message two names that look the same can be told apart."""
    assert visible("big  dog") == "'big␣␣dog'"
    assert visible("a\u00a0b") == "'a<U+00A0>b'"
    assert visible("big dog") == "'big dog'"
