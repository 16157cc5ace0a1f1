"""Settings by name: Python arguments and config files to a TrainConfig and back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import ConfigError, SettingError, close_matches
from ..limits import MAX_SETTINGS_BYTES
from .documents import parse_settings
from .learning import LENGTHS, NO_WEIGHTS
from .recipes import find_recipe
from .renamed import RENAMED, renamed
from .training import TrainConfig


def config_fields(config: type[Any]) -> dict[str, Field[Any]]:
    """Find every setting by its flat name, those of the groups included.

    Args:
        config: a dataclass of settings, such as TrainConfig.

    Returns:
        The fields by their names.

    Example:
        set(config_fields(TrainConfig)) >= {"data", "epochs", "lr"}
    """
    flat: dict[str, Field[Any]] = {}
    for entry in fields(config):
        factory = entry.default_factory
        if factory is not MISSING and is_dataclass(factory):
            flat |= config_fields(factory)
        else:
            flat[entry.name] = entry
    return flat


def with_words(config: TrainConfig, words: dict[str, Any]) -> TrainConfig:
    """Change settings of a config by their flat names.

    A recipe's settings come in where the words have none of their own.

    Args:
        config: what is changed; it stays as it is.
        words: values by names such as lr or batch_size, of the fields' own types; a path may be a str.

    Returns:
        The changed config.

    Raises:
        SettingError: a name is unknown (close ones are told), or a value is of another type.
        ConfigError: a value is out of its range.

    Example:
        with_words(TrainConfig(data=Path("photos")), {"epochs": 20, "model": "resnet18"})
    """
    known = config_fields(type(config))
    for word in words:
        if word not in known:
            fix = f"It is called {RENAMED[word]} now." if word in RENAMED else close_matches(word, known)
            raise SettingError("the name of a setting", found=repr(word), fix=fix)
    words = over(recipe_settings(words.get("recipe", "")), words)
    if any(words.get(name) is not None for name in LENGTHS):
        words = dict.fromkeys(LENGTHS) | words
    changed: TrainConfig = _change(config, words)
    return changed


def over(settings: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others that win over them.

    A length that is given takes the place of any other; with another model the options of the former fall away, and
    with weights for that model the normalization that belongs to the former's.
    """
    gone = set(LENGTHS) if any(others.get(name) is not None for name in LENGTHS) else set()
    if "model" in settings and others.get("model") not in (None, settings["model"]):
        gone.add("model_options")
        if str(others.get("weights") or NO_WEIGHTS) != str(NO_WEIGHTS):
            gone.add("normalization")
    return {name: value for name, value in settings.items() if name not in gone} | dict(others)


def recipe_settings(name: str) -> dict[str, Any]:
    """A recipe's settings by their names; none for "", ConfigError for one that is not there."""
    return dict(find_recipe(name).settings) if name else {}


def flat_settings(config: Any) -> dict[str, Any]:
    """The values of a dataclass of settings by their flat names, those of its groups included."""
    flat: dict[str, Any] = {}
    for name, value in vars(config).items():
        flat |= flat_settings(value) if is_dataclass(value) else {name: value}
    return flat


def changed_settings(config: TrainConfig) -> dict[str, Any]:
    """Find what of a config is not as it is by default.

    Args:
        config: any.

    Returns:
        Values by names that `with_words` takes.
    """
    usual = flat_settings(TrainConfig(data=config.data))
    changed = {name: value for name, value in flat_settings(config).items() if value != usual[name]}
    return {"data": config.data, **changed}


def training_like(arguments: Any) -> TrainConfig:
    """Make a training of other arguments, with every setting that they have by the same name.

    Args:
        arguments: a dataclass with `data`, and with settings of a TrainConfig in groups or by themselves.

    Returns:
        The TrainConfig; what the arguments lack is as it is by default.
    """
    shared = {name: value for name, value in flat_settings(arguments).items() if name in config_fields(TrainConfig)}
    return with_words(TrainConfig(data=arguments.data), shared)


