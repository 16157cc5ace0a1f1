"""The graph of a model, read from one forward pass on the meta device, where tensors have shapes and no numbers.

Hooks tell which module is being called and a watch tells which functions are: a module without parts of its own is one
step, whatever it calls, and so is each function that is called outside of such a module. torchview reads a pass in this
way. torch.fx can't follow a pass that looks at shapes, as all of ours do, and torch.export takes layers apart and needs
torch's compiler.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .contract import Classifier
from .graph import Call, Graph, Node, with_fields
from .watching import Watch, tensors_in

# What a function is called in a graph; any other keeps its own name.
OPERATIONS = {
    "conv2d": "conv", "linear": "dense", "scaled_dot_product_attention": "attention",
    "max_pool2d": "max pool", "boolean_dispatch": "max pool", "_max_pool2d": "max pool", "avg_pool2d": "average pool",
    "adaptive_avg_pool2d": "average pool", "mean": "average pool",
    "batch_norm": "batch norm", "layer_norm": "layer norm", "group_norm": "group norm",
    "local_response_norm": "local response norm",
    "relu": "ReLU", "relu_": "ReLU", "leaky_relu": "leaky ReLU", "leaky_relu_": "leaky ReLU", "relu6": "ReLU6",
    "hardtanh": "ReLU6", "hardswish": "hard-swish", "hardsigmoid": "hard-sigmoid", "gelu": "GELU", "silu": "SiLU",
    "cat": "concatenate", "add": "add", "add_": "add", "__add__": "add", "__iadd__": "add", "__radd__": "add",
    "mul": "multiply", "mul_": "multiply", "__mul__": "multiply", "rsub": "subtract", "__rsub__": "subtract",
    "sub": "subtract", "__sub__": "subtract",
    "flatten": "flatten", "__getitem__": "select", "addcmul": "normalise",  # contract.py's one pass over the pixels
}  # fmt: skip
# What changes no value: neighbours of one another are one step, and those that keep the shape are none.
RESHAPES = {
    "flatten", "unflatten", "reshape", "view", "view_as", "transpose", "permute", "movedim", "unbind", "squeeze",
    "unsqueeze", "expand", "contiguous", "chunk", "split", "__getitem__", "to", "__get__",
}  # fmt: skip
# A step of several functions is what the first of these does.
_LOOKING = ("conv2d", "linear", "scaled_dot_product_attention", "max_pool2d", "boolean_dispatch", "_max_pool2d",
            "avg_pool2d", "adaptive_avg_pool2d", "batch_norm", "layer_norm", "group_norm")  # fmt: skip
_FRESH = ("ones_like", "zeros_like", "empty_like", "new_zeros", "new_ones")  # take a tensor's shape, not its values


def trace_model(model: Classifier, *, size: int) -> Graph:
    """Trace the forward pass of a model, its auxiliary heads included.

    Args:
        model: a model in evaluation mode, on the meta device.
        size: side of the pictures, pixels.

    Returns:
        Its graph, the picture first.

    Example:
        with torch.device("meta"):
            model = create_model("resnet18").eval()
        print([node.words for node in trace_model(model, size=224).nodes])
    """
    images = torch.empty(1, model.in_channels, size, size, device="meta")
    tracer = _Tracer(model, images)
    with torch.no_grad(), _hooked(model, tracer), tracer:
        model.training_logits(images)
    return with_fields(tracer.nodes)


@dataclass
class _Layer:
    """The module being called whose functions are one step."""

    called: list[tuple[str, Node]] = field(default_factory=list)
    inputs: dict[int, None] = field(default_factory=dict)


class _Tracer(Watch):
    """Makes a node of each layer's and each other function's call, and remembers which node made a tensor."""

    def __init__(self, model: Classifier, images: torch.Tensor) -> None:
        super().__init__()
        self.nodes = [Node("picture", "input", inputs=(), shape=tuple(images.shape[1:]), values=images.numel())]
        self.auxiliary = model.auxiliary
        self.calls: list[Call] = []  # of the modules being called, the outermost first
        self.turns: Counter[str] = Counter()
        self.names: Counter[str] = Counter()
        self.layer: _Layer | None = None
        self.made: dict[int, int] = {id(images): 0}  # the node that made a tensor
        # What a tensor that doesn't come from the picture comes from: names of parameters and moving statistics.
        self.weights: dict[int, tuple[str, ...]] = {id(value): (name,) for name, value in model.named_parameters()}
        self.weights |= {id(value): (name,) for name, value in model.named_buffers() if "running_" in name}
        self.sizes = {name: value.numel() for name, value in (*model.named_parameters(), *model.named_buffers())}
        self.kept: list[Any] = [images]  # tensors live on, so that an id is never given anew
        self.storages = {_storage(images)}

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # On the meta device torch takes batch norm apart in Python: 15 milliseconds each, for the shape that it had.
        return torch.empty_like(args[0]) if func is F.batch_norm else super().call(func, args, kwargs)

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        results = tensors_in(out)
        if not results:
            return
        name, taken = getattr(func, "__name__", ""), tensors_in(args, kwargs)
        inputs = dict.fromkeys(self.made[id(item)] for item in taken if id(item) in self.made)
        weights = tuple(dict.fromkeys(name for item in taken for name in self.weights.get(id(item), ())))
        self.kept += results
        if not inputs or name in _FRESH:
            self.weights |= {id(item): weights for item in results if id(item) not in self.weights}
            return
        node = replace(_step(name, args, kwargs, results[0]), inputs=tuple(inputs))
        if node.operation == "multiply" and len(inputs) == 1 and not weights:
            node = replace(node, operation="scale")
        if self.layer is not None:
            self.layer.inputs |= {place: None for place in inputs if place != len(self.nodes)}
            self.layer.called.append((name, node))
            self._made(results, len(self.nodes))
        elif name in RESHAPES and node.stride == 1:
            self._reshape(node, results)
        elif self._does_something(node):
            self._add(replace(node, name=self._name(node.operation, weights)), weights, results)
        else:
            self._made(results, node.inputs[0])

    def _reshape(self, node: Node, results: list[torch.Tensor]) -> None:
        (source,) = node.inputs
        last = self.nodes[-1]
        if node.shape == self.nodes[source].shape:
            self._made(results, source)
        elif source == len(self.nodes) - 1 and last.operation in ("flatten", "reshape"):
            self.nodes[-1] = replace(last, shape=node.shape)
            self._made(results, source)
        else:
            self._add(replace(node, name=self._name(node.operation, ())), (), results)

    def enter(self, path: str, part: nn.Module) -> None:
        """A module's call begins."""
        self.turns[path] += 1
        self.calls.append(Call(path, type(part).__name__, self.turns[path]))
        if self.layer is None and not any(True for _ in part.children()):
            self.layer = _Layer()

    def leave(self, path: str, part: nn.Module, out: Any) -> None:
        """A module's call ends; if it was a layer, it becomes a node."""
        layer = self.layer
        if layer is not None and not any(True for _ in part.children()):
            self.layer = None
            if layer.called:
                called = dict(reversed(layer.called))  # the first call of each function
                node = next((called[name] for name in _LOOKING if name in called), layer.called[0][1])
                results = tensors_in(out)
                node = replace(
                    node,
                    name=self.calls[-1].name,
                    shape=tuple(results[0].shape[1:]),
                    inputs=tuple(layer.inputs),
                    multiply_adds=sum(step.multiply_adds for _, step in layer.called),
                )
                if self._does_something(node) and not _is_off(part):
                    buffers = (name for name, _ in part.named_buffers(prefix=path) if "running_" in name)
                    weights = (*(name for name, _ in part.named_parameters(prefix=path)), *buffers)
                    self._add(node, weights, results)
                else:
                    self._made(results, node.inputs[0])
        self.calls.pop()

    def _add(self, node: Node, weights: tuple[str, ...], results: list[torch.Tensor]) -> None:
        new = [name for name in weights if name in self.sizes]
        sizes = {name: self.sizes.pop(name) for name in new}  # counted once, where they are used first
        storage = _storage(results[0])
        calls = tuple(self.calls)
        self.nodes.append(
            replace(
                node,
                calls=calls,
                parameters=sum(count for name, count in sizes.items() if "running_" not in name),
                frozen=sum(count for name, count in sizes.items() if "running_" in name),
                values=0 if storage in self.storages else math.prod(results[0].shape[1:]),
                auxiliary=bool(calls) and calls[0].path in self.auxiliary,
            )
        )
        self.storages.add(storage)
        self._made(results, len(self.nodes) - 1)

    def _does_something(self, node: Node) -> bool:
        """Whether a step is one; padding by nothing is none."""
        return node.operation != "pad" or node.shape != self.nodes[node.inputs[0]].shape

    def _made(self, results: list[torch.Tensor], place: int) -> None:
        self.made |= {id(item): place for item in results}

    def _name(self, operation: str, weights: tuple[str, ...]) -> str:
        """A function's: that of the parameter that it adds, or of the calling module and what it does."""
        own = [name for name in weights if not name.endswith(("weight", "bias")) and "running_" not in name]
        scope = self.calls[-1].name + "." if self.calls else ""
        name = own[0] if own else scope + operation.lower().replace(" ", "_")
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}:{self.names[name]}"


