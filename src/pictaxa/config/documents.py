"""Text of JSON and YAML to Python values, within the limits of limits.py.

Both formats nest as deep as somebody likes, and what goes through the values later (`str`, a comparison, Arrow) does so
by recursion. YAML can name a part again and again, so that ten lines stand for a billion values.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ..limits import MAX_JSON_DEPTH, MAX_SETTINGS_BYTES, MAX_SETTINGS_DEPTH

STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
NO_BRACKET = re.compile(r"[^\[\]{}]+")


def parse_json(text: str) -> Any:
    """Read a document of JSON.

    Args:
        text: the document.

    Returns:
        The value: a dict, list, text, number, bool or None.

    Raises:
        ValueError: it is no JSON, or its brackets are nested more than MAX_JSON_DEPTH deep.

    Example:
        parse_json('{"label": "daisy"}')["label"]
    """
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
        raise ValueError(f"brackets nested more than {MAX_JSON_DEPTH} deep")
    return json.loads(text)


def _depth(text: str) -> int:
    """How deep brackets are nested; those in strings don't count."""
    brackets = NO_BRACKET.sub("", STRING.sub("", text)).encode()
    codes = np.frombuffer(brackets, dtype=np.uint8)
    steps = np.where((codes == ord("[")) | (codes == ord("{")), 1, -1)
    return int(np.cumsum(steps).max(initial=0))


def parse_settings(text: str, *, is_yaml: bool) -> Any:
    """Read a config or augmentation file: JSON, or YAML without anchors that are used again.

    Args:
        text: the file's text.
        is_yaml: whether it is YAML.

    Returns:
        The value, in YAML's plain types.

    Raises:
        ValueError: it is neither, or is larger or more deeply nested than settings are, or uses an alias.

    Example:
        parse_settings("rotation: 30", is_yaml=True)  # {"rotation": 30}
    """
    if len(text) > MAX_SETTINGS_BYTES:
        raise ValueError(f"{len(text):,} characters, more than {MAX_SETTINGS_BYTES:,}")
    document = _parse_yaml(text) if is_yaml else parse_json(text)
    _check_numbers(document)
    return document


def _parse_yaml(text: str) -> Any:
    import yaml  # loaded only for this

    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = f" in line {event.start_mark.line + 1}" if event.start_mark else ""
                raise ValueError(f"the alias *{event.anchor}{line}: write it out instead")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_SETTINGS_DEPTH:
                raise ValueError(f"settings nested more than {MAX_SETTINGS_DEPTH} deep")
        return yaml.safe_load(text)
    except (yaml.YAMLError, OverflowError) as error:  # the latter of dates that can't be
        raise ValueError(str(error)) from None


def _check_numbers(value: Any) -> None:
    """Python's whole numbers have no end; a float can't hold such a one, and nobody can print it."""
    if isinstance(value, int) and value.bit_length() > 64:
        raise ValueError(f"a number of {value.bit_length()} bits")
    for item in (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(item)
