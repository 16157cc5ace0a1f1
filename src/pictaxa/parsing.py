"""Words of the command line to dataclasses; a mistake becomes an error of one line."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TypeVar, cast

from .errors import ConfigError, close_matches, one_line

Arguments = TypeVar("Arguments")


def take_flag(words: list[str], flag: str) -> tuple[str | None, list[str]]:
    """The value of `--flag VALUE` or `--flag=VALUE`, and the other words."""
    for place, word in enumerate(words):
        if word.startswith(flag + "="):
            return word.partition("=")[2], words[:place] + words[place + 1 :]
        if word == flag:
            if place + 1 == len(words):
                raise ConfigError(f"a value after {flag}", found="none", fix=f"Write {flag} PATH.")
            return words[place + 1], words[:place] + words[place + 2 :]
    return None, words


def with_recipe(words: list[str], name: str) -> list[str]:
    """A recipe's settings as flags, and the words after them, which win."""
    from .config import LENGTHS
    from .recipes import find_recipe

    flags = []
    for setting, value in find_recipe(name).settings.items():
        values = value if isinstance(value, tuple) else (value,)
        if values and not (setting in LENGTHS and gives_length(words)):
            flags += [f"--{setting.replace('_', '-')}", *map(str, values)]
    # The last flag takes one word, so that DATA, which may follow, is none of its values.
    return [*flags, "--recipe", name, *words]


def gives_length(words: list[str]) -> bool:
    """Whether one of them is a flag that says when the training ends."""
    from .config import LENGTHS

    return any(word.partition("=")[0] in {f"--{name}" for name in LENGTHS} for word in words)


def parse(kind: type[Arguments], words: list[str], command: str, *, default: Arguments | None = None) -> Arguments:
    """Words to a dataclass through tyro; a mistake becomes a ConfigError of one line."""
    import tyro

    from .settings import config_fields

    flags = {"--" + name.replace("_", "-") for name in config_fields(kind)} | {"--help"}
    for word in words:
        name = word.partition("=")[0].replace("_", "-")
        if name.startswith("--") and name not in flags:
            raise ConfigError(f"a flag of pictaxa {command}", found=name, fix=close_matches(name, sorted(flags)))
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                kind,
                args=words,
                prog=f"pictaxa {command}",
                default=cast(Arguments, default),  # None is tyro's own word for no default, which its types leave out
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        text = one_line("".join(c for c in said.getvalue() if c not in "╭╮╰╯│─"))
        raise ConfigError(
            f"the arguments of pictaxa {command}", found=_found(text), fix=f"See pictaxa {command} --help."
        ) from None


# What tyro says, and that in few words.
SAYINGS = (
    (r"invalid choice (?P<word>.+?) for argument '(?P<flag>.+?)'\. Expected one of \((?P<known>.+?)\)\.",
     "{word} for {flag}, which is one of {known}"),
    (r"Missing value for argument '(?P<flag>.+?)'", "nothing after {flag}"),
    (r"Error parsing (?P<flag>\S+):.* from \[(?P<word>[^]]*)\]\.", "{word} for {flag}"),
    (r"Required options Missing from .*?: (?P<flag>\S+)", "no {flag}"),
    (r"Unrecognized options: (?P<word>.+)", "{word}, one word too many"),
)  # fmt: skip


def _found(text: str) -> str:
    text = text.partition("For full helptext")[0].strip()
    for pattern, told in SAYINGS:
        if match := re.search(pattern, text):
            return told.format(**match.groupdict())
    return text
