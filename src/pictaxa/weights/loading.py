"""Loads weights from any source into a model, completely or not at all.

read the file -> our names and axes -> fit to this model (classes, size, channels) -> fill
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch

from ..config.learning import Normalization, Source
from ..errors import ConfigError, WeightsError, close_matches
from ..models.contract import Classifier
from ..models.heads import hidden_paths, kept_outputs
from ..models.zoo import create_model, find_entry
from . import jax, keras
from .adapt import adapt
from .foreign import read_npz, read_torch
from .keras_files import read_file
from .kinds import check_kind
from .misfits import misfit
from .normalization import settle_normalization
from .own_heads import place, unused
from .prefixes import Needed, Part, find_part, is_worth_a_word, nearest_part, under
from .rules import assign, shortened
from .translated import Translated

STATE_DICTS: tuple[Source, ...] = ("torchvision", "timm", "pictaxa", "efficientnet_pytorch")

# A file may hold the model, its running average and an optimizer's two moments; more is none of ours.
COPIES = 4
SPARE_VALUES = 1_000_000


def load_weights(
    model: Classifier,
    file: str | Path,
    *,
    source: Source,
    normalization: Normalization | None = None,
    prefix: str = "",
) -> Translated:
    r"""Fill an entry of the zoo from a checkpoint, as `pictaxa.load_weights` does, but from files alone.

    Args:
        model: the entry; filled in place.
        file: the checkpoint.
        source: whose names and axes the file has; it is never guessed.
        normalization: what the weights expect of their pictures; only a Keras file needs it.
        prefix: with which the names of the intended network begin, where a file has several (`teacher.`).

    Returns:
        What became of the weights.

    Raises:
        WeightsError: the file is missing, damaged or of another source, or does not fit; the model stays as it was.
        ConfigError: `source` or `normalization` is unknown, the weights are known to be fed otherwise, or a Keras file
            comes without a normalization.
        MissingExtraError: a Keras file, without the `keras` extra.

    Example:
        told = load_weights(create_model("resnet50", 5), "resnet50.pth", source="torchvision")
        print(*told.lines(), sep="\n")
    """
    weights = translate(model, file, source=source, normalization=normalization, prefix=prefix)
    load(model, weights)
    return weights


def load(model: Classifier, weights: Translated) -> None:
    """Adapt weights to a model and load them, completely or not at all.

    Args:
        model: an entry of the zoo; filled in place.
        weights: the weights by our names, from `translate`; fitted in place to the model's classes, channels and size.

    Raises:
        WeightsError: a weight is missing, unused, misshapen or not finite; the model is then unchanged.

    Example:
        weights = translate(model, "resnet50.pth", source="torchvision")
        load(model, weights)
    """
    adapt(model, weights)
    state = model.state_dict()
    kept = {name: value for name, value in state.items() if name.rpartition(".")[0] in weights.fresh}
    assign(model, {**kept, **weights.tensors})


def translate(
    model: Classifier,
    file: str | Path,
    *,
    source: Source,
    normalization: Normalization | None = None,
    prefix: str = "",
) -> Translated:
    """Read a checkpoint and give its weights the names and axes of an entry.

    Args:
        model: the entry, which stays as it is; it may be on the meta device, and need not have the file's number of
            classes.
        file: the checkpoint.
        source: whose names and axes the file has; it is never guessed.
        normalization: what the weights expect of their pictures (NORMALIZATIONS). A Keras file needs it; for the others
            it is known.
        prefix: with which the names of the intended network begin, where a file has several (`teacher.`).

    Returns:
        The weights by our names, for `load`, and what was dropped and why.

    Raises:
        WeightsError: the file is missing or damaged, or is plainly of another source or model.
        ConfigError: `source` or `normalization` is unknown, the weights are known to be fed otherwise, or a Keras file
            comes without a normalization.
        MissingExtraError: a Keras file, without the `keras` extra.

    Example:
        weights = translate(create_model("resnet50", 5), "resnet50.pth", source="torchvision")
    """
    hidden = () if kept_outputs(model) else hidden_paths(model)
    if (hidden or kept_outputs(model)) and source != "pictaxa":
        with torch.device("meta"):  # the others know the entry without what lies before its classes
            model = create_model(model.entry, model.num_classes, in_channels=model.in_channels, **model.options)
    asked: list[tuple[str, str, tuple[str, ...]]] = [("source", source, get_args(Source))]
    if normalization is not None:
        asked.append(("normalization (--normalization)", normalization, get_args(Normalization)))
    for what, word, words in asked:
        if word not in words:
            raise ConfigError(f"a known {what}", found=repr(word), fix=close_matches(word, words))
    known = find_entry(model.entry).known_to(source)
    path = Path(file)
    check_kind(path)
    if not path.exists():
        raise WeightsError("a file of weights", found=f"none at {str(path)!r}", fix="Check the path.")
    _check_suffix(path, source)
    most = COPIES * sum(value.numel() for value in model.state_dict().values()) + SPARE_VALUES
    if source == "keras":
        if normalization is None:
            usual = known.normalization
            own = f"; Keras' own {model.entry} has {usual}" if usual else ""
            raise ConfigError(
                "the input normalization of a Keras file", found="none given",
                fix=f"Choose --normalization {', '.join(get_args(Normalization))} (normalization= in Python): "
                f"a Rescaling(1/255) layer or x / 255 is 0-1{own}.",
            )  # fmt: skip
        weights = _of_keras(model, path, hidden=hidden, max_values=most)
    elif source == "jax":
        weights = Translated(jax.translate(read_npz(path, max_values=most), known.rules))
    else:
        read = read_torch(path, max_values=most)
        weights = rename_state(model, _chosen(path, read.tensors, prefix), source=source)
        weights.unread |= read.beside
    weights.notes += _notes(model, source)
    if source != "pictaxa" and model.num_classes != 1:
        _make_two_classes(weights, [*model.head_layers(), *hidden[-1:]])
    settle_normalization(model, path, weights, source=source, asked=normalization)
    return weights


def _chosen(path: Path, tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with a prefix, if one is given."""
    chosen = under(tensors, prefix)
    if not chosen:
        first = [*dict.fromkeys(name.partition(".")[0] for name in tensors)]
        raise WeightsError(
            f"names that begin with {prefix!r}", found=f"{str(path)!r} with names that begin with {shortened(first)}",
            fix="Check --prefix.",
        )  # fmt: skip
    return chosen