def _change(config: Any, words: dict[str, Any]) -> Any:
    changes = {}
    kinds = get_type_hints(type(config))
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            changes[entry.name] = _change(value, words)
        elif entry.name in words:
            changes[entry.name] = _as_kind(words[entry.name], kinds[entry.name], name=entry.name)
    return replace(config, **changes)


def _as_kind(value: Any, kind: Any, *, name: str) -> Any:
    """The value as the field's type has it; SettingError when it can't be."""
    choices = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    for choice in choices:
        if choice is NoneType and value is None:
            return None
        if get_origin(choice) is Literal and value in get_args(choice):
            return value
        if choice is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        if choice in (int, str) and isinstance(value, choice) and not isinstance(value, bool):
            return value
        if choice is Path and isinstance(value, (str, os.PathLike)):
            return Path(value)
        if get_origin(choice) is tuple and isinstance(value, (list, tuple)):
            return tuple(str(item) for item in value)
    expected = " or ".join(
        ", ".join(map(str, get_args(choice))) if get_origin(choice) is Literal else _kind_name(choice)
        for choice in choices
    )
    raise SettingError(f"{name} to be {expected}", found=repr(value), fix=f"Change {name}.")


def _kind_name(kind: Any) -> str:
    names = {NoneType: "nothing", int: "a whole number", float: "a number", str: "text", Path: "a path"}
    return names.get(kind, "a list of words")


def to_json(config: TrainConfig) -> dict[str, Any]:
    """As written to config.json."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    return plain


def from_json(document: dict[str, Any]) -> TrainConfig:
    """From config.json or a YAML file, grouped or flat; what is absent keeps its default."""
    groups = {name for name, kind in get_type_hints(TrainConfig).items() if is_dataclass(kind)}
    words: dict[str, Any] = {}
    for name, value in document.items():
        words |= value if name in groups and isinstance(value, dict) else {name: value}
    if "data" not in words:
        raise ConfigError(
            "`data` in the config file",
            found="none",
            fix="Add a line with the folder of pictures, such as data: photos.",
        )
    return with_words(TrainConfig(data=_as_kind(words["data"], Path, name="data")), words)


def read_config_file(path: Path) -> TrainConfig:
    """Read a saved config: a run's config.json (its `asked` part), or JSON or YAML with the same names.

    Args:
        path: a .json, .yaml or .yml file.

    Returns:
        The TrainConfig.

    Raises:
        ConfigError: the file can't be read, or a setting in it is unknown or out of its range.
    """
    document = read_mapping(path, what="a config")
    if "asked" in document and not isinstance(document["asked"], dict):
        raise ConfigError("settings in `asked`", found=f"none in {str(path)!r}", fix="Restore the file.")
    if "asked" in document:  # of a run, which may be of the time when settings had other names
        config = from_json(renamed(document["asked"]) if document.get("format") == 1 else document["asked"])
        return replace(config, out=None)  # the run is there already
    return from_json(document)


def read_mapping(path: Path, *, what: str) -> dict[str, Any]:
    """Read `name: value` lines of a JSON or YAML file.

    Args:
        path: a .json, .yaml or .yml file.
        what: what it is to be, for the error, such as "a config".

    Returns:
        The values by their names.

    Raises:
        ConfigError: the file can't be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SETTINGS_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{what} file", found=f"{str(path)!r}: {error.strerror}", fix="Give a JSON or YAML file."
        ) from None
    try:
        document = parse_settings(data.decode("utf-8"), is_yaml=path.suffix.lower() in (".yaml", ".yml"))
    except (ValueError, TypeError, RecursionError) as error:  # an unhashable key is the second
        raise ConfigError("JSON or YAML", found=f"{str(path)!r}: {error}", fix="Correct the file there.") from None
    if not isinstance(document, dict):
        raise ConfigError("settings by name", found=f"none in {str(path)!r}", fix="Write `name: value` lines.")
    return document
