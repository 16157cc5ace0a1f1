from __future__ import annotations

import math

import pytest

from pictaxa.config.checking import flag, require, require_within
from pictaxa.errors import ConfigError


def test_what_does_not_hold_is_told():
    """The error says what is expected, what was found, and what to do."""
    require(True, "anything", found=None, fix="Nothing.")
    with pytest.raises(ConfigError, match=r"--size of a picture.*0.*Use 224\."):
        require(False, "--size of a picture", found=0, fix="Use 224.")


def test_flags_have_hyphens():
    """A setting's name in Python and its flag."""
    assert flag("batch_size") == "batch-size"


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "told"),
    [
        ({"least": 1}, (1, 10**9, None), (0, -1), "--batch-size 1 or more"),
        ({"above": 0}, (1e-30, 5), (0, -1), "--batch-size above 0"),
        ({"least": 0, "below": 1}, (0, 0.999), (1, -0.1), "--batch-size 0 or more and below 1"),
        ({"above": 0, "most": 1}, (1, 0.5), (0, 1.1), "--batch-size above 0 and 1 or less"),
    ],
)
def test_ranges(limits: dict[str, float], inside: tuple[float, ...], outside: tuple[float, ...], told: str):
    """Their ends belong to them or not, nothing asked for is fine, no number is none, and an example is given."""
    for value in inside:
        require_within("batch_size", value, such_as="32", **limits)
    for value in (*outside, math.nan, math.inf):
        with pytest.raises(ConfigError) as error:
            require_within("batch_size", value, such_as="32", **limits)
        range_told = told if math.isfinite(value) else told.replace("size ", "size a finite number ", 1)
        assert f"expected {range_told}; found {value}. Use --batch-size 32, for example." == str(error.value)
