"""Starting from existing weights: their architecture, how they are loaded, and which parts of the model are trained."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from ..config.learning import NO_WEIGHTS, TransferConfig
from ..config.training import TrainConfig
from ..config.usual import resolved
from ..data.cache_folder import default_cache_root
from ..errors import ConfigError, WeightsError
from ..inference.loading import checked_weights
from ..models.contract import NORMALIZATIONS, Classifier
from ..models.heads import parse_groups
from ..models.zoo import find_entry
from ..runs.folder import open_run, run_of
from ..weights.files import read_notes
from ..weights.kinds import check_kind, is_of_tensorflow
from ..weights.loading import load, translate
from ..weights.normalization import check_normalization, published_normalization
from ..weights.published import find_file, find_published
from ..weights.translated import Translated

IMAGENET = Path("imagenet")  # as --weights: the entry's published weights
DEFAULT_MODEL = "resnet_lite"
IMAGENET_MODEL = "efficientnet_lite0"  # with these weights, where no model is named: they come with pictaxa
NO_HIDDEN_LAYERS = "head=none"  # as an option: those of the weights' own head don't come along


@dataclass(frozen=True)
class Start:
    """What became of the weights that a training starts from."""

    lines: list[str]  # as a person reads it
    new_head: bool  # whether they lack the head, or some of its classes


@dataclass(frozen=True)
class Origin:
    """What a run or a converted file says of its weights; nothing, where it says nothing."""

    model: str = ""
    options: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()  # of each row of the last layer: a merged class stands there several times

    @classmethod
    def of(cls, model: str, options: Sequence[str], classes: Sequence[str]) -> Origin:
        """With the rows of merged classes apart, as a new training has them."""
        for option in options:
            if option.startswith("merged="):
                classes = [classes[group] for group in parse_groups(option.removeprefix("merged="))]
        return cls(model, tuple(o for o in options if not o.startswith("merged=")), tuple(classes))


def read_origin(weights: Path) -> Origin:
    """What the weights are of; RunError and WeightsError for what is damaged."""
    if weights.is_dir():
        run = open_run(weights)
        chosen = run.chosen
        return Origin.of(chosen.model, chosen.model_options, run.classes)
    if weights.suffix.lower() != ".safetensors":
        return Origin()
    notes = read_notes(weights)
    try:
        options, classes = (json.loads(notes.get(name, "[]")) for name in ("model_options", "classes"))
        return Origin.of(notes.get("model", ""), [str(option) for option in options], [str(name) for name in classes])
    except (ValueError, TypeError):
        raise WeightsError(
            "lists of text in the metadata of the weights",
            found=f"{str(weights)!r} with other values",
            fix="Convert the checkpoint again with pictaxa weights convert.",
        ) from None


def resolve_model(config: TrainConfig) -> TrainConfig:
    """`--model auto` becomes the architecture that the weights are of, with its options, or the default one."""
    if config.transfer.head:
        others = tuple(option for option in config.model_options if not option.startswith("head="))
        config = replace(config, model_options=(*others, f"head={config.transfer.head}"))
    config = _resolve_model(config)
    return replace(config, model_options=tuple(o for o in config.model_options if o != NO_HIDDEN_LAYERS))


def _resolve_model(config: TrainConfig) -> TrainConfig:
    if not config.transfer.knows:
        transfer = replace(config.transfer, weights=NO_WEIGHTS)  # which refuses a --tune other than all
        return replace(config, model=DEFAULT_MODEL if config.model == "auto" else config.model, transfer=transfer)
    assert config.transfer.weights is not None
    if config.transfer.weights == IMAGENET:
        return _resolve_published(config)
    weights = config.transfer.weights.expanduser().resolve()
    if is_of_tensorflow(weights):
        check_kind(weights)  # also of a name that two files share
    if not weights.exists():
        raise WeightsError(
            "a run or a file of weights", found=f"none at {str(weights)!r}", fix="Check the path after --weights."
        )
    weights = run_of(weights)
    if weights.is_file():
        check_kind(weights)
    config = replace(config, transfer=replace(config.transfer, weights=weights))
    origin = read_origin(weights)
    if config.model not in ("auto", origin.model):
        return config
    if not origin.model:
        raise ConfigError(
            "--model NAME with --weights",
            found="none, and the file does not name its architecture",
            fix="Name the architecture with --model.",
        )
    options = dict(option.split("=", 1) for option in origin.options)
    if find_entry(origin.model).size_option and "size" in options:  # a setting of the training here, not of the model
        size = int(options.pop("size"))
        config = replace(config, pictures=replace(config.pictures, size=config.pictures.size or size))
    given = {option.partition("=")[0] for option in config.model_options}
    kept = tuple(f"{name}={value}" for name, value in options.items() if name not in given)
    return replace(config, model=origin.model, model_options=(*kept, *config.model_options))


def _resolve_published(config: TrainConfig) -> TrainConfig:
    """`--weights imagenet`: the entry's published file, of a package or fetched where it is not yet in the cache."""
    model = IMAGENET_MODEL if config.model == "auto" else config.model
    published = find_published(model)
    known = published_normalization(published)
    check_normalization(config.transfer.normalization, known, whose=f"the published weights of {model}")
    path = find_file(published, (config.cache or default_cache_root()) / "weights")
    transfer = replace(
        config.transfer,
        weights=path,
        source=published.source,
        normalization=published.normalization,
    )
    return replace(config, model=model, transfer=transfer)


