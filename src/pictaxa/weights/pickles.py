"""What a pickle names and makes, found by walking over it before it is loaded.

torch's own reader (`weights_only`) makes tensors and a few plain things. What training scripts keep beside the weights,
such as their arguments, is of other types, each harmless in itself; they are listed here, and for every one of them the
reader gets an empty stand-in, so that none is imported or run. Everything else is refused before anything is made.
"""

from __future__ import annotations

import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO

from ..errors import PictaxaError

ALONE = "Save the weights alone: torch.save(model.state_dict(), FILE)."
MAX_PICKLED = 2**21  # bytes of names and shapes; a network of 500 tensors has 50,000
_MAX_COPIED = 2**16  # entries that a pickle copies from what it has made; a state dict copies its metadata
_MAX_STAND_INS = 100  # types beside the tensors; a configuration has ten
_SHORT = 16  # characters; a remembered text of so few may be made bytes again

_COPYING = re.compile(r"collections (OrderedDict|Counter)|(builtins|__builtin__) set|torch Size")
# What a state dict and the counters beside it name, which torch's reader makes.
_PLAIN = re.compile(
    rf"{_COPYING.pattern}|torch (device|b?float\d+|u?int\d+|\w+Storage)"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)|_codecs encode|(builtins|__builtin__) complex"
)
# What training scripts keep beside the weights, none of which is code. A stand-in is made for each.
_HARMLESS = re.compile(
    r"argparse Namespace|types SimpleNamespace|(pathlib|datetime|uuid|decimal|fractions)(\.\w+)* \w+"
    r"|collections (defaultdict|deque)|functools partial|typing \w+|copy_?reg _reconstructor|torch\.torch_version \w+"
    r"|(builtins|__builtin__) (object|bytes|str|int|float|bool|tuple|list|dict|frozenset|slice|x?range|long|unicode)"
    r"|numpy\S* (scalar|dtype|ndarray|_reconstruct|bool_?|str_|u?int\d+|float\d+)|numpy\.dtypes \w+"
    r"|(omegaconf|yacs|easydict|addict|ml_collections|munch|box|mmcv|mmengine|lightning|lightning_fabric"
    r"|pytorch_lightning|torchmetrics|timm|torchvision\.transforms)(\.\w+)* \w+"
    r"|torch\.optim(\.\w+)* \w+|torch\.nn\.(modules\.\w+|functional) \w+"
)
# Tensors of other kinds, and what else torch's reader makes of any size.
_OTHER_TENSORS = re.compile(
    r"torch\S* (_rebuild_\w+|_get_layout|per_\w+|\w*Tensor|\w*Storage|Parameter)|(builtins|__builtin__) bytearray"
)
_LAYER = re.compile(r"torch\.nn\.modules\.(?!loss )\w+ \w+")


class _Object:
    """Stands in for an object: nothing is kept of it."""

    __slots__ = ()

    def __new__(cls, *_: object) -> _Object:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Nothing is kept."""


class _Names:
    """Stands in for a kind of dictionary: a plain one takes what is put in."""

    def __new__(cls, *_: object) -> OrderedDict[str, object]:  # type: ignore[misc]  # torch's reader fills no other
        return OrderedDict()


class _Items:
    """Stands in for a kind of list: a plain one takes what is put in."""

    def __new__(cls, *_: object) -> list[object]:  # type: ignore[misc]  # torch's reader extends no other
        return []


StandIn = tuple[Callable[..., object], str]  # as torch.serialization.safe_globals takes it


def check_pickle(stream: IO[bytes], refusal: Callable[[str, str], PictaxaError]) -> set[StandIn]:
    """Walk over the next pickle of a stream, which is left behind it.

    Args:
        stream: the pickle and what follows it; nothing of it is made.
        refusal: gives the error for what was found, and what to do.

    Returns:
        A stand-in for each type that the pickle names and torch's reader does not make.

    Raises:
        PictaxaError: of `refusal`, where it names code or tensors of other kinds, or grows without limit.

    Example:
        with torch.serialization.safe_globals([*check_pickle(stream, refusal)]):
            document = torch.load(path, weights_only=True)
    """
    start = stream.tell()
    used = [word for word in _used(stream) if " " in word and not _PLAIN.fullmatch(word)]
    others = [word for word in used if not _HARMLESS.fullmatch(word)]
    code = [word for word in others if not _OTHER_TENSORS.fullmatch(word)]
    if code and any(_LAYER.fullmatch(word) for word in used):
        raise refusal(f"a whole pickled model, which is code ({_dotted(code[0])})", f"Nothing was run. {ALONE}")
    if others:
        name = _dotted((code or others)[0])
        found = f"code that would run ({name})" if code else f"{name} among the tensors"
        raise refusal(found, f"Nothing was run. {ALONE}")
    if len(set(used)) > _MAX_STAND_INS:
        raise refusal(f"{len(set(used))} types beside the tensors", ALONE)
    stream.seek(start)
    made = _Made()
    for operation, argument, _ in pickletools.genops(stream):
        made.take(operation.name, argument)
        if made.copied > _MAX_COPIED:
            raise refusal("a pickle that expands without limit", ALONE)
    return {(made.stand_in(word), _dotted(word)) for word in used}


def is_object(document: object) -> bool:
    """Whether what was loaded is an object of a type that has a stand-in."""
    return isinstance(document, _Object)


def _dotted(word: str) -> str:
    """As torch's reader calls it, by the modules' names of Python 3."""
    module, name = word.split(" ", 1)
    if module == "__builtin__":
        return f"builtins.{_RENAMED.get(name, name)}"
    return f"{'copyreg' if module == 'copy_reg' else module}.{name}"


_RENAMED = {"long": "int", "unicode": "str", "xrange": "range"}  # since Python 2, whose names torch.save writes


def _used(stream: IO[bytes]) -> Iterator[str]:
    """A pickle's operations by name, "module name" for what brings a global, once made or remembered."""
    remembered: dict[object, str] = {}
    texts, last = ["", ""], ""
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name.endswith("PUT"):
            remembered[argument] = last
            continue
        last = operation.name
        if last in ("GLOBAL", "INST"):
            last = str(argument)
        elif last == "STACK_GLOBAL":  # torch's reader knows none
            last = " ".join(texts)
        elif last.endswith("GET"):
            last = remembered.get(argument, "")
        elif isinstance(argument, str):
            texts = [texts[1], argument]
        yield last


