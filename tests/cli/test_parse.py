from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from pictaxa.cli import arguments
from pictaxa.cli.arguments import ConvertArguments, ConvertDataArguments, PredictArguments
from pictaxa.cli.parse import parse, take_flag, with_recipe
from pictaxa.config.training import TrainConfig
from pictaxa.errors import ConfigError


def several(kind: type[Any]) -> dict[str, str]:
    """The flags of a command that take several values, by their fields, with those of its groups."""
    found = {}
    hints = get_type_hints(kind, include_extras=True)
    for entry in fields(kind):
        hint = hints[entry.name]
        if is_dataclass(hint):
            found |= several(hint)
        elif get_origin(hint) is not Annotated and tuple in {get_origin(part) for part in (hint, *get_args(hint))}:
            found[entry.name] = "--" + entry.name.replace("_", "-")
    return found


def value_of(config: object, name: str) -> object:
    """A field by its name, wherever in the groups."""
    if hasattr(config, name):
        return getattr(config, name)
    groups = [value for value in vars(config).values() if is_dataclass(value) and hasattr(value, name)]
    return getattr(groups[0], name)


KINDS = [TrainConfig, *(kind for name, kind in vars(arguments).items() if name.endswith("Arguments"))]
REPEATED = [(kind, name, flag) for kind in KINDS for name, flag in several(kind).items()]
NEEDED = {
    ConvertArguments: ("f.h5", "--source", "keras", "--model", "vgg16", "--out", "o.safetensors"),
    ConvertDataArguments: ("a", "b", "--to", "folders"),
}


def test_a_flag_is_taken_out_of_the_words():
    """Both spellings give the value and leave the other words; absent gives None; no value is an error."""
    assert take_flag(["a", "--resume", "b", "c"], "--resume") == ("b", ["a", "c"])
    assert take_flag(["a", "--resume=b", "c"], "--resume") == ("b", ["a", "c"])
    assert take_flag(["a"], "--resume") == (None, ["a"])
    with pytest.raises(ConfigError, match="a value after --resume"):
        take_flag(["--resume"], "--resume")


def test_words_become_a_dataclass():
    """Words and flags fill the fields; a wrong flag is told with close matches, a wrong value in one line."""
    arguments = parse(PredictArguments, ["run", "a.jpg", "b.jpg", "--top", "2"], "predict")
    assert arguments == PredictArguments(Path("run"), (Path("a.jpg"), Path("b.jpg")), top=2)
    with pytest.raises(ConfigError, match="--top"):
        parse(PredictArguments, ["run", "a.jpg", "--tpo", "2"], "predict")
    with pytest.raises(ConfigError, match="the arguments of pictaxa predict") as caught:
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
    words = [*NEEDED.get(kind, ("x",)), flag, "a=1", "b", "--" + name, "c", f"{flag}=d=2"]
    assert value_of(parse(kind, words, "any"), name) == ("a=1", "b", "c", "d=2")
    assert {"rename", "merge", "augment", "model_options", "only", "strict"} <= {name for _, name, _ in REPEATED}


def test_a_flag_beside_a_recipe_takes_its_place():
    """What is given wins over the recipe's: values of several don't add up with it."""
    config = parse(TrainConfig, with_recipe(["photos", "--augment", "rotation=1"], "cifar-resnet20"), "train")
    assert config.augmentation.augment == ("rotation=1",) and config.model == "cifar_resnet20"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], "found no PATH."),
        (["run", "a.jpg", "--top", "many"], "found 'many' for --top."),
        (["run", "a.jpg", "--top"], "found nothing after --top."),
    ],
)
def test_mistakes_are_told_in_few_words(words: list[str], found: str):
    """What is wrong and where, without the parser's own help in it."""
    with pytest.raises(ConfigError) as caught:
        parse(PredictArguments, words, "predict")
    assert found in str(caught.value) and len(str(caught.value)) < 120
