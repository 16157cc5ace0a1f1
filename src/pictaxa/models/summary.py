"""A network layer by layer, read from a real forward pass on the meta device: shapes without arithmetic.

Every torch function that the pass calls is seen, so that residual sums, branches and slices count too: each tensor
carries the receptive field, the stride and the depth of the longest path that led to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from .watching import Watch, tensors_in
from .zoo import create_model

WHOLE = math.inf  # the receptive field of what has seen the whole picture


@dataclass(frozen=True)
class Trace:
    """What is known of a tensor on its way through the network: how much of the picture it sees, and at what depth."""

    field_height: float = 1  # pixels of the input that one of its positions sees
    field_width: float = 1
    stride: float = 1  # pixels of the input between two of its positions
    depth: int = 0  # convolutions and dense layers on the longest path to it


@dataclass(frozen=True)
class Row:
    """One call of a layer."""

    name: str
    kind: str
    shape: tuple[int, ...]  # of the output, without the number of pictures
    parameters: int
    frozen: int  # of them, or beside them, not trained: batch norm's moving statistics
    multiply_adds: int
    trace: Trace
    kernel: tuple[int, int] | None
    own_stride: int


@dataclass(frozen=True)
class Summary:
    """A network at an input size: its layers, and their totals for one picture.

    Example:
        summary = summarise_model("resnet18", size=224)
        print(summary.trainable, summary.multiply_adds)  # 11689512 1814073344
    """

    name: str
    size: int
    channels: int
    rows: tuple[Row, ...]
    shapes: dict[str, tuple[int, ...]]  # of every module's last output, without the number of pictures
    trainable: int
    frozen: int
    multiply_adds: int
    depth: int
    receptive_field: float  # of a position of the last feature map, before anything looks at the whole picture


class _Tracer(Watch):
    """Adds up multiply-adds and hands each tensor's Trace on."""

    def __init__(self) -> None:
        super().__init__()
        self.multiply_adds = 0
        self.largest_field = 1.0
        self.traces = WeakIdKeyDictionary()  # of each tensor that comes from the picture
        self.cost_before: dict[nn.Module, int] = {}  # multiply-adds when a module's call began

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # On the meta device torch takes batch norm apart in Python: 15 milliseconds each, for the shape that it had.
        return torch.empty_like(args[0]) if func is F.batch_norm else super().call(func, args, kwargs)

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        trace = _longest([self.traces[item] for item in tensors_in(args, kwargs) if item in self.traces])
        if trace is None:
            return
        after, cost = _after(getattr(func, "__name__", ""), trace, args, kwargs, out)
        self.multiply_adds += cost
        if after.field_height < WHOLE:
            self.largest_field = max(self.largest_field, after.field_height)
        for item in tensors_in(out):
            self.traces[item] = after


def _longest(traces: list[Trace]) -> Trace | None:
    """The largest of each figure."""
    return Trace(*map(max, zip(*map(astuple, traces), strict=True))) if traces else None