def _of_keras(model: Classifier, path: Path, *, hidden: Sequence[str], max_values: int) -> Translated:
    """A Keras file by our names; all dense layers of an entry stay new where the file has another head or none."""
    stored = read_file(path, max_values=max_values)
    weights = Translated(*keras.translate(model, stored.layers, hidden=hidden), unread=stored.dropped)
    weights.notes += keras.notes(model, stored.layers)
    dense = keras.dense_paths(model)
    if not any(f"{layer}.weight" in weights.tensors for layer in (*dense, *hidden)):
        reason = "the file has a different head" if weights.dropped else "the file has no head"
        # With hidden layers the last of them is none of the model's, and fitting tells of those that are.
        own = [layer for layer in dense if not hidden or layer != model.main_head()]
        weights.fresh.update(dict.fromkeys(own, reason))
    return weights


def _notes(model: Classifier, source: Source) -> list[str]:
    """In what else an entry is the source's own network than by its weights, where it was built otherwise."""
    entry = find_entry(model.entry)
    own = {name: option.default for name, option in entry.options.items()} | dict(model.options)
    theirs = entry.known_to(source).options
    words = [f"{word}={value}" for word, value in theirs.items() if own.get(word) != value]
    if not words:
        return []
    whose = {"keras": "Keras", "timm": "timm"}[source]
    return [f"in {whose} a {model.entry} has {' '.join(words)} (--model-options); without it results differ slightly"]


_TORCH = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".safetensors")
_SUFFIXES: dict[str, tuple[str, ...]] = {
    "keras": (".h5", ".hdf5", ".keras"),
    "jax": (".npz",),
    **dict.fromkeys(("torchvision", "timm", "efficientnet_pytorch"), _TORCH),
    "pictaxa": (".safetensors",),
}


def _check_suffix(path: Path, source: Source) -> None:
    """WeightsError that says whose file this plainly is."""
    if path.suffix.lower() in _SUFFIXES[source]:
        return
    others = [name for name, suffixes in _SUFFIXES.items() if path.suffix.lower() in suffixes]
    whose = f"a file of {' or '.join(others)}" if others else "not a known kind of weights"
    raise WeightsError(
        f"a file of {source} ({', '.join(_SUFFIXES[source])})", found=f"{str(path)!r}, {whose}",
        fix=f"Use --source {others[0]}." if others else "Check the path.",
    )  # fmt: skip


def rename_state(model: Classifier, tensors: dict[str, torch.Tensor], *, source: Source) -> Translated:
    """Give the tensors of a state dict our names.

    Args:
        model: the entry that they are for; it stays as it is.
        tensors: the state dict.
        source: whose names it has, one of STATE_DICTS.

    Returns:
        The tensors by our names, and what was dropped and why.

    Raises:
        WeightsError: the names are plainly those of another source.

    Example:
        weights = rename_state(model, torchvision_model.state_dict(), source="torchvision")
    """
    needed, rules = Needed(model), find_entry(model.entry).known_to(source).rules
    part = find_part(needed, tensors, rules)
    _check_source(needed, tensors, part, source=source)
    if part is None or (part.rank > 1 and unused(part)):
        raise misfit(part or nearest_part(needed, tensors, rules), tensors, source=source)
    if source == "pictaxa":  # what a head of our own may be is for adapt() to say
        return Translated(dict(part.ours))
    weights = place(part, tensors, prefix_worth_a_word=is_worth_a_word(part.prefix))
    for name, value in weights.tensors.items():
        if name in needed.own and needed.own[name].ndim == 2 and value.shape[2:] == (1, 1):
            weights.tensors[name] = value.flatten(1)  # a 1x1 convolution on a pooled map is a dense layer
    return weights


def _check_source(needed: Needed, tensors: dict[str, torch.Tensor], part: Part | None, *, source: Source) -> None:
    """WeightsError where another source's names fit better."""
    entry, own = find_entry(needed.model.entry), needed.own.keys()
    found = {
        name: part.with_rules(rules) if part else nearest_part(needed, tensors, rules)
        for name, rules in ((name, entry.known_to(name).rules) for name in STATE_DICTS)
    }
    known = {name: len(own & part.ours.keys()) for name, part in found.items()}
    best = max(known, key=lambda name: known[name])
    if known[source] < known[best] and known[best] > 0.5 * len(own):
        used = f"the names that {best} uses for a {needed.model.entry}"
        raise WeightsError(f"weights of {source}", found=used, fix=f"Use --source {best}.")


def _make_two_classes(weights: Translated, heads: Sequence[str]) -> None:
    """A single output goes through a sigmoid, which is what two classes are whose first has the logit 0."""
    for path in heads:
        names = [name for name in (f"{path}.weight", f"{path}.bias") if name in weights.tensors]
        if names and all(weights.tensors[name].shape[:1] == (1,) for name in names):
            for name in names:
                row = weights.tensors[name]
                weights.tensors[name] = torch.cat([torch.zeros_like(row), row])
            weights.fitted[path] = "its single output became two classes; it belongs to the second"