def start_from_weights(model: Classifier, config: TransferConfig, classes: Sequence[str]) -> Start:
    """Load `--weights`, if any, into a model and report the result; WeightsError if they don't fit.

    Rows of the head for classes that the weights know by name are kept. Fresh weights are fed as `--normalization`
    says.
    """
    if not config.knows:
        if config.normalization is not None:
            model.set_normalization(*NORMALIZATIONS[config.normalization])
        return Start([], new_head=True)
    assert config.weights is not None
    origin = read_origin(config.weights)
    try:
        weights = translate(
            model,
            checked_weights(config.weights),
            source=config.source,
            normalization=config.normalization,
            prefix=config.weights_prefix,
        )
        if origin.classes and origin.classes != tuple(classes):
            _match_classes(model, weights, known=origin.classes, classes=classes)
        load(model, weights)
    except WeightsError:
        if origin.model in ("", model.entry):
            raise
        raise WeightsError(
            f"weights of a {model.entry}", found=f"weights of a {origin.model} in {str(config.weights)!r}",
            fix="Leave --model out, or choose other weights.",
        ) from None  # fmt: skip
    _check_new_learns(model, weights, tune=config.tune)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in model.parameters())
    kept = "; batch norms keep their statistics" if config.keeps_statistics and config.tune != "head" else ""
    lines = [*weights.lines(), f"tune      {config.tune}: {trained:,} of {total:,} parameters are trained{kept}"]
    head = model.main_head()
    new = any(_lies_in(path, [head]) for path in (*weights.fresh, *weights.fitted))
    return Start(lines, new_head=new)


def _check_new_learns(model: Classifier, weights: Translated, *, tune: str) -> None:
    """ConfigError where a layer that the weights lack would stay at random, in the way of all that learns behind it."""
    new = [path for path in weights.fresh if path.partition(".")[0] not in model.auxiliary]
    stuck = [path for path in new if not model.get_submodule(path).weight.requires_grad]
    if stuck:
        *backbone, _ = model.blocks_in_order()
        first = next(i for i, paths in enumerate(backbone) if any(_lies_in(path, paths) for path in stuck))
        raise ConfigError(
            "a --tune that trains layers missing in the weights", found=f"--tune {tune}, and {', '.join(stuck)} new",
            fix=f"Use --tune last:{len(backbone) - first} or all.",
        )  # fmt: skip


def _match_classes(model: Classifier, weights: Translated, *, known: Sequence[str], classes: Sequence[str]) -> None:
    """Outputs for other classes: the rows of those known by name move to their new places, the others stay fresh."""
    # The rows of a class: several where it was merged; a new training begins with their mean.
    rows = [
        (here, [row for row, other in enumerate(known) if other == name])
        for here, name in enumerate(classes)
        if name in known
    ]
    state = model.state_dict()
    for path in model.head_layers():
        names = [
            name for name in (f"{path}.weight", f"{path}.bias") if len(weights.tensors.get(name, ())) == len(known)
        ]
        if not rows and names:
            weights.fresh[path] = (
                f"none of the {len(set(known))} classes of the weights is among the {len(classes)} of the data"
            )
        for name in names:
            theirs = weights.tensors.pop(name)
            if rows:
                mixed = state[name].cpu().clone()
                for here, there in rows:
                    mixed[here] = theirs[there].mean(dim=0)
                    if theirs.ndim == 1:  # k rows together are as likely as one with log k more
                        mixed[here] += math.log(len(there))
                weights.tensors[name] = mixed
                weights.fitted[path] = f"{len(rows)} of {len(classes)} classes are known to these weights"


def freeze(model: Classifier, tune: str) -> None:
    """Leave requires_grad to what is to be trained.

    Args:
        model: the model; `tune` all leaves it as it is.
        tune: all, head, or last:N: N blocks and the head.

    Raises:
        ConfigError: the model has fewer blocks than that.

    Example:
        freeze(create_model("resnet18", 5), "last:2")
    """
    if tune in ("all", "head,all"):
        return
    *backbone, _ = model.blocks_in_order()
    count = 0 if tune == "head" else int(tune.removeprefix("last:"))
    if count > len(backbone):
        raise ConfigError(
            f"--tune last:N with at most {len(backbone)} blocks of {model.entry}", found=tune, fix="Use --tune all."
        )
    learning = [path for part in backbone[len(backbone) - count :] for path in part] + [model.main_head()]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_lies_in(name, learning))


def lr_scales(model: Classifier, config: TransferConfig) -> dict[str, float]:
    """The part of the learning rate that each parameter gets, by name; heads get the whole."""
    share = resolved(config.backbone_lr_scale)
    if not config.knows or share == 1:
        return {}
    heads = [*model.blocks_in_order()[-1], *model.head_layers(), *model.auxiliary]
    return {name: share for name, _ in model.named_parameters() if not _lies_in(name, heads)}


def _lies_in(name: str, paths: Sequence[str]) -> bool:
    """Whether a parameter is one of these, or of a part that is."""
    return any(name == path or name.startswith(f"{path}.") for path in paths)


def set_training(model: Classifier, *, keep_statistics: bool = False) -> Classifier:
    """Set training mode, but for what is frozen: there batch norm's statistics stay and dropout is off.

    A dropout is of what its result goes to, the part that is defined next.

    Args:
        model: the model; requires_grad says what is frozen.
        keep_statistics: those of batch norms stay, whether they are frozen or not.

    Returns:
        The same model.

    Example:
        freeze(model, "last:2")
        set_training(model, keep_statistics=True)
    """
    model.train()
    if keep_statistics:
        for part in model.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
    waiting: list[nn.Module] = []  # parts without weights, until one with some comes
    for part in model.modules():
        weights = list(part.parameters())
        frozen = bool(weights) and not any(weight.requires_grad for weight in weights)
        if frozen:
            part.eval()
        if not weights:
            waiting.append(part)
        elif next(part.parameters(recurse=False), None) is not None:
            for other in waiting if frozen else ():
                other.eval()
            waiting.clear()
    return model
