from __future__ import annotations

import pytest

from pictaxa.errors import UsageError
from pictaxa.system.pages import README, find_page, pages


def test_every_page_is_found():
    """By its name, with its heading; the README is one; those of another language stand by themselves."""
    english, chinese = pages("en"), pages("zh")
    assert {"data", "from-keras", "python", "installing", "measured/data", "lessons/loss", README} <= set(english)
    assert {"from-keras", "python", "lessons/loss", README} <= set(chinese) <= set(english) | {"terms"}
    assert english["data"].title and all(page.title for page in (*english.values(), *chinese.values()))


def test_a_page_by_any_of_its_names():
    """As other pages write it, too."""
    right = find_page("from-keras").text
    for name in ("from-keras.md", "docs/from-keras.md", "docs\\from-keras.md"):
        assert find_page(name).text == right
    assert find_page("README.md").text.startswith("# pictaxa")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in find_page("from-keras", "zh").text)


def test_a_page_that_is_not_there():
    """Close ones are told; where only the translation is missing it is the English one."""
    with pytest.raises(UsageError, match="Did you mean from-keras"):
        find_page("from-kears")
    assert find_page("measured/data", "zh") == find_page("measured/data")