def _after(name: str, trace: Trace, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> tuple[Trace, int]:
    """The Trace after a function, and its multiply-adds for one picture."""
    if name == "conv2d":
        weight = args[1]
        stride = _pair(kwargs.get("stride", args[3] if len(args) > 3 else 1))[0]
        cost = out[0].numel() * weight[0].numel()
        return _looked(trace, kernel=weight.shape[2:], stride=stride, deeper=1), cost
    if name in ("max_pool2d", "avg_pool2d", "boolean_dispatch", "_max_pool2d"):
        kernel = _pair(kwargs.get("kernel_size", args[1] if len(args) > 1 else 1))
        given = kwargs.get("stride", args[2] if len(args) > 2 else None)
        return _looked(trace, kernel=kernel, stride=_pair(given)[0] if given else kernel[0]), 0
    if name == "linear":
        whole = out.ndim == 2  # after flattening or averaging; tokens stay apart
        cost = out[0].numel() * args[1].shape[1]
        deeper = replace(trace, depth=trace.depth + 1)
        return (_whole(deeper) if whole else deeper), cost
    if name == "scaled_dot_product_attention":
        queries = args[0]  # (N, H, T, d): q k^T and its product with v
        return _whole(trace), 2 * queries[0].numel() * queries.shape[2]
    if name in ("mean", "adaptive_avg_pool2d") and (out.shape[-1] == 1 or (name == "mean" and out.ndim == 2)):
        return _whole(trace), 0
    if name == "__getitem__" and isinstance(args[1], tuple):
        steps = [part.step for part in args[1] if isinstance(part, slice) and part.step]
        if steps:
            return _looked(trace, kernel=(1, 1), stride=steps[-1]), 0
    return trace, 0


def _looked(trace: Trace, *, kernel: Any, stride: int, deeper: int = 0) -> Trace:
    return Trace(
        field_height=trace.field_height + (kernel[0] - 1) * trace.stride,
        field_width=trace.field_width + (kernel[1] - 1) * trace.stride,
        stride=trace.stride * stride,
        depth=trace.depth + deeper,
    )


def _whole(trace: Trace) -> Trace:
    return replace(trace, field_height=WHOLE, field_width=WHOLE)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    pair = tuple(int(item) for item in value)
    return (pair[0], pair[0]) if len(pair) == 1 else (pair[0], pair[1])


def summarise_model(
    name: str, *, size: int, num_classes: int = 1000, channels: int = 3, options: dict[str, Any] | None = None
) -> Summary:
    """Summarise an entry layer by layer, from a forward pass of one picture on the meta device.

    Args:
        name: name of the entry.
        size: side of the picture, pixels; one that the entry takes (`zoo.check_size`).
        num_classes: number of classes.
        channels: 3 for RGB, 1 for grey.
        options: the entry's own options; {"size": size} for one that is built for one size.

    Returns:
        A Summary, with a row for each call of a layer in the order of the calls.

    Raises:
        ModelError: the name or an option is unknown, or the picture is too small.

    Example:
        for row in summarise_model("resnet18", size=224).rows:
            print(row.name, row.shape, row.parameters)
    """
    with torch.device("meta"):
        model = create_model(name, num_classes, in_channels=channels, **(options or {})).eval()
        images = torch.empty(1, channels, size, size)
    rows: list[Row] = []
    shapes: dict[str, tuple[int, ...]] = {}
    watch = _Tracer()
    hooks = []
    for path, part in model.named_modules():
        hooks.append(part.register_forward_hook(_note_shape(path, shapes)))
        if not any(True for _ in part.children()) or _adds_products(part):
            hooks.append(part.register_forward_pre_hook(_remember(watch)))
            hooks.append(part.register_forward_hook(_record(path, watch, rows)))
    with torch.no_grad(), watch:
        watch.traces[images] = Trace()
        logits = model(images)
    for hook in hooks:
        hook.remove()
    statistics = sum(value.numel() for key, value in model.state_dict().items() if "running_" in key)
    return Summary(
        name=name,
        size=size,
        channels=channels,
        rows=tuple(rows),
        shapes=shapes,
        trainable=sum(parameter.numel() for parameter in model.parameters()),
        frozen=statistics,
        multiply_adds=watch.multiply_adds,
        depth=watch.traces[logits].depth,
        receptive_field=watch.largest_field,
    )


def _adds_products(part: nn.Module) -> bool:
    """Whether a module with children multiplies on its own: attention's products."""
    return type(part).__name__ == "MultiHeadAttention"


def _note_shape(path: str, shapes: dict[str, tuple[int, ...]]) -> Callable[..., None]:
    def hook(part: nn.Module, inputs: Any, out: torch.Tensor) -> None:
        shapes[path] = tuple(out.shape[1:])

    return hook


def _remember(watch: _Tracer) -> Callable[..., None]:
    def hook(part: nn.Module, inputs: Any) -> None:
        watch.cost_before[part] = watch.multiply_adds

    return hook


def _record(path: str, watch: _Tracer, rows: list[Row]) -> Callable[..., None]:
    def hook(part: nn.Module, inputs: Any, out: torch.Tensor) -> None:
        if isinstance(part, (nn.Identity, nn.Dropout)):
            return
        cost = watch.multiply_adds - watch.cost_before[part]
        if _adds_products(part):
            inner = [row for row in rows if row.name.startswith(path + ".")]
            cost -= sum(row.multiply_adds for row in inner)
        first_call = all(row.name != path for row in rows)
        own = sum(value.numel() for value in part.parameters(recurse=False)) if first_call else 0
        moving = sum(value.numel() for key, value in part.named_buffers(recurse=False) if "running_" in key)
        kernel = getattr(part, "kernel_size", getattr(part, "kernel", None))
        rows.append(
            Row(
                name=path,
                kind=type(part).__name__,
                shape=tuple(out.shape[1:]),
                parameters=own,
                frozen=moving if first_call else 0,
                multiply_adds=cost,
                trace=watch.traces[out],
                kernel=None if kernel is None else _pair(kernel),
                own_stride=_pair(getattr(part, "stride", 1) or 1)[0],
            )
        )

    return hook
