"""Which module of ours each layer of a Keras file is, where the file keeps no names: by the order of the layers.

Keras sorts the layers of a graph by their distance from its end, so those of branches side by side come mixed; a model
of another kind keeps the order in which its layers were made.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..errors import WeightsError
from ..models.contract import Classifier, ClassifierLayer
from ..models.zoo import create_model, find_entry
from .keras_files import StoredLayer

Kinds = dict[str, list[str]]  # paths of the layers of each kind, in an order

# Where a block's shortcut stands among its layers of a kind: as in our modules, and as Keras sorts them by distance.
_SHORTCUT = re.compile(r"(.+)\.(downsample|projection)(\.\d)?")
_PLACES = ("last", "before the last", "first")
_LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
_MOST_CHAINED = 8  # dense layers whose order is looked for
_JOIN = 0.01  # of a layer: what a concatenation adds to the distance of those before it


def in_a_chain(dense: Sequence[StoredLayer]) -> list[StoredLayer]:
    """Dense layers in the order of the graph, by their widths: each takes as many values as the one before it gives.

    Keras 3 files have the layers of a model within the model in a group of its own, before or behind the others. Within
    a group they are in order, and a legacy file has all of them in order.

    Args:
        dense: dense layers as they stand in the file.

    Returns:
        The same, in another order where exactly one other makes a chain and theirs makes none.

    Raises:
        WeightsError: several orders fit.
    """
    groups: dict[str, list[StoredLayer]] = {}
    for layer in dense:
        groups.setdefault(layer.place.rpartition("/")[0], []).append(layer)
    if len(groups) < 2 or len(dense) > _MOST_CHAINED or all(layer.in_order for layer in dense):
        return [*dense]
    fitting = [order for order in _interleaved([*groups.values()]) if _is_chain(order)]
    if len(fitting) > 1:
        names = ", ".join(layer.place for layer in dense)
        raise WeightsError(
            "dense layers in one order", found=f"{len(fitting)} orders in which the widths fit, of {names}",
            fix="Save the model as a legacy .h5 (model.save('model.h5')), which keeps the order.",
        )  # fmt: skip
    return fitting[0] if fitting else [*dense]


def _interleaved(groups: Sequence[Sequence[StoredLayer]]) -> Iterator[list[StoredLayer]]:
    """All orders of the groups' layers that keep the order within each group."""
    if not any(groups):
        yield []
    for number, group in enumerate(groups):
        if group:
            for rest in _interleaved([*groups[:number], group[1:], *groups[number + 1 :]]):
                yield [group[0], *rest]


def _is_chain(dense: Sequence[StoredLayer]) -> bool:
    shapes = [layer.arrays["kernel"].shape for layer in dense]
    return all(one[1] == other[0] for one, other in itertools.pairwise(shapes))


def paths_by_order(model: Classifier, layers: Sequence[StoredLayer]) -> list[str]:
    """Paths by the order among layers of one kind; WeightsError unless exactly one order fits, shape by shape."""
    has_depthwise = any(_is_depthwise(part) for part in model.modules())
    stored: dict[str, list[int]] = {}
    for place, layer in enumerate(layers):
        stored.setdefault(_stored_kind(layer, has_depthwise=has_depthwise), []).append(place)
    # Dense layers come after convolutions, whatever stands between them in a file.
    stored.get("product", []).sort(key=lambda place: layers[place].arrays["kernel"].ndim == 2)
    fitting: list[list[str]] = []
    misfits: list[list[str]] = []  # of each order with as many layers
    counts = {kind: len(places) for kind, places in stored.items()}
    for kinds in _orders(model):
        if {kind: len(paths) for kind, paths in kinds.items()} != counts:
            continue
        paths = [""] * len(layers)
        for kind, places in stored.items():
            for place, path in zip(places, kinds[kind], strict=True):
                paths[place] = path
        pairs = list(zip(paths, layers, strict=True))
        misfits.append(
            [_told(*pair, model=model) for pair in pairs if not _fits(model.get_submodule(pair[0]), pair[1])]
        )
        if not misfits[-1] and paths not in fitting:
            fitting.append(paths)
    if len(fitting) != 1:
        raise WeightsError(
            f"the layers of {model.entry}, by name or in order",
            found=_found(model, {kind: [layers[p].name for p in places] for kind, places in stored.items()}, misfits),
            fix="Check the model's name and options; legacy .h5 files and those of newer Keras have the names.",
        )
    return fitting[0]


