from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pictaxa.models.watching import Watch, tensors_in


class Names(Watch):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, int]] = []

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        self.calls.append((func.__name__, len(tensors_in(args, kwargs))))


def test_every_function_of_a_pass_is_seen():
    """Layers, operators, functions of lists and functions in place, each once with the tensors it was given."""
    layer, images = nn.Conv2d(1, 2, 1), torch.rand(1, 1, 3, 3)
    with Names() as names:
        out = layer(images)
        out = torch.cat([out, out], dim=1) + 1
        out.relu_()
    assert names.calls == [("conv2d", 3), ("cat", 2), ("add", 1), ("relu_", 1)]


def test_nothing_is_seen_after_the_context():
    """The context ends where it ends."""
    with Names() as names:
        pass
    torch.rand(2) + 1
    assert names.calls == []


def test_tensors_are_found_wherever_they_are():
    """In lists, tuples and dictionaries, in their order; other values are left out."""
    first, second, third = torch.zeros(1), torch.zeros(2), torch.zeros(3)
    found = tensors_in((first, 1, [second]), {"third": third, "word": "x"})
    assert [len(item) for item in found] == [1, 2, 3]
