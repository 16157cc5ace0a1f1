"""config/keywords.py: what editors and type checkers know of keyword arguments is what the settings are."""

from __future__ import annotations

import subprocess
import sys
import typing
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from pictaxa.config import keywords
from pictaxa.config.by_name import config_fields
from pictaxa.config.data import AugmentConfig, DecodingConfig, PicturesConfig, ReadingConfig
from pictaxa.config.learning import OptimizerConfig, ScheduleConfig, TransferConfig
from pictaxa.config.machine import MachineConfig
from pictaxa.config.training import TrainConfig

# Each TypedDict, and the dataclass of settings whose own fields it has.
OF = {
    "ReadingKeywords": ReadingConfig, "PicturesKeywords": PicturesConfig, "DecodingKeywords": DecodingConfig,
    "AugmentKeywords": AugmentConfig, "MachineKeywords": MachineConfig, "TransferKeywords": TransferConfig,
    "ScheduleKeywords": ScheduleConfig, "OptimizerKeywords": OptimizerConfig, "TrainKeywords": TrainConfig,
}  # fmt: skip


def written(kind: Any) -> str:
    """A setting's type as a caller may give it: a path as text too, and any sequence for several words."""
    if get_origin(kind) in (Union, UnionType):
        return " | ".join(dict.fromkeys(" | ".join(written(choice) for choice in get_args(kind)).split(" | ")))
    if get_origin(kind) is Literal:
        return f"Literal[{', '.join(f'{value!r}'.replace(chr(39), chr(34)) for value in get_args(kind))}]"
    if get_origin(kind) is tuple:
        return "Sequence[str]"
    return {NoneType: "None", Path: "str | Path"}.get(kind, getattr(kind, "__name__", ""))


def lines(name: str) -> list[str]:
    """The fields of a TypedDict as they should stand in keywords.py."""
    hints = get_type_hints(OF[name])
    own = [entry for entry in vars(OF[name])["__dataclass_fields__"] if entry != "data" and entry in hints]
    flat = config_fields(OF[name])
    settings = [entry for entry in own if entry in flat and not is_dataclass(hints[entry])]
    return [f"    {entry}: {written(hints[entry])}" for entry in settings]


@pytest.mark.parametrize("name", OF)
def test_each_group_is_written_as_its_settings_are(name: str):
    """Every setting with its type, in order; where this fails the lines below are what should stand there."""
    text = Path(keywords.__file__).read_text(encoding="utf-8")
    body = text.partition(f"class {name}(")[2].partition("\n\n\n")[0]
    code = "".join(line.strip() for line in body.splitlines()).replace(",]", "]")
    for line in lines(name):
        assert line.strip() in code, "\n".join(lines(name))


def test_train_takes_every_setting_and_no_other():
    """The names are those of the flags."""
    assert set(keywords.TrainKeywords.__annotations__) == set(config_fields(TrainConfig)) - {"data"}
    assert not keywords.TrainKeywords.__required_keys__
    assert typing.is_typeddict(keywords.TrainKeywords)


@pytest.mark.slow
def test_a_type_checker_knows_what_train_takes(tmp_path: Path):
    """mypy takes a right call and names the argument of each wrong one."""
    pytest.importorskip("mypy", reason="the dev extra is not installed")
    file = tmp_path / "calls.py"
    file.write_text(
        "import pictaxa\n"
        'pictaxa.train("photos", epochs=20, optimizer="sgd", weights="imagenet", augment=["rotation=30"])\n'
        'pictaxa.train("photos", epohcs=20)\n'
        'pictaxa.train("photos", optimizer="sdg")\n'
        'pictaxa.evaluate("run").accuracy + 1\n'
        'pictaxa.evaluate("run").acuracy\n'
        'pictaxa.load("run").predict(["a.jpg", b"..."]).to_pandas()\n'
    )
    words = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", str(tmp_path / "cache"), str(file)]
    told = subprocess.run(words, capture_output=True, text=True).stdout
    assert [int(line.split(":")[1]) for line in told.splitlines() if ": error:" in line] == [3, 4, 6], told
    assert "epohcs" in told and "acuracy" in told
