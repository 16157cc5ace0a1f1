"""Words of the command line to dataclasses; a mistake becomes an error of one line."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TypeVar, cast

from ..config.renamed import now_called
from ..errors import ConfigError, close_matches, one_line

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
    """A recipe's settings as flags, without those that the words give themselves, and the words after them."""
    from ..config.learning import LENGTHS
    from ..config.recipes import find_recipe

    flags, given = [], {_flag_of(word) for word in words}
    for setting, value in find_recipe(name).settings.items():
        flag, values = f"--{setting.replace('_', '-')}", value if isinstance(value, tuple) else (value,)
        # A flag with several values adds up where it stands twice: the recipe's must not be there to win over it.
        if values and flag not in given and not (setting in LENGTHS and gives_length(words)):
            flags += [flag, *map(str, values)]
    # The last flag takes one word, so that DATA, which may follow, is none of its values.
    return [*flags, "--recipe", name, *words]


def gives_length(words: list[str]) -> bool:
    """Whether one of them is a flag that says when the training ends."""
    from ..config.learning import LENGTHS

    return any(word.partition("=")[0] in {f"--{name}" for name in LENGTHS} for word in words)


def parse(kind: type[Arguments], words: list[str], command: str, *, default: Arguments | None = None) -> Arguments:
    """Words to a dataclass through tyro; a mistake becomes a ConfigError of one line.

    A flag that takes several values may be repeated, and has them all; of any other the last one counts.
    """
    import tyro

    from ..config.by_name import config_fields

    fields = {"--" + name.replace("_", "-"): entry for name, entry in config_fields(kind).items()}
    flags = fields.keys() | {"--help"}
    for word in words:
        name = _flag_of(word)
        if name.startswith("--") and name not in flags:
            fix = now_called(name) or close_matches(name, sorted(flags))
            raise ConfigError(f"a flag of pictaxa {command}", found=name, fix=fix)
    several = {flag for flag, entry in fields.items() if str(entry.type).startswith("tuple[")}  # a Positional has none
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                kind,
                args=_joined(words, several),
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


def _flag_of(word: str) -> str:
    return word.partition("=")[0].replace("_", "-")


def _joined(words: list[str], several: set[str]) -> list[str]:
    """The words with each flag of `several` only once, with the values from all its places: tyro keeps the last's.

    That is its last place, because DATA may be the last word of all, and tyro keeps only that one for it.
    """
    parts: list[list[str]] = [[]]  # what stands before any flag, then each flag with the words up to the next
    for word in words:
        if word.startswith("-") and word.lstrip("-")[:1].isalpha():  # -1 is a value, for tyro too
            parts.append([])
        parts[-1].append(word)
    flags = [_flag_of(part[0]) if part else "" for part in parts]
    values: dict[str, list[str]] = {flag: [] for flag in flags}
    joined = []
    for place, (flag, part) in enumerate(zip(flags, parts, strict=True)):
        if flag not in several or flags.count(flag) == 1:
            joined += part
            continue
        values[flag] += [part[0].partition("=")[2], *part[1:]] if "=" in part[0] else part[1:]
        if flag not in flags[place + 1 :]:
            joined += [flag, *values[flag]]
    return joined


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