def _is_off(part: nn.Module) -> bool:
    """Whether a layer does nothing in any mode."""
    return isinstance(part, nn.Dropout) and part.p == 0


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _step(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: torch.Tensor) -> Node:
    """What a function does, and its multiply-adds for one picture; without a name and inputs."""
    operation = "reshape" if name in RESHAPES and name not in OPERATIONS else OPERATIONS.get(name, name)
    node = Node("", operation, inputs=(), shape=tuple(out.shape[1:]))
    if name == "conv2d":
        weight = args[1]
        channels, groups = args[0].shape[1], args[0].shape[1] // weight.shape[1]
        depthwise = groups == channels > 1
        return replace(
            node,
            operation="depthwise conv" if depthwise else operation,
            kernel=_pair(weight.shape[2:]),
            stride=_pair(kwargs.get("stride", args[3] if len(args) > 3 else 1))[0],
            groups=groups,
            multiply_adds=out[0].numel() * weight[0].numel(),
        )
    if operation == "max pool" or name == "avg_pool2d":
        kernel = _pair(kwargs.get("kernel_size", args[1] if len(args) > 1 else 1))
        given = kwargs.get("stride", args[2] if len(args) > 2 else None)
        return replace(node, kernel=kernel, stride=_pair(given)[0] if given else kernel[0])
    if name == "linear":
        # After flattening or averaging it sees everything; tokens stay apart.
        return replace(node, whole=out.ndim == 2, multiply_adds=out[0].numel() * args[1].shape[1])
    if operation == "attention":
        queries = args[0]  # (N, H, T, d): q k^T and its product with v
        cost = 2 * queries[0].numel() * queries.shape[2]
        return replace(node, whole=True, heads=queries.shape[1], multiply_adds=cost)
    if operation == "average pool":
        return replace(node, whole=out.shape[-1] == 1 or (name == "mean" and out.ndim == 2))
    if name == "__getitem__" and isinstance(args[1], tuple):
        steps = [part.step for part in args[1] if isinstance(part, slice) and part.step and part.step > 1]
        return replace(node, operation="subsample", stride=steps[-1]) if steps else node
    return node


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    pair = tuple(int(item) for item in value)
    return (pair[0], pair[0]) if len(pair) == 1 else (pair[0], pair[1])


@contextmanager
def _hooked(model: nn.Module, tracer: _Tracer) -> Iterator[None]:
    """A context in which the tracer is told when a module's call begins and ends."""

    def begins(path: str) -> Callable[..., None]:
        return lambda part, inputs: tracer.enter(path, part)

    def ends(path: str) -> Callable[..., None]:
        return lambda part, inputs, out: tracer.leave(path, part, out)

    hooks: list[Any] = []
    for path, part in model.named_modules():
        if path:
            hooks += [part.register_forward_pre_hook(begins(path)), part.register_forward_hook(ends(path))]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
