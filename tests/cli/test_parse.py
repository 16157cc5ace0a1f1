from __future__ import annotations

import ast
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from pictaxa.cli.arguments import (
    ConvertArguments,
    ConvertDataArguments,
    ModelsArguments,
    PredictArguments,
    TrainArguments,
)
from pictaxa.cli.commands import COMMANDS
from pictaxa.cli.main import commands
from pictaxa.cli.parse import parse
from pictaxa.cli.teaching import FieldArguments
from pictaxa.cli.training import settings_beside
from pictaxa.config.by_name import config_fields
from pictaxa.config.renamed import RENAMED
from pictaxa.config.training import TrainConfig
from pictaxa.errors import ConfigError, UsageError


def several(kind: type[Any]) -> dict[str, str]:
    """The flags of a command that take several values, by their fields, with those of its groups."""
    found = {}
    hints = get_type_hints(kind, include_extras=True)
    for entry in fields(kind):
        hint = hints[entry.name]
        if is_dataclass(hint):
            found |= several(hint)
        elif get_origin(hint) is not Annotated and tuple in {get_origin(part) for part in (hint, *get_args(hint))}:
            found[entry.name] = "--" + entry.name.replace("_", "-").rstrip("-")
    return found


def value_of(config: object, name: str) -> object:
    """A field by its name, wherever in the groups."""
    if hasattr(config, name):
        return getattr(config, name)
    groups = (value_of(value, name) for value in vars(config).values() if is_dataclass(value))
    return next((value for value in groups if value is not None), None)


KINDS = [TrainConfig, *dict.fromkeys(command.takes for command in COMMANDS.values())]
REPEATED = [(kind, name, flag) for kind in KINDS for name, flag in several(kind).items()]
NEEDED = {  # what stands before the flag; nothing where words without one are what it adds up
    FieldArguments: (),
    ModelsArguments: (),
    ConvertArguments: ("f.h5", "--source", "keras", "--model", "vgg16", "--out", "o.safetensors"),
    ConvertDataArguments: ("a", "b", "--to", "folders"),
}


def test_words_become_a_dataclass():
    """Words and flags fill the fields; a wrong flag is told with close matches, a wrong value in one line."""
    arguments = parse(PredictArguments, ["run", "a.jpg", "b.jpg", "--top", "2"], "predict")
    assert arguments == PredictArguments(Path("run"), (Path("a.jpg"), Path("b.jpg")), top=2)
    with pytest.raises(ConfigError, match="--top"):
        parse(PredictArguments, ["run", "a.jpg", "--tpo", "2"], "predict")
    with pytest.raises(UsageError, match=r"many.*See pictaxa predict --help\.") as caught:
        parse(PredictArguments, ["run", "a.jpg", "--top", "many"], "predict")
    assert "\n" not in str(caught.value)


def test_a_flag_with_several_values_may_be_repeated():
    """All of its values count, wherever DATA stands; of any other flag the last place does."""
    twice = ["--augment", "rotation=30", "--epochs", "3", "--augment=horizontal_flip=0", "zoom=1.2", "--epochs", "4"]
    for words in (["photos", *twice], [*twice, "--seed", "2", "photos"]):
        config = parse(TrainConfig, words, "train")
        assert config.augmentation.augment == ("rotation=30", "horizontal_flip=0", "zoom=1.2")
        assert config.schedule.epochs == 4 and config.data == Path("photos")


@pytest.mark.parametrize(
    ("kind", "name", "flag"), REPEATED, ids=[f"{kind.__name__}{flag}" for kind, _, flag in REPEATED]
)
def test_repeated_flags_add_up(kind: type[Any], name: str, flag: str):
    """Every flag that takes several values has those of all its places, in their order, however they are written."""
    needed = () if name == "runs" else NEEDED.get(kind, ("x",))  # words without a flag are runs
    words = [*needed, flag, "a=1", "b", "--" + name.rstrip("_"), "c", f"{flag}=d=2"]
    found = value_of(parse(kind, words, "any"), name)
    assert [str(word) for word in found] == ["a=1", "b", "c", "d=2"]
    assert {"rename", "merge", "augment", "model_options", "only", "strict"} <= {name for _, name, _ in REPEATED}


