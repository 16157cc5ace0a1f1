"""How much work a pickle makes for whoever loads it, found without loading it.

A pickle may name one value again and again, so 668 bytes can hold a tuple of two tuples of two tuples, sixty times:
small in memory, and gone through 2^60 times when it is a key and Python hashes it. Tuples in tuples a hundred thousand
deep end the process instead. No unpickler has a limit for either, and what hashes can't be ended from outside.

So the operations are followed here as an unpickler would, with a count in place of each value: how many values are
found in it by whoever goes through all of it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..limits import MAX_PICKLE_DEPTH, MAX_PICKLE_WORK

GROWING = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
WITH_PAIRS = frozenset({"SETITEM", "SETITEMS", "DICT"})  # keys before their values
# What hashes, or hands to a call that may, everything that it takes; torch looks storages up by what BINPERSID takes.
HASHING = frozenset({
    "ADDITEMS", "FROZENSET", "REDUCE", "OBJ", "INST", "NEWOBJ", "NEWOBJ_EX", "BINPERSID",
})  # fmt: skip
BYTES_OF_WORK = 64  # of a text or number that take as long as a value


@dataclass(eq=False, slots=True)
class _Value:
    work: int  # values in it, those in its values included, each as often as it is found
    depth: int

    def grow(self, items: Sequence[_Value]) -> None:
        self.work = min(self.work + sum(item.work for item in items), MAX_PICKLE_WORK + 1)
        self.depth = max(self.depth, 1 + max((item.depth for item in items), default=0))
        if self.depth > MAX_PICKLE_DEPTH:
            raise ValueError(f"a pickle with values more than {MAX_PICKLE_DEPTH} deep within each other")


def check_pickle_work(data: bytes) -> None:
    """Make sure that loading a pickle comes to an end, and soon.

    Args:
        data: begins with the pickle; what follows behind its end is not looked at.

    Raises:
        ValueError: it would hash or build too much, is nested too deeply, or is damaged.

    Example:
        check_pickle_work(pickle.dumps({("a", 1): 2}))
    """
    stack: list[_Value | None] = []  # None: a mark
    memo: dict[object, _Value | None] = {}
    spent = 0
    try:
        for operation, argument, _ in pickletools.genops(data):
            name = operation.name
            if name == "MARK":
                stack.append(None)
            elif not operation.stack_before and operation.stack_after and not name.endswith("GET"):  # most are of these
                stack.append(_Value(1 + _length(argument) // BYTES_OF_WORK, 0))
            elif name == "MEMOIZE" or name.endswith("PUT"):
                memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
            elif name.endswith("GET"):
                stack.append(memo[argument])
            elif name == "DUP":
                stack.append(stack[-1])
            elif name == "POP":
                stack.pop()
            else:
                spent += _follow(operation, stack)
                if spent > MAX_PICKLE_WORK:
                    raise ValueError("a pickle whose keys take too long to hash")
    except (IndexError, KeyError) as error:
        raise ValueError(f"a damaged pickle ({type(error).__name__})") from None


def _follow(operation: Any, stack: list[_Value | None]) -> int:
    """Do on a stack of counts what an operation does; the work that it makes."""
    name = operation.name
    grows = name in GROWING
    if pickletools.markobject in operation.stack_before:
        taken = _above_mark(stack)
    else:
        count = len(operation.stack_before) - grows
        taken = [_whole(value) for value in stack[len(stack) - count :]] if len(stack) >= count else [_whole(None)]
        del stack[len(stack) - count :]
    if grows:
        _whole(stack[-1]).grow(taken)
    else:
        for _ in operation.stack_after:
            made = _Value(1, 0)
            made.grow(taken)
            stack.append(made)
    hashed = taken[::2] if name in WITH_PAIRS else taken if name in HASHING else ()
    return sum(value.work for value in hashed)


def _above_mark(stack: list[_Value | None]) -> list[_Value]:
    """What lies above the last mark, taken off with it."""
    place = len(stack) - 1
    while stack[place] is not None:
        place -= 1
        if place < 0:
            raise IndexError
    taken = [_whole(value) for value in stack[place + 1 :]]
    del stack[place:]
    return taken


def _whole(value: _Value | None) -> _Value:
    if value is None:  # a mark where a value is due
        raise IndexError
    return value


def _length(argument: object) -> int:
    """Bytes of a text or number."""
    if type(argument) is int:
        return argument.bit_length() // 8
    return len(argument) if isinstance(argument, (str, bytes, bytearray)) else 0
