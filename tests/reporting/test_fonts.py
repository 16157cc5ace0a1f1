"""reporting/fonts.py: names in any script, side by side."""

from __future__ import annotations

import numpy as np
import pytest

from pictaxa.reporting.figures import confusion, svg
from pictaxa.reporting.fonts import OWN, font_for, has_wide, is_upright, writable

WITH_CHINESE = len(font_for(["玫瑰"]).get_family()) > 1
UNKNOWN = "\U0010fffd"  # of a private area, which no font has


def test_chinese_names_are_drawn_or_spelt_out():
    """With a Chinese font installed the characters are drawn as they are; without one they are never empty boxes."""
    assert writable(["rose", UNKNOWN]) == ["rose", "\\u10fffd"]
    if not WITH_CHINESE:
        pytest.skip("no installed font has Chinese characters (pip install pictaxa[chinese] brings one)")
    assert writable(["玫瑰", "rose"]) == ["玫瑰", "rose"]


def test_a_character_that_no_font_has_leaves_the_others_as_they_are():
    """An emoji beside Chinese names: it alone is spelt out, the fonts of the others are still there."""
    names = [f"a {UNKNOWN}", "玫瑰", "Ωμέγα"]
    assert font_for(names).get_family() == font_for(["玫瑰"]).get_family()
    assert writable(names)[0] == "a \\u10fffd" and writable(names)[2] == "Ωμέγα"
    if WITH_CHINESE:
        assert writable(names)[1] == "玫瑰"


def test_latin_needs_no_other_font():
    """matplotlib's own is the first of the list, and the only one where it has every character."""
    assert font_for(["rose", "Ωμέγα", "роза"]).get_family() == [OWN]


def test_what_stands_upright():
    """Wide characters and digits alone are written downwards; anything with a wide one is not turned over."""
    assert [is_upright(name) for name in ("玫瑰", "玫瑰2", "rose", "玫瑰 rose", "12", "")] == [True, True] + [False] * 4
    assert [has_wide(name) for name in ("玫瑰 rose", "バラ", "장미", "rose")] == [True, True, True, False]


def test_chinese_columns_of_the_confusion_matrix_stand_upright():
    """One character below the other, not slanted; Latin names are slanted as before."""
    names = ("玫瑰花", "rose")
    ticks = confusion(np.eye(2, dtype=int), names).axes[0].get_xticklabels()
    if WITH_CHINESE:
        assert ticks[0].get_text() == "玫\n瑰\n花" and ticks[0].get_rotation() == 0
    assert ticks[1].get_text() == "rose" and ticks[1].get_rotation() == 60
    assert "rose" in svg(confusion(np.eye(2, dtype=int), names))
