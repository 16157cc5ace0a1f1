"""Names of files that are not UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictaxa.data.file_names import find_on_disk, is_text, shown_name

WRITTEN = {
    "花朵": "gbk", "照片 (1)": "gbk", "玫瑰": "gb18030", "ネコ": "shift_jis",
    "いぬの写真": "shift_jis", "кошка": "cp1251",
    "café": "cp1252", "Blüten": "cp1252", "größe": "cp1252",
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_name_in_another_encoding_is_shown_as_it_was_typed(name: str):
    """Names as a zip made on another system has them."""
    raw = os.fsdecode(name.encode(WRITTEN[name]))
    assert not is_text(raw)
    assert shown_name(raw) == name


@settings(max_examples=200, deadline=None)
@given(names=st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=3))
def test_any_bytes_are_shown_and_found_again(tmp_path_factory: pytest.TempPathFactory, names: list[bytes]):
    """Whatever the bytes of a name are, it can be written down, and leads back to its own file."""
    parts = [name.replace(b"/", b"_").replace(b"\0", b"_") for name in names]
    parts = [b"_" + part if part in (b".", b"..") else part for part in parts]
    raw = os.fsdecode(b"/".join(parts))
    shown = shown_name(raw)
    shown.encode()
    tmp_path = tmp_path_factory.mktemp("names")
    place = tmp_path / raw
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"x")
    assert find_on_disk(tmp_path / shown).read_bytes() == b"x"


def test_a_place_that_is_not_there_stays_as_it_is(tmp_path: Path):
    """Nothing is found where nothing is; relative paths too."""
    assert find_on_disk(tmp_path / "no" / "花.jpg") == tmp_path / "no" / "花.jpg"
    assert find_on_disk(Path("nowhere")) == Path("nowhere")