@dataclass(slots=True, eq=False)
class _Value:
    """What an operation leaves on the stack, but for its content."""

    kind: str  # "text", "tuple", "list", "dict", "plain", "global"; "object" for what a global has made
    size: int = 0  # entries, or characters
    items: tuple[_Value, ...] = ()  # of a tuple
    name: str = ""  # of a global, or of the one that has made it
    fresh: bool = True  # straight from the file, not remembered


_NUMBER = _Value("plain")
_MARKED = {"TUPLE", "APPENDS", "SETITEMS"}
_EMPTY = {"EMPTY_TUPLE": "tuple", "EMPTY_LIST": "list", "EMPTY_DICT": "dict", "EMPTY_SET": "set"}
_NUMBERS = {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1"}


class _Made:
    """A pickle's stack with sizes in the place of contents, which counts what is copied."""

    def __init__(self) -> None:
        self.copied = 0
        self._stack: list[_Value] = []
        self._marked: list[list[_Value]] = []
        self._memo: dict[int, _Value] = {}
        self._filled: dict[str, Callable[..., object]] = {}

    def stand_in(self, word: str) -> Callable[..., object]:
        """What to make instead of a type: a dictionary or a list where the pickle puts something into it."""
        return self._filled.get(word, _Object)

    def take(self, name: str, argument: object) -> None:
        """Do an operation; ValueError for one that torch's reader refuses."""
        stack = self._stack
        items: list[_Value] = []
        if name in _MARKED:
            items, self._stack = stack, self._marked.pop()
            stack = self._stack
        if name in ("PROTO", "STOP"):
            pass
        elif name == "MARK":
            self._marked.append(stack)
            self._stack = []
        elif name in _NUMBERS:
            stack.append(_NUMBER)
        elif name in ("BINUNICODE", "SHORT_BINSTRING"):
            stack.append(_Value("text", len(str(argument)), name=str(argument)[:_SHORT]))
        elif name in _EMPTY:
            stack.append(_Value(_EMPTY[name]))
        elif name == "GLOBAL":
            stack.append(_Value("global", name=str(argument)))
        elif name in ("BINGET", "LONG_BINGET"):
            kept = self._memo[_number(argument)]
            stack.append(replace(kept, fresh=False) if kept.kind in ("text", "tuple") else kept)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[_number(argument)] = stack[-1]
        elif name.startswith("TUPLE"):
            count = len(items) if name == "TUPLE" else int(name[5:])
            items = items or [stack.pop() for _ in range(count)][::-1]
            stack.append(_Value("tuple", count, tuple(items)))
        elif name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS"):
            self._fill(name, len(items))
        elif name == "BINPERSID":
            stack[-1] = _NUMBER
        elif name in ("REDUCE", "NEWOBJ"):
            given = stack.pop()
            stack[-1] = self._call(stack[-1], given)
        elif name == "BUILD":
            state = stack.pop()
            if not _HARMLESS.fullmatch(stack[-1].name) or stack[-1].name in self._filled:
                self.copied += _entries(state)
        else:
            raise ValueError(f"the operation {name}, which torch.save does not write unless pickle_protocol is given")

    def _fill(self, name: str, count: int) -> None:
        if not name.endswith("S"):
            del self._stack[-1 if name == "APPEND" else -2 :]
            count = 1
        into = self._stack[-1]
        into.size += count // 2 if name == "SETITEMS" else count
        if _HARMLESS.fullmatch(into.name):
            self._filled[into.name] = _Items if name.startswith("APPEND") else _Names

    def _call(self, called: _Value, given: _Value) -> _Value:
        if called.kind != "global":
            raise ValueError("a pickle that calls what it has made")
        if _COPYING.fullmatch(called.name):
            self.copied += (size := _entries(given))
            return _Value("dict", size, name=called.name)
        if called.name == "_codecs encode":  # each text becomes bytes once: no more than there is in the file
            text = given.items[0] if given.items else given
            known = len(given.items) == 2 and given.items[1].name == "latin1"
            if not known or text.kind != "text" or (text.size > _SHORT and not (text.fresh and given.fresh)):
                raise ValueError("bytes made of anything but a text of their own")
            return _Value("text", text.size)
        return _Value("object", name=called.name)


def _entries(value: _Value) -> int:
    """How many entries a call or a state with these arguments copies."""
    return sum(_MAX_COPIED if item.kind == "object" else item.size for item in value.items) + (
        0 if value.kind == "tuple" else value.size
    )


def _number(argument: object) -> int:
    assert isinstance(argument, int)
    return argument
