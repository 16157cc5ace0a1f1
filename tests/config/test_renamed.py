from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from pictaxa.cli.main import main
from pictaxa.config.by_name import config_fields, read_config_file, with_words
from pictaxa.config.renamed import RENAMED, VALUES, renamed
from pictaxa.config.training import TrainConfig
from pictaxa.errors import ConfigError

# As the version before wrote it, with every setting that had another name.
FORMAT_1 = {
    "data": "/photos",
    "transfer": {"weights": "imagenet", "body_share": 0.5, "input": "lite", "norm_statistics": "keep"},
    "pictures": {"flip_average": "yes", "view": "centre"},
    "schedule": {"epochs": 3, "rate": 0.02, "warm_up": 0.2, "curve": "constant", "keep": "last", "small_first": 0.0},
    "optimization": {"epsilon": 1e-7, "clip_norm": 4.0, "average": 0.9},
    "machine": {"save_seconds": 5.0},
}


def test_every_old_name_has_a_new_one():
    """The new ones are settings, the old ones are none any more."""
    known = config_fields(TrainConfig)
    assert set(RENAMED.values()) <= set(known) and not set(RENAMED) & set(known)
    assert set(VALUES) <= set(RENAMED.values())


def test_a_config_of_format_1_is_read(tmp_path: Path):
    """By its old names, in their groups; names that were never changed stay."""
    (tmp_path / "config.json").write_text(json.dumps({"format": 1, "asked": FORMAT_1, "chosen": {}}))
    config = read_config_file(tmp_path / "config.json")
    schedule, optimization = config.schedule, config.optimization
    assert (schedule.lr, schedule.warmup, schedule.lr_schedule, schedule.best_by) == (0.02, 0.2, "constant", "last")
    assert (schedule.epochs, schedule.progressive_resizing) == (3, 0.0)
    assert (optimization.eps, optimization.clip_grad_norm, optimization.ema_decay) == (1e-7, 4.0, 0.9)
    assert (config.transfer.backbone_lr_scale, config.transfer.normalization) == (0.5, "lite")
    assert (config.pictures.tta, config.machine.checkpoint_seconds) == ("flip", 5.0)
    assert config.transfer.norm_statistics == "keep"


def test_nothing_else_is_changed():
    """What is of today stays as it is."""
    config = TrainConfig(data=Path("photos"))
    for group in (getattr(config, entry.name) for entry in fields(config)):
        if is_dataclass(group):
            today = {entry.name: getattr(group, entry.name) for entry in fields(group)}
            assert renamed(today) == today


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_word_is_answered_with_the_new_one(old: str, capsys: pytest.CaptureFixture[str]):
    """As a flag in one line and with status 2, as an argument in Python by its name there."""
    flag = "--" + old.replace("_", "-")
    assert main(["train", "photos", flag, "1"]) == 2
    said = capsys.readouterr().err
    assert f"It is called --{RENAMED[old].replace('_', '-')} now." in said and said.count("\n") == 1
    with pytest.raises(ConfigError, match=f"It is called {RENAMED[old]} now"):
        with_words(TrainConfig(data=Path("photos")), {old: 1})
    assert main(["cache", flag, "1"]) == 2
    assert "It is called" not in capsys.readouterr().err, "a command without that flag has none by the new name either"
