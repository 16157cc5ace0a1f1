from __future__ import annotations

import pytest

from pictaxa.config.checking import flag, require
from pictaxa.errors import ConfigError


def test_what_does_not_hold_is_told():
    """The error says what is expected, what was found, and what to do."""
    require(True, "anything", found=None, fix="Nothing.")
    with pytest.raises(ConfigError, match=r"--size from 1 to 4096.*0.*Change it\."):
        require(False, "--size from 1 to 4096", found=0, fix="Change it.")


def test_flags_have_hyphens():
    """A setting's name in Python and its flag."""
    assert flag("batch_size") == "batch-size"
