from __future__ import annotations

import json

import pytest

from pictaxa.errors import MissingExtraError
from pictaxa.system.extras import need


def test_what_is_there_is_given():
    """The module itself."""
    assert need("json", extra="keras") is json


def test_what_is_not_there_says_how_to_install_it():
    """The extra by its name, in one line."""
    with pytest.raises(MissingExtraError, match=r"pip install 'pictaxa\[keras\]'"):
        need("no_such_package", extra="keras")
