"""Which module of ours each layer of a Keras file is, where the file keeps no names: by the order of the layers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from ..errors import WeightsError
from ..models.layers import Classifier, ClassifierLayer
from .keras_files import StoredLayer

# Where a block's shortcut stands among its layers of a kind: as in our modules, and as Keras sorts them by depth.
_SHORTCUT = re.compile(r"(.+)\.(downsample|projection)(\.\d)?")
_PLACES = ("last", "before the last", "first")


def paths_by_order(model: Classifier, layers: Sequence[StoredLayer]) -> list[str]:
    """Paths by the order among layers of one kind; WeightsError unless exactly one order fits, shape by shape."""
    own: dict[str, list[tuple[str, nn.Module]]] = {}
    for path, part in model.named_modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            own.setdefault(_own_kind(part), []).append((path, part))
    stored: dict[str, list[int]] = {}
    for place, layer in enumerate(layers):
        stored.setdefault(_stored_kind(layer, has_depthwise="depthwise" in own), []).append(place)
    # Dense layers come after convolutions, whatever stands between them in a file.
    stored.get("product", []).sort(key=lambda place: layers[place].arrays["kernel"].ndim == 2)
    own.get("product", []).sort(key=lambda item: isinstance(item[1], nn.Linear))
    fitting: list[list[str]] = []
    if {kind: len(places) for kind, places in stored.items()} == {kind: len(items) for kind, items in own.items()}:
        for where in _PLACES:
            paths = [""] * len(layers)
            for kind, places in stored.items():
                ordered = _with_shortcuts([path for path, _ in own[kind]], where)
                for place, path in zip(places, ordered, strict=True):
                    paths[place] = path
            fits = all(_fits(model.get_submodule(path), layer) for path, layer in zip(paths, layers, strict=True))
            if fits and paths not in fitting:
                fitting.append(paths)
    if len(fitting) != 1:
        counts = ", ".join(f"{len(places)} {kind}" for kind, places in stored.items())
        raise WeightsError(
            f"the layers of {model.entry} by name, or in its order",
            found=f"{counts} layers: {', '.join(layer.name for layer in layers[:6])}, ...",
            fix="Check the model's name and options.",
        )
    return fitting[0]


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
    if _is_depthwise(part):
        return kernel.transpose(2, 3, 0, 1).shape == part.weight.shape
    shape = kernel.shape[::-1] if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1).shape
    own = tuple(part.weight.shape)
    if isinstance(part, nn.Linear) and len(shape) == 4:  # a 1x1 convolution on a pooled map is a dense layer
        own = (*own, 1, 1)
    return shape[1:] == own[1:] and (shape[0] == own[0] or isinstance(part, ClassifierLayer))