def test_a_flag_beside_a_recipe_takes_its_place():
    """What is given wins over the recipe's, wherever it stands: values of several don't add up with it."""
    for words in (["photos", "--augment", "rotation=1", "--recipe", "cifar-resnet20"],
                  ["photos", "--recipe", "cifar-resnet20", "--augment", "rotation=1"]):  # fmt: skip
        config = parse(TrainArguments, words, "train", fill=settings_beside).training
        assert config.augmentation.augment == ("rotation=1",) and config.model == "cifar_resnet20"


def test_a_config_file_beside_a_recipe_and_flags(tmp_path: Path):
    """A flag wins over the recipe and the recipe over the file; a length takes the place of any other."""
    file = tmp_path / "settings.yaml"
    file.write_text("data: here\nseed: 7\nlr: 0.5\nminutes: 3\nrecipe: cifar-resnet20\n")
    words = ["--config", str(file), "--epochs", "2"]
    config = parse(TrainArguments, words, "train", fill=settings_beside).training
    assert (config.data, config.seed, config.model) == (Path("here"), 7, "cifar_resnet20")
    assert (config.schedule.lr, config.schedule.epochs, config.schedule.minutes) == (0.5, 2, None)
    assert config.schedule.steps is None and config.optimization.clip_grad_norm is None
    other = parse(TrainArguments, ["there", *words[:2], "--lr", "0.25"], "train", fill=settings_beside).training
    assert (other.data, other.schedule.lr, other.schedule.minutes) == (Path("there"), 0.25, 3.0)


def test_help_begins_with_what_most_need(capsys: pytest.CaptureFixture[str]):
    """--help names the common settings, an example and the way to all of them, which --help-all shows."""
    said = {}
    for flag in ("--help", "--help-all"):
        with pytest.raises(SystemExit, match=r"^0$"):
            parse(TrainArguments, [flag], "train", common=("data", "epochs"), example="pictaxa train photos")
        said[flag] = capsys.readouterr().out
    assert "--epochs" in said["--help"] and "--ema-decay" not in said["--help"]
    assert "example: pictaxa train photos" in said["--help"] and "pictaxa train --help-all" in said["--help"]
    flags = ["--" + name.replace("_", "-") for name in config_fields(TrainConfig)]
    assert all(flag in said["--help-all"] for flag in flags)
    assert len(said["--help"].splitlines()) < 30


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], "--run needs a value."),
        (["run", "a.jpg", "--top", "many"], 'value for --top: unable to convert "many" into int.'),
        (["run", "a.jpg", "--top"], "--top needs a value."),
    ],
)
def test_mistakes_are_told_in_few_words(words: list[str], found: str):
    """What is wrong and where, without the parser's own help in it."""
    with pytest.raises(ConfigError) as caught:
        parse(PredictArguments, words, "predict")
    assert found in str(caught.value) and len(str(caught.value)) < 120


def flags_of(command: str) -> set[str]:
    """What can stand after a command, its groups' flags included."""
    takes = commands()[command].takes
    names = {*config_fields(takes), *(config_fields(TrainConfig) if takes is TrainArguments else ())}
    return {"--" + name.replace("_", "-").rstrip("-") for name in names}


@pytest.mark.parametrize("command", commands())
def test_a_close_match_is_a_flag_of_the_command(command: str):
    """Whatever is mistyped, what is named in its place exists there: no group, no flag of another command or time."""
    flags = flags_of(command)
    words = {flag[:-1] for flag in sorted(flags)[::4]}  # a part of them: train has ninety
    old = {"--" + name.replace("_", "-") for name in RENAMED}
    for word in sorted(
        {*words, *old, "--reading", "--pictures", "--machine", "--transfer", "--files"} - flags - {"--"}
    ):
        with pytest.raises(UsageError) as caught:
            parse(commands()[command].takes, [word, "x"], command)
        told = set(re.findall(r"--[a-z][a-z-]*", str(caught.value)))
        assert told <= flags | {word, "--help"}, caught.value


def test_messages_name_flags_that_exist():
    """Every flag that any text in the source names is one of some command, or of pip where it says how to install."""
    known = {flag for command in commands() for flag in flags_of(command)}
    known |= {"--help", "--help-all", "--quiet", "--language", "--version", "--install-completion"}
    known |= {"--no-deps", "--force-reinstall"}
    for path in (Path(__file__).parents[2] / "src" / "pictaxa").rglob("*.py"):
        texts = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)]
        told = {flag for text in texts if isinstance(text, str) for flag in re.findall(r"--[a-z][a-z-]*[a-z]", text)}
        assert told <= known, path
