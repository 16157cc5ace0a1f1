"""Layers of a Keras file as our tensors: which module each belongs to, and the axes of kernels.

Keras keeps kernels as (height, width, in, out), depthwise ones as (height, width, channels, 1), dense ones as (in,
out), and flattens maps as (height, width, channel); torch has (out, in, height, width), (out, in) and (channel,
height, width).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from ..errors import WeightsError
from ..models.contract import Classifier
from ..models.entry import Rule
from ..models.zoo import find_entry
from .keras_files import StoredLayer
from .keras_order import in_a_chain, paths_by_order
from .rules import rename, shortened

POSITIONS = "pos_embed"  # a transformer's, a parameter of no layer; a file has the class token beside it
# How Keras names layers that were given no name, and the last of its applications.
_COUNTED = re.compile(r"(conv2d|batch_normalization)(_\d+)?|predictions")


@dataclass(frozen=True)
class Placed:
    """Which module of an entry each layer of a file is, by path, and why other layers are none."""

    layers: list[StoredLayer]
    paths: list[str]
    dropped: dict[str, str] = field(default_factory=dict)  # a layer's name -> the reason


def translate(
    model: Classifier, layers: Sequence[StoredLayer], *, hidden: Sequence[str] = ()
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Layers of a Keras file as an entry's tensors, and the layers that were dropped with the reason.

    `hidden` are paths of the dense layers that a head with hidden ones has, which the entry itself is built without.
    WeightsError when the layers are not the entry's.
    """
    known = find_entry(model.entry).known_to("keras")
    if known.by_place:
        return translate_places(model, layers, known.rules), {}
    parts = dict(model.named_modules())
    flattened = dict(model.flattened)
    if hidden and model.main_head() in flattened:
        flattened[hidden[0]] = flattened[model.main_head()]
    placed = _place(model, layers, hidden=hidden)
    _check_once(placed)
    tensors: dict[str, torch.Tensor] = {}
    for layer, path in zip(placed.layers, placed.paths, strict=True):
        for variable in layer.arrays:
            key, value = _tensor(parts.get(path), layer, variable, flattened_channels=flattened.get(path, 0))
            tensors[f"{path}.{key}"] = value
    for path, part in parts.items():  # batch norms without scale have it 1, those without shift have it 0
        if isinstance(part, nn.BatchNorm2d) and not tensors.keys().isdisjoint({f"{path}.weight", f"{path}.bias"}):
            tensors.setdefault(f"{path}.weight", torch.ones(part.num_features))
            tensors.setdefault(f"{path}.bias", torch.zeros(part.num_features))
    return tensors, placed.dropped


def translate_places(
    model: Classifier, layers: Sequence[StoredLayer], rules: Sequence[Rule]
) -> dict[str, torch.Tensor]:
    """Layers by the groups in which they lie, as a transformer's of one's own, as an entry's tensors.

    WeightsError for a place that no rule knows, or two layers in the place of one.
    """
    parts = dict(model.named_modules())
    paths = rename([layer.place for layer in layers], rules).names
    unknown = [place for place in paths if not any(re.fullmatch(rule.pattern, place) for rule in rules)]
    if unknown:
        raise WeightsError(
            f"the layers of {model.entry}, by the names of their groups", found=f"others: {shortened(unknown)}",
            fix="Check the model's name and its options.",
        )  # fmt: skip
    tensors: dict[str, torch.Tensor] = {}
    for layer in layers:
        path = paths[layer.place]
        part = parts.get(path)
        if path == POSITIONS:
            names = {"cls": "cls_token", "pos_embed": POSITIONS}
            tensors |= {names.get(word, f"{path}.{word}"): _copy(array) for word, array in layer.arrays.items()}
        elif isinstance(part, nn.LayerNorm):  # of two numbered variables nothing says that they are no statistics
            words = ("weight", "bias") if len(layer.arrays) == 2 else tuple(layer.arrays)
            tensors |= {f"{path}.{word}": _copy(a) for word, a in zip(words, layer.arrays.values(), strict=True)}
        else:
            for variable in layer.arrays:
                key, value = _tensor(part, layer, variable, flattened_channels=0)
                tensors[f"{path}.{key}"] = value
            if isinstance(part, nn.Linear) and f"{path}.weight" in tensors:  # qkv_bias=False
                tensors.setdefault(f"{path}.bias", torch.zeros(len(tensors[f"{path}.weight"])))
    return tensors


