"""The one reader of a run's JSON: a document becomes a value of a type, or an error that says where it does not fit.

The types are those of annotations: bool, int, float, str, None, Literal, tuples and lists of one type, dicts, unions,
dataclasses and TypedDicts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from ..errors import RunError

RESTORE = "Restore the file from a backup, or train again."
SHOWN = 60  # characters of a value that doesn't fit


class _Unfit(ValueError):
    """What doesn't fit, and where in the document."""


def read_json(path: Path, *, fix: str = RESTORE) -> Any:
    """Read a JSON file strictly: no name twice in an object, no NaN or infinity.

    Args:
        path: of a file that is there.
        fix: what to do about one that is damaged.

    Returns:
        The document.

    Raises:
        RunError: it is no JSON in UTF-8, or nested too deeply.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"JSON in {path.name}", str(error), fix=fix) from None
    except OSError as error:
        raise damaged(path, f"{path.name} to be readable", error.strerror or str(error), fix=fix) from None


def typed(
    document: Any, kind: Any, *, path: Path, expected: str = "", fix: str = RESTORE, passes_over: bool = False
) -> Any:
    """Make a value of a type of a JSON document.

    Args:
        document: what `read_json` gives.
        kind: the type, such as dict[str, int] or a dataclass.
        path: of the document's file, for errors.
        expected: what is expected of it, in words; by default the file's name says it.
        fix: what to do where it doesn't fit.
        passes_over: whether a dataclass may have names that it does not know, as later versions write.

    Returns:
        The value; lists become tuples where the type says so.

    Raises:
        RunError: something is missing, unknown, or of another type.

    Example:
        typed([1, 2], tuple[int, ...], path=Path("numbers.json"))  # (1, 2)
    """
    try:
        return _typed(document, kind, "", passes_over)
    except _Unfit as unfit:
        raise damaged(path, expected or f"the contents of {path.name}", str(unfit), fix=fix) from None


def damaged(path: Path, expected: str, found: str, *, fix: str = RESTORE) -> RunError:
    """The error for a file that does not hold what it should."""
    return RunError(expected, found=f"{str(path)!r}: {found}", fix=fix)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} twice in an object")
    return document


def _no_number(word: str) -> Any:
    raise ValueError(f"{word}, which is no number in JSON")


def _typed(value: Any, kind: Any, at: str, passes_over: bool) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        return _of_a_union(value, arguments, at, passes_over)
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
        raise _unfit(value, " or ".join(map(repr, arguments)), at)
    if kind is float:
        if type(value) in (int, float) and abs(value) <= 1e300 and math.isfinite(value):
            return value  # an int stays one: what is named by it is named as before
        raise _unfit(value, "a number", at)
    if kind in (int, str, bool, NoneType):
        if type(value) is kind:
            return value
        raise _unfit(value, {int: "a whole number", str: "text", bool: "true or false", NoneType: "null"}[kind], at)
    if origin in (tuple, list):
        if not isinstance(value, list):
            raise _unfit(value, "a list", at)
        if arguments[0] in (int, str) and set(map(type, value)) <= {arguments[0]}:
            return origin(value)  # a confusion matrix may have millions
        return origin(_typed(item, arguments[0], f"{at}[{i}]", passes_over) for i, item in enumerate(value))
    if not isinstance(value, dict):
        raise _unfit(value, "an object", at)
    if origin is dict:
        return {name: _typed(item, arguments[1], _below(at, name), passes_over) for name, item in value.items()}
    return _record(value, kind, at, passes_over)


def _of_a_union(value: Any, kinds: tuple[Any, ...], at: str, passes_over: bool) -> Any:
    for kind in kinds[:-1]:
        try:
            return _typed(value, kind, at, passes_over)
        except _Unfit:
            continue
    return _typed(value, kinds[-1], at, passes_over)


def _record(value: Mapping[str, Any], kind: Any, at: str, passes_over: bool) -> Any:
    """A dataclass or a TypedDict."""
    kinds = get_type_hints(kind)
    if is_typeddict(kind):
        required = set(kind.__required_keys__)
    else:
        assert is_dataclass(kind), kind
        required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    missing = [name for name in kinds if name in required and name not in value]
    unknown = [name for name in value if name not in kinds]
    if missing:
        raise _Unfit(f"no {_below(at, missing[0])}")
    if unknown and not passes_over:
        raise _Unfit(f"an unknown {_below(at, unknown[0])}")
    known = {name: _typed(value[name], kinds[name], _below(at, name), passes_over) for name in kinds if name in value}
    return kind(**known)


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _unfit(value: Any, expected: str, at: str) -> _Unfit:
    text = repr(value)
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return _Unfit(f"{at} = {shown} instead of {expected}" if at else f"{shown} instead of {expected}")
