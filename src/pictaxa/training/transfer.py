"""Starting from weights that are there: what they are of, how they get in, and what of the model is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..config import TrainConfig, TransferConfig
from ..errors import ConfigError, WeightsError
from ..models.layers import Classifier, ClassifierLayer
from ..models.zoo import find_entry
from ..run import open_run
from ..weights.files import read_notes
from ..weights.loading import Translated, give, translate

DEFAULT_MODEL = "resnet_lite"
BODY_SHARE = 0.5  # of the learning rate for a body with learnt weights (docs/measured.md)


def settle_model(config: TrainConfig) -> TrainConfig:
    """`--model auto` becomes the architecture that the weights are of, with its options, or the default one."""
    weights = config.transfer.weights
    if weights is not None:
        weights = weights.expanduser().resolve()
        if not weights.exists():
            raise WeightsError("a run or a file of weights", found=f"none at {str(weights)!r}", fix="Check --weights.")
        config = replace(config, transfer=replace(config.transfer, weights=weights))
    if config.model != "auto":
        return config
    if weights is None:
        return replace(config, model=DEFAULT_MODEL)
    model, options = _described(weights)
    if not model:
        raise ConfigError(
            "--model NAME beside --weights",
            found="none, and the file does not say",
            fix="Say what they are of.",
        )
    return replace(config, model=model, model_options=config.model_options or options)


def _described(weights: Path) -> tuple[str, tuple[str, ...]]:
    """The architecture and its options as a run or a converted file tells them; "" where nothing does."""
    if weights.is_dir():
        chosen = open_run(weights).config["chosen"]
        model, options = str(chosen["model"]), tuple(chosen["model_options"])
    elif weights.suffix.lower() == ".safetensors":
        notes = read_notes(weights)
        model = notes.get("model", "")
        options = tuple(f"{name}={_word(value)}" for name, value in json.loads(notes.get("options", "{}")).items())
    else:
        return "", ()
    if model and find_entry(model).size_option:  # this training chooses its own
        options = tuple(option for option in options if not option.startswith("size="))
    return model, options


def _word(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def start_from_weights(model: Classifier, config: TrainConfig, classes: Sequence[str]) -> list[str]:
    """Fill a model from `--weights`, if any, and say in a few lines what became of them; WeightsError otherwise.

    Rows of the head for classes that the weights know by name are kept.
    """
    file = config.transfer.weights
    if file is None:
        return []
    weights = translate(model, file, source=config.transfer.source, feeding=config.transfer.input)
    known = _class_names(file)
    if known is not None and known != list(classes):
        _fit_classes(model, weights, known=known, classes=classes)
    give(model, weights)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in model.parameters())
    return [*weights.lines(), f"tune      {config.transfer.tune}: {trained:,} of {total:,} parameters are trained"]


def _class_names(file: Path) -> list[str] | None:
    """The classes that a run or a converted file was for; None where nothing tells."""
    if file.is_dir():
        return list(open_run(file).classes)
    if file.suffix.lower() != ".safetensors":
        return None
    named = read_notes(file).get("classes")
    return None if named is None else [str(name) for name in json.loads(named)]


def _fit_classes(model: Classifier, weights: Translated, *, known: list[str], classes: Sequence[str]) -> None:
    """Heads for other classes: the rows of those known by name move to their new places, the others stay fresh."""
    shared = [name for name in classes if name in known]
    from_rows = torch.tensor([known.index(name) for name in shared], dtype=torch.long)
    to_rows = torch.tensor([list(classes).index(name) for name in shared], dtype=torch.long)
    state = model.state_dict()
    for path in model.head_layers():
        names = [name for name in (f"{path}.weight", f"{path}.bias") if name in weights.tensors]
        if not names or len(weights.tensors[names[0]]) != len(known):
            continue
        if not shared:
            weights.fresh[path] = f"none of the {len(known)} classes of the weights is among these {len(classes)}"
        for name in names:
            if shared:
                rows = state[name].cpu().clone()
                rows[to_rows] = weights.tensors[name][from_rows].to(rows.dtype)
                weights.tensors[name] = rows
            else:
                del weights.tensors[name]
        if shared:
            weights.fitted[path] = f"{len(shared)} of {len(classes)} classes were known and keep their rows"


def freeze(model: Classifier, tune: str) -> None:
    """Leave requires_grad to what `tune` says: all, head, or last:N blocks and the head."""
    if tune == "all":
        return
    blocks = model.blocks_in_order()
    *body, head = blocks
    if not any(isinstance(model.get_submodule(path), ClassifierLayer) for path in head):
        raise ConfigError("a model whose last part is its head", found=model.entry, fix="Use --tune all.")
    count = 0 if tune == "head" else int(tune.removeprefix("last:"))
    if count > len(body):
        raise ConfigError(
            f"--tune last:N with at most {len(body)} blocks of {model.entry}", found=tune, fix="Use --tune all."
        )
    model.requires_grad_(False)
    for part in [*body[len(body) - count :], head]:
        for path in part:
            model.get_submodule(path).requires_grad_(True)


def body_share(config: TransferConfig) -> float:
    """The part of the learning rate that the body gets; a head, which is often new, always gets the whole."""
    return 1.0 if config.weights is None else BODY_SHARE


def set_training(model: Classifier) -> Classifier:
    """Training mode, but for what is frozen: there batch norm's statistics stay and dropout is off."""
    model.train()
    for part in model.modules():
        weights = list(part.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            part.eval()
    return model