def notes(model: Classifier, layers: Sequence[StoredLayer]) -> list[str]:
    """What a file leaves open: the three variables of a batch norm are those of two kinds."""
    count = sum("beta" in layer.arrays and "gamma" not in layer.arrays for layer in layers)
    if not count or not find_entry(model.entry).known_to("keras").norm_scale:
        return []
    return [
        f"{count} batch norms have three variables and are read as those without scale (scale=False); Keras 3 stores "
        "those without shift (center=False) in the same way: if they are, load a legacy .h5, which distinguishes them"
    ]


def _check_once(placed: Placed) -> None:
    """WeightsError where two layers would be one: a file may hold two networks whose layers have the same names."""
    twice = [path for path, count in Counter(placed.paths).items() if count > 1]
    if twice:
        pairs = zip(placed.layers, placed.paths, strict=True)
        names = " and ".join(layer.name for layer, path in pairs if path == twice[0])
        more = f", and as many for {len(twice) - 1} more" if len(twice) > 1 else ""
        raise WeightsError(
            "each layer of the network once", found=f"{names} as {twice[0]}{more}",
            fix="Save the intended network separately: model.get_layer(NAME).save_weights(FILE).",
        )  # fmt: skip


def _place(model: Classifier, layers: Sequence[StoredLayer], *, hidden: Sequence[str]) -> Placed:
    """By name, as Keras' applications or we call them, or in order; then the dense layers of a head of one's own."""
    by_name = _paths_by_name(model, layers)
    if by_name is not None and _has_own_head(model, layers, by_name):
        return Placed([*layers], by_name)
    dense = in_a_chain([layer for layer in layers if _is_dense(layer)])
    layers = [*(layer for layer in layers if not _is_dense(layer)), *dense]
    own = _dense_shapes(model)
    theirs = [layer.arrays["kernel"].shape for layer in dense]
    if len(own) > 1 and (not theirs or (len(theirs) == len(own) and theirs[:-1] == own[:-1])):
        return Placed([*layers], paths_by_order(model, layers))
    backbone, norms = _apart(model, [layer for layer in layers if not _is_dense(layer)])
    paths = _paths_by_name(model, backbone) or paths_by_order(model, backbone)
    reason = _why_another(model, theirs, norms=bool(norms), hidden=hidden)
    if reason:
        return Placed(backbone, paths, {layer.name: reason for layer in (*norms, *dense)})
    return Placed(
        [*backbone, *dense], [*paths, *(hidden if len(dense) > 1 else [model.main_head()])][: len(backbone + dense)]
    )


def _has_own_head(model: Classifier, layers: Sequence[StoredLayer], paths: Sequence[str]) -> bool:
    """Whether layers with the names of an entry's dense ones are those: people call their own `predictions` too."""
    own = dict(zip(dense_paths(model), _dense_shapes(model), strict=True))
    theirs = {
        path: layer.arrays["kernel"].shape
        for path, layer in zip(paths, layers, strict=True)
        if path in own and "kernel" in layer.arrays
    }
    if len(own) > 1:
        return not theirs or own.keys() - {model.main_head()} <= theirs.keys()
    return all(shape[-2:-1] == own[path][:1] for path, shape in theirs.items())


def _why_another(model: Classifier, theirs: Sequence[tuple[int, ...]], *, norms: bool, hidden: Sequence[str]) -> str:
    """Why dense layers (in, out) are no head of this model; nothing where they are, or where there are none."""
    own = _dense_shapes(model)
    if norms:
        return "a head with norms, which no head here has"
    if not theirs:
        return ""
    if len(own) > 1:
        return f"{_shapes(theirs)}, which are not the dense layers of {model.entry}, {_shapes(own)}"
    if theirs[0][0] != own[0][0]:
        return f"a head with {theirs[0][0]} inputs, while {model.entry} has {own[0][0]} features"
    if len(theirs) in (1, len(hidden)):
        return ""
    widths = ",".join(str(outputs) for _, outputs in theirs[:-1])
    return f"a head with hidden layers; head={widths} has them, with ReLU (--model-options, or --head in training)"


def dense_paths(model: Classifier) -> list[str]:
    """Paths of an entry's dense layers, but for auxiliary heads'."""
    return [
        path
        for path, part in model.named_modules()
        if isinstance(part, nn.Linear) and path.partition(".")[0] not in model.auxiliary
    ]