def _found(model: Classifier, stored: Mapping[str, Sequence[str]], misfits: Sequence[list[str]]) -> str:
    """In what a file's layers, names of each kind, are none of an entry's, in full."""
    if misfits and not all(misfits):
        return "layers that fit in several orders, and no names that are known"
    if misfits:
        nearest = min(misfits, key=len)
        return f"other shapes: {'; '.join(nearest)}"
    theirs = Counter({kind: len(names) for kind, names in stored.items()})
    orders = [Counter({kind: len(paths) for kind, paths in kinds.items()}) for kinds in _orders(model)]
    own = min(orders, key=lambda counts: sum(abs(counts[kind] - theirs[kind]) for kind in _KINDS))
    return "; ".join(
        f"{theirs[kind]} {_KINDS[kind]} instead of {own[kind]} ({', '.join(dict.fromkeys(stored.get(kind, ())))})"
        for kind in _KINDS
        if theirs[kind] != own[kind]
    )


_KINDS = {"product": "convolutions and dense layers", "depthwise": "depthwise convolutions", "norm": "batch norms"}


def _told(path: str, layer: StoredLayer, *, model: Classifier) -> str:
    own = {name: tuple(value.shape) for name, value in model.get_submodule(path).named_parameters(recurse=False)}
    theirs = {name: array.shape for name, array in layer.arrays.items()}
    return f"{layer.name} with {_listed(theirs)} as {path} with {_listed(own)}"


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return " and ".join(f"{name} {shape}" for name, shape in shapes.items())


def _orders(model: Classifier) -> Iterator[Kinds]:
    """The orders in which a file may have the layers: with and without the classes, without any dense layer, with
    auxiliary heads where that can be told.
    """
    every = [path for path, part in model.named_modules() if isinstance(part, _LAYERS)]
    main = [path for path in every if path.partition(".")[0] not in model.auxiliary]
    heads = ({model.main_head()}, {path for path in main if isinstance(model.get_submodule(path), nn.Linear)})
    sorted_by_keras = _by_distance(model)
    for paths in (sorted_by_keras, *(_without(sorted_by_keras, head) for head in heads)):
        yield _by_kind(model, paths)
    for paths in (every, main, *(_without(main, head) for head in heads)):
        for where in _PLACES:
            yield {kind: _with_shortcuts(own, where) for kind, own in _by_kind(model, paths).items()}


def _without(paths: Sequence[str], others: Collection[str]) -> list[str]:
    return [path for path in paths if path not in others]


def _by_kind(model: Classifier, paths: Sequence[str]) -> Kinds:
    kinds: Kinds = {}
    for path in paths:
        kinds.setdefault(_own_kind(model.get_submodule(path)), []).append(path)
    kinds.get("product", []).sort(key=lambda path: isinstance(model.get_submodule(path), nn.Linear))
    return kinds


def _by_distance(model: Classifier) -> list[str]:
    """Paths of the layers that give the logits, those farthest from them first; of equals as the logits lead to them.

    That is how Keras sorts a graph. It counts activations and pools too, which a branch may have more of; but the
    branches of the zoo's networks are all of like units, so the layers with kernels give the same order.
    """
    entry = find_entry(model.entry)
    size = int(str(model.options.get("size", entry.size)))
    layers: dict[Any, str] = {}  # an operation as autograd has it: the path of the layer that it is of
    with torch.device("meta"):  # shapes and no numbers
        twin = create_model(model.entry, model.num_classes, in_channels=model.in_channels, **model.options).eval()
        for path, part in twin.named_modules():
            if isinstance(part, _LAYERS):
                part.register_forward_hook(lambda _, __, out, path=path: layers.update({out.grad_fn: path}))
        logits = twin(torch.zeros(1, model.in_channels, size, size, requires_grad=True))
    lengths = {
        operation: 0.0 if isinstance(twin.get_submodule(path), nn.BatchNorm2d) else 1.0
        for operation, path in layers.items()
    }
    distances = _distances(logits.grad_fn, lengths)
    return [layers[operation] for operation in sorted(distances, key=lambda o: -distances[o]) if operation in layers]


