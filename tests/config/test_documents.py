from __future__ import annotations

import time

import pytest

from pictaxa.config.documents import parse_json, parse_settings
from pictaxa.limits import MAX_JSON_DEPTH, MAX_SETTINGS_BYTES, MAX_SETTINGS_DEPTH

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


def test_json_is_what_python_makes_of_it():
    """Brackets in strings are not nested, however many; nor are those beside each other."""
    assert parse_json('{"a": [1, {"b": null}], "c": 2.5}') == {"a": [1, {"b": None}], "c": 2.5}
    assert parse_json('["' + "[{" * 10_000 + r"\"[[\\" + '"]') == ["[{" * 10_000 + '"[[\\']
    assert parse_json("[" + "[], {}, " * 10_000 + "1]")[-1] == 1


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth_is_bounded(opening: str, closing: str):
    """To the limit it is read; beyond, and a hundred thousand deep, it is an error and no crash."""
    times = MAX_JSON_DEPTH // (2 if len(closing) == 2 else 1)
    parse_json(opening * times + "1" + closing * times)
    for deep in (times + 1, 100_000):
        with pytest.raises(ValueError, match="nested more than 64 deep"):
            parse_json(opening * deep + "1" + closing * deep)


def test_an_open_string_takes_no_time():
    """A quote that is never closed, behind a megabyte of quotes and backslashes."""
    started = time.perf_counter()
    with pytest.raises(ValueError):
        parse_json("[" * 100 + '"' + "\\\\" * 500_000 + "[" * 10)
    assert time.perf_counter() - started < 1


def test_settings_in_yaml_and_json():
    """As one writes them; anchors that nobody uses do no harm."""
    assert parse_settings("rotation: 30\nerase: &x 0.5\n", is_yaml=True) == {"rotation": 30, "erase": 0.5}
    assert parse_settings('{"rotation": 30}', is_yaml=False) == {"rotation": 30}


def test_a_billion_laughs():
    """Forty lines that stand for 2^40 values: aliases are refused, with the line and what to do."""
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"the alias \*a0 in line 2: write it out instead"):
        parse_settings(LAUGHS, is_yaml=True)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("text", "is_yaml", "told"),
    [
        ("a: " + "[" * 30_000, True, f"more than {MAX_SETTINGS_DEPTH} deep"),
        ("a: 0x" + "f" * 20_000, True, "a number of 80000 bits"),
        ('{"a": [' + "9" * 4000 + "]}", False, "a number of 13288 bits"),
        ("9" * 5000, False, "digits"),
        ("# " + "x" * MAX_SETTINGS_BYTES, True, "characters, more than 262,144"),
        ("a: 2001-99-99", True, "month"),
        ("a: !!python/object:os.system {}", True, "could not determine a constructor"),
        ("a: [", True, "line 1"),
    ],
)
def test_settings_that_are_none(text: str, is_yaml: bool, told: str):
    """Each is a ValueError that says what is wrong."""
    with pytest.raises(ValueError, match=told):
        parse_settings(text, is_yaml=is_yaml)