def _dense_shapes(model: Classifier) -> list[tuple[int, ...]]:
    """(in, out) of the same."""
    state = model.state_dict()
    return [tuple(state[f"{path}.weight"].shape[::-1]) for path in dense_paths(model)]


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    words = [f"{inputs} to {outputs}" for inputs, outputs in shapes]
    return ", ".join(words if len(words) <= 6 else [*words[:3], "...", words[-1]])


def _is_dense(layer: StoredLayer) -> bool:
    return "kernel" in layer.arrays and layer.arrays["kernel"].ndim == 2


def _apart(model: Classifier, layers: list[StoredLayer]) -> tuple[list[StoredLayer], list[StoredLayer]]:
    """A backbone's layers, and norms of a head of one's own, where names tell them apart."""
    known = [_paths_by_name(model, [layer]) is not None for layer in layers]
    own = [layer for layer, is_known in zip(layers, known, strict=True) if is_known]
    others = [layer for layer, is_known in zip(layers, known, strict=True) if not is_known]
    return (own, others) if own and all("beta" in layer.arrays for layer in others) else (layers, [])


def _paths_by_name(model: Classifier, layers: Sequence[StoredLayer]) -> list[str] | None:
    """The module of each layer, where their names say so."""
    names = [layer.name for layer in layers]
    if set(names) <= dict(model.named_modules()).keys():
        return names
    known = find_entry(model.entry).known_to("keras")
    if known.counted and all(_COUNTED.fullmatch(name) for name in names):
        return _counted_paths(model, names)
    if all(any(re.fullmatch(rule.pattern, name) for rule in known.rules) for name in names):
        renamed = rename(names, known.rules).names
        return [renamed[name] for name in names]
    return None


def _tensor(
    part: nn.Module | None, layer: StoredLayer, variable: str, *, flattened_channels: int
) -> tuple[str, torch.Tensor]:
    """A Keras variable as our parameter's name and value; WeightsError where its axes are none of the module's."""
    array = layer.arrays[variable]
    if variable in ("moving_mean", "moving_variance"):
        return {"moving_mean": "running_mean", "moving_variance": "running_var"}[variable], _copy(array)
    if variable in ("gamma", "beta", "bias"):
        return ("weight" if variable == "gamma" else "bias"), _copy(array)
    if isinstance(part, nn.Conv2d):
        if array.ndim != 4:
            raise _misshapen(layer, array, "of height, width, in and out")
        depthwise = part.groups > 1 and array.shape[-1] == 1
        return "weight", _copy(array.transpose(2, 3, 0, 1) if depthwise else array.transpose(3, 2, 0, 1))
    if array.ndim == 4:  # a 1x1 convolution on a pooled map is a dense layer
        return "weight", _copy(array[0, 0].T)
    if flattened_channels and array.ndim == 2:
        inputs, outputs = array.shape
        side = round((inputs // flattened_channels) ** 0.5)
        if side * side * flattened_channels != inputs:
            raise _misshapen(layer, array, f"on square maps of {flattened_channels} channels")
        maps = array.reshape(side, side, flattened_channels, outputs)
        return "weight", _copy(maps.transpose(3, 2, 0, 1).reshape(outputs, inputs))
    return "weight", _copy(array.T)


def _misshapen(layer: StoredLayer, array: np.ndarray, what: str) -> WeightsError:
    return WeightsError(
        f"a kernel {what} as {layer.name}", found=f"{array.shape}", fix="Check the model's name and its options."
    )


def _copy(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


def _counted_paths(model: Classifier, names: Sequence[str]) -> list[str] | None:
    """Convolutions and their norms, by counters in the order of their creation, which is ours too."""
    convs = [path for path, part in model.named_modules() if isinstance(part, nn.Conv2d)]
    units = [path for path in convs if path.partition(".")[0] not in model.auxiliary]
    paths = {"predictions": model.main_head()}
    for word, suffix in (("conv2d", "conv"), ("batch_normalization", "bn")):
        theirs = {name for name in names if re.fullmatch(rf"{word}(_\d+)?", name)}
        if len(theirs) != len(units):
            return None
        ordered = sorted(theirs, key=lambda name: int(name.rpartition("_")[2]) if name != word else -1)
        paths |= {old: unit.removesuffix("conv") + suffix for old, unit in zip(ordered, units, strict=True)}
    return [paths[name] for name in names]