def _distances(last: Any, lengths: Mapping[Any, float]) -> dict[Any, float]:
    """How far each operation of a graph of autograd is from the last, by the longest way; in the order of discovery.

    A way is as long as the operations on it, each of which has its length, but for the one that it leads to.
    """
    found: dict[Any, float] = {}
    ways = [last]
    while ways:  # depth first, the first argument's operation before the second's
        operation = ways.pop()
        if operation not in found:
            found[operation] = 0.0
            ways += [before for before, _ in reversed(operation.next_functions) if before is not None]
    waiting = Counter(before for operation in found for before, _ in operation.next_functions if before is not None)
    ready = [last]
    while ready:  # each when all that follow it are done
        operation = ready.pop()
        length = lengths.get(operation, _JOIN if type(operation).__name__.startswith("Cat") else 0.0)
        for before, _ in operation.next_functions:
            if before is not None:
                found[before] = max(found[before], found[operation] + length)
                waiting[before] -= 1
                if not waiting[before]:
                    ready.append(before)
    return found


def _with_shortcuts(paths: list[str], where: str) -> list[str]:
    """Layers of a kind, those of each block's shortcut put elsewhere in their block."""
    ordered: list[str] = []
    blocks = {match[1] for path in paths if (match := _SHORTCUT.fullmatch(path))}
    done: set[str] = set()
    for path in paths:
        block = next((block for block in blocks if path.startswith(f"{block}.")), None)
        if block is None:
            ordered.append(path)
        elif block not in done:
            done.add(block)
            inside = [other for other in paths if other.startswith(f"{block}.")]
            shortcut = [other for other in inside if _SHORTCUT.fullmatch(other)]
            main = [other for other in inside if other not in shortcut]
            cut = {"last": len(main), "before the last": len(main) - 1, "first": 0}[where]
            ordered += [*main[:cut], *shortcut, *main[cut:]]
    return ordered


def _own_kind(part: nn.Module) -> str:
    if isinstance(part, nn.BatchNorm2d):
        return "norm"
    return "depthwise" if _is_depthwise(part) else "product"


def _stored_kind(layer: StoredLayer, *, has_depthwise: bool) -> str:
    kernel = layer.arrays.get("kernel")
    if "depthwise_kernel" in layer.arrays or (
        has_depthwise and kernel is not None and kernel.ndim == 4 and kernel.shape[3] == 1
    ):
        return "depthwise"
    return "norm" if kernel is None else "product"


def _is_depthwise(part: nn.Module) -> bool:
    return isinstance(part, nn.Conv2d) and part.groups == part.in_channels > 1


def _fits(part: nn.Module, layer: StoredLayer) -> bool:
    """Whether the shapes are the module's; a head may be for other classes."""
    if isinstance(part, nn.BatchNorm2d):
        return all(array.shape == (part.num_features,) for array in layer.arrays.values())
    assert isinstance(part, (nn.Conv2d, nn.Linear))
    kernel = layer.arrays.get("depthwise_kernel", layer.arrays.get("kernel"))
    if kernel is None or ("bias" in layer.arrays) != (part.bias is not None):
        return False
    if kernel.ndim != 4 and (kernel.ndim != 2 or _is_depthwise(part)):
        return False
    if _is_depthwise(part):
        return kernel.transpose(2, 3, 0, 1).shape == part.weight.shape
    shape = kernel.shape[::-1] if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1).shape
    own = tuple(part.weight.shape)
    if isinstance(part, nn.Linear) and len(shape) == 4:  # a 1x1 convolution on a pooled map is a dense layer
        own = (*own, 1, 1)
    return shape[1:] == own[1:] and (shape[0] == own[0] or isinstance(part, ClassifierLayer))
