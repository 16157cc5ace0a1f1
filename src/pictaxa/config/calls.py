"""Wrong calls of the Python functions, told in one line: what was given, and what is taken."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_args, get_type_hints

from ..errors import SettingError, close_matches
from .renamed import RENAMED

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def says_what_it_takes(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Make a function tell a call that it doesn't take as a SettingError, which is a TypeError too.

    Args:
        function: its keyword arguments may come from a TypedDict, as `**settings: Unpack[TrainKeywords]`.

    Returns:
        The same function, for type checkers, editors and `help` too.

    Example:
        evaluate("run", devise="cpu")  # expected an argument of evaluate(); found 'devise'. Did you mean device?
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        known = _names(function, signature)
        for name in kwargs:
            if name not in known:
                fix = f"It is called {RENAMED[name]} now." if name in RENAMED else close_matches(name, known)
                raise SettingError(f"an argument of {function.__name__}()", found=repr(name), fix=fix)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:  # one is missing, or there are too many
            first = [name for name in known if name in signature.parameters]
            fix = f"It is {function.__name__}({', '.join(first)}), those with a default by name or left out."
            raise SettingError(f"the arguments of {function.__name__}()", found=str(error), fix=fix) from None
        return function(*args, **kwargs)

    return call


def _names(function: Callable[..., Any], signature: inspect.Signature) -> list[str]:
    """Of all arguments, those of a TypedDict included."""
    names = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            names.append(name)
            continue
        (keywords,) = get_args(get_type_hints(function)[name])
        names += get_type_hints(keywords)
    return names


def given_path(value: object, name: str, *, what: str) -> Path:
    """A path that was given as text or as a path; SettingError for anything else.

    Args:
        value: what was given.
        name: the argument's.
        what: the path of what it should be, such as "a run folder".
    """
    if isinstance(value, (str, os.PathLike)):
        return Path(value)
    return Path(given(value, str, name, what=f"the path of {what}"))  # which raises


def given(value: Any, kind: type[Result], name: str, *, what: str) -> Result:
    """A value of a type; SettingError, with `what` should have been given, for one of another."""
    if isinstance(value, kind):
        return value
    shown = repr(value)
    found = f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}"
    raise SettingError(f"{name} to be {what}", found=found, fix=f"Change {name}.")
