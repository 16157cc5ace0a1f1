"""Parses the command line into dataclasses with cyclopts; a mistake becomes a one-line error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_type_hints

from ..config.renamed import RENAMED
from ..errors import UsageError, one_line
from ..system.language import shown
from ..system.printing import print_line
from .exit_codes import FILES_FOLLOW

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError, Group
    from cyclopts.argument import ArgumentCollection

Arguments = TypeVar("Arguments")
Given = dict[str, list[str]]  # a setting's name -> its words
Fill = Callable[[Given], Mapping[str, Any]]  # what was given -> settings for what was not

HELP, HELP_ALL = ("--help", "-h"), "--help-all"
SETTINGS = "settings"  # title of those in no group


def parse(
    kind: type[Arguments],
    words: Sequence[str],
    command: str,
    *,
    common: Sequence[str] = (),
    example: str = "",
    fill: Fill | None = None,
) -> Arguments:
    """Parse words into a dataclass, with the fields of its groups as flags too; UsageError for words that don't fit.

    Settings of several values take all words up to the next flag, and may be repeated: the values add up. Of any other
    the last one counts.

    Args:
        kind: the dataclass; its docstring is the command's help, those of its fields theirs.
        words: the arguments after the command.
        command: its name, such as train.
        common: fields that --help shows; --help-all shows all, as --help does where none are named.
        example: a line to copy, shown by --help.
        fill: gives settings, by name, for those that no words give: those of a config file or a recipe.

    Raises:
        SystemExit: after --help and --help-all.
    """
    from cyclopts import CycloptsError

    end = [*words, FILES_FOLLOW].index(FILES_FOLLOW)
    options = ["./-" if word == "-" else word for word in words[:end]]  # cyclopts takes a lone hyphen for an option
    app = app_of(kind, command, common=() if HELP_ALL in options else common)
    if any(word in (*HELP, HELP_ALL) for word in options):
        from .help import help_console

        app.help_print([], console=help_console())
        if example:
            print_line(f"example: {example}")
        if common and HELP_ALL not in options:
            print_line(f"All settings: pictaxa {command} {HELP_ALL}")
        sys.exit(0)
    if fill is not None:
        app.config = (lambda app, commands, arguments: _fill(arguments, fill),)
    try:
        _, bound, _ = app.parse_args([*options, *words[end:]], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise UsageError(_told(error), fix=f"See pictaxa {command} --help.") from None
    bound.apply_defaults()
    return cast(Arguments, bound.arguments["arguments"])


def app_of(kind: type[Any], command: str, *, common: Sequence[str] = ()) -> App:
    """A command of cyclopts that takes a dataclass."""
    from cyclopts import App, Parameter

    from .help import CommonFirst

    for group in _groups(kind):
        if "__cyclopts__" not in vars(group):  # cyclopts' own mark: its fields stand beside the others
            Parameter(name="*", group=_group(_title(group)))(group)
    app = App(
        name=f"pictaxa {command}",
        help=shown(" ".join((kind.__doc__ or "").split())),
        help_format="markdown",
        help_flags=(),
        version_flags=(),
        help_formatter=CommonFirst(common),
        default_parameter=Parameter(negative=(), consume_multiple=True, allow_repeating=True),
        group_parameters=_group(SETTINGS),
    )

    def take(arguments: Any) -> None:
        """Takes what was parsed; what is done with it is the command's."""

    take.__annotations__["arguments"] = Annotated[kind, Parameter(name="*")]
    if all(entry.default is not MISSING or entry.default_factory is not MISSING for entry in fields(kind)):
        take.__defaults__ = (kind(),)
    app.default(take)
    return app


def _groups(kind: type[Any]) -> Iterator[type[Any]]:
    """The dataclasses among a dataclass's fields, and among theirs."""
    for hint in get_type_hints(kind).values():
        if is_dataclass(hint):
            yield cast(type[Any], hint)
            yield from _groups(cast(type[Any], hint))


@cache
def _group(title: str) -> Group:
    """The one group of that title; those in no group come first."""
    from cyclopts import Group

    return Group(title, sort_key=title != SETTINGS)


def _title(group: type[Any]) -> str:
    """What a group of settings is called: its docstring, where that is a few words and no sentence."""
    told = group.__doc__ or "."
    return SETTINGS if told.endswith(".") else told


def _fill(arguments: ArgumentCollection, fill: Fill) -> None:
    """Give settings that no words gave; cyclopts takes them as it takes words."""
    from cyclopts.token import Token

    by_name = {argument.name.removeprefix("--").replace("-", "_"): argument for argument in arguments if argument.parse}
    given = {name: [token.value for token in own.tokens] for name, own in by_name.items() if own.tokens}
    for name, value in fill(given).items():
        if name not in given:
            values = value if isinstance(value, (list, tuple)) else [value]
            for number, one in enumerate(values):
                by_name[name].append(Token(keyword=by_name[name].name, value=_word(one), index=number))


def _word(value: Any) -> str:
    return "none" if value is None else repr(value) if isinstance(value, float) else str(value)


def _told(error: CycloptsError) -> str:
    """What cyclopts says of a mistake, in one line, and in a few words more where it knows less than we do."""
    from cyclopts import MissingArgumentError, UnknownOptionError, UnusedCliTokensError

    text = one_line(str(error))
    if isinstance(error, UnusedCliTokensError):
        return f"Unexpected argument: {' '.join(map(repr, error.unused_tokens or ()))}."
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        missing = [
            part.name for part in (error.argument, *error.argument.children) if part.required and not part.tokens
        ]
        name = next(name for name in (*missing, error.argument.name) if name != "*")
        return f"{name} needs a value."
    if isinstance(error, UnknownOptionError):
        flag = (error.token.keyword or error.token.value).partition("=")[0]
        now = f"--{RENAMED.get(flag.removeprefix('--').replace('-', '_'), '')}".replace("_", "-")
        if any(now in argument.names for argument in error.argument_collection):
            return f"Unknown option: {flag}. It is called {now} now."
    return text
