"""Records every torch function that a forward pass calls, for the summary and for folding batch norms.

torch.utils._python_dispatch sees one level deeper, but loads torch's compiler: two seconds before a first prediction.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Watch(TorchFunctionMode):
    """A context in which `saw` is told of each call; functions that torch itself calls within are not told."""

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a call gives: what it gives without the watch, unless a watch has something else to say."""
        return func(*args, **kwargs)

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """A torch function or method, what it was given and what it gave."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does with a call")  # an abstract method

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = self.call(func, args, kwargs)
        self.saw(func, args, kwargs, out)
        return out


def tensors_in(*items: Any) -> list[torch.Tensor]:
    """The tensors among arguments or results, those in lists, tuples and dictionaries too."""
    found: list[torch.Tensor] = []
    for item in items:
        if isinstance(item, torch.Tensor):
            found.append(item)
        elif isinstance(item, dict):
            found += tensors_in(*item.values())
        elif isinstance(item, (list, tuple)):
            found += tensors_in(*item)
    return found
