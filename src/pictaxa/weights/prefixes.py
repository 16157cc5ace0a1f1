"""Finds a network among a file's names: the one prefix under which all names of its backbone are, with their shapes.

A training script keeps the network within something of its own (`model.backbone.`), beside losses, metrics, or a second
network. Where two prefixes fit, nothing says which is meant, and the file is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import nn

from ..errors import WeightsError
from ..models.contract import Classifier
from ..models.entry import Rule
from .adapt import first_convolution
from .rules import Renamed, rename

# What data-parallel training and the compiler put before every name; it is not worth a word.
_WRAPPED = ("module.", "_orig_mod.")
_DEEPEST = 12  # parts of a prefix


@dataclass(frozen=True)
class Needed:
    """Which names a network must have, and which it may."""

    model: Classifier

    @cached_property
    def own(self) -> dict[str, torch.Tensor]:
        """All but the normalization."""
        return {name: value for name, value in self.model.state_dict().items() if name not in ("mean", "std")}

    @cached_property
    def head(self) -> str:
        """The path of the part that gives the classes."""
        return self.model.main_head()

    @cached_property
    def backbone(self) -> set[str]:
        """Those that no file may lack: neither of a head nor counters."""
        return {name for name in self.own if not self.may_lack(name) and not name.endswith("num_batches_tracked")}

    @cached_property
    def dense(self) -> list[str]:
        """Paths of the dense layers at the end, which a head of one's own replaces; none of a transformer's."""
        parts = [(path, part) for path, part in self.model.named_modules() if not self._is_auxiliary(path)]
        if any(isinstance(part, nn.LayerNorm) for _, part in parts):
            return [self.head]
        return [path for path, part in parts if isinstance(part, nn.Linear)]

    @cached_property
    def body(self) -> set[str]:
        """Those of the backbone before its dense layers."""
        return {name for name in self.backbone if name.rpartition(".")[0] not in self.dense}

    def may_lack(self, name: str) -> bool:
        """Whether a name is of a head, or of another part that a file may be without, or have."""
        return name.startswith((f"{self.head}.", "pre_logits.")) or self._is_auxiliary(name)

    def _is_auxiliary(self, name: str) -> bool:
        return name.partition(".")[0] in self.model.auxiliary

    def shape_fits(self, name: str, theirs: torch.Tensor) -> bool:
        """Whether a tensor has the shape of the network's, or one that is adapted to it."""
        own, shape = self.own[name].shape, theirs.shape
        if name == self._first and theirs.ndim == 4:  # for grey or colour
            return shape[:1] == own[:1] and shape[2:] == own[2:] and {shape[1], own[1]} <= {1, 3, own[1]}
        if name == "pos_embed":  # for another size
            return theirs.ndim == 3 and shape[2] == own[2]
        return shape == own or (len(own) == 2 and shape == (*own, 1, 1))

    @cached_property
    def _first(self) -> str:
        return first_convolution(self.model)


@dataclass(frozen=True)
class Part:
    """A file's tensors under one prefix, by name without it, and what they are of the network."""

    prefix: str
    tensors: Mapping[str, torch.Tensor]
    renamed: Renamed
    needed: Needed

    def with_rules(self, rules: Sequence[Rule]) -> Part:
        """The same by the names of another source."""
        return replace(self, renamed=rename([*self.tensors], rules))

    @cached_property
    def ours(self) -> dict[str, torch.Tensor]:
        """The tensors by our names."""
        return {ours: self.tensors[theirs] for theirs, ours in self.renamed.names.items()}

    @cached_property
    def misshapen(self) -> list[str]:
        """Names of the network's with other shapes, but for parts that it may lack."""
        names = self.needed.backbone & self.ours.keys()
        return sorted(name for name in names if not self.needed.shape_fits(name, self.ours[name]))

    @cached_property
    def missing(self) -> list[str]:
        """Names of the backbone that are not there."""
        return sorted(self.needed.backbone - self.ours.keys())

    @cached_property
    def unused(self) -> list[str]:
        """Names that the network doesn't have."""
        names = self.ours.keys() - self.needed.own.keys() - {"mean", "std"}
        return sorted(name for name in names if not self.needed.may_lack(name))

    @property
    def fits(self) -> int:
        """How many of the backbone's tensors are there, with their shapes."""
        return len(self.needed.backbone) - len(self.missing) - len(self.misshapen)

    @property
    def rank(self) -> int:
        """3 for the network and no other name, 2 for the network, 1 for what is before its dense layers, else 0."""
        wrong = {*self.missing, *self.misshapen}
        if not wrong:
            return 2 if self.unused else 3
        return 0 if wrong & self.needed.body else 1


def find_part(needed: Needed, tensors: Mapping[str, torch.Tensor], rules: Sequence[Rule]) -> Part | None:
    """Find the one prefix under which a network is.

    Args:
        needed: what the network's names and shapes are.
        tensors: the file's, by name.
        rules: how a source's names become ours.

    Returns:
        The part of the file; None where no prefix has the whole backbone.

    Raises:
        WeightsError: two networks in the file fit, and their numbers differ.

    Example:
        part = find_part(Needed(model), {f"net.{name}": v for name, v in model.state_dict().items()}, ())
        part.prefix  # "net."
    """
    parts = [part for part in _parts(needed, tensors, rules, least=len(needed.body)) if part.rank]
    # A second network's names are unused by the first: 2 is as good as 3.
    whole = [part for part in parts if part.rank > 1]
    fitting = whole or parts
    others = [part for part in fitting[1:] if not _is_equal(part, fitting[0])]
    if others:
        names = " and ".join(repr(part.prefix) if part.prefix else "no prefix" for part in (fitting[0], *others[:2]))
        raise WeightsError(
            "one network in the file",
            found=f"{1 + len(others)} that fit a {needed.model.entry}, with names that begin with {names}",
            fix="Nothing says which is meant; name it, such as "
            f"--weights-prefix {others[0].prefix or fitting[0].prefix} (pictaxa weights convert: --prefix).",
        )
    return fitting[0] if fitting else None


def nearest_part(needed: Needed, tensors: Mapping[str, torch.Tensor], rules: Sequence[Rule]) -> Part:
    """The part that has most of a network's tensors, of those under any prefix."""
    return max(_parts(needed, tensors, rules, least=0), key=lambda part: (part.fits, -len(part.prefix)))


def under(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with a prefix, by name without it."""
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def is_worth_a_word(prefix: str) -> bool:
    """Whether a prefix is more than data-parallel training and the compiler put before all names."""
    for word in _WRAPPED:
        prefix = prefix.replace(word, "")
    return bool(prefix)


def _parts(needed: Needed, tensors: Mapping[str, torch.Tensor], rules: Sequence[Rule], *, least: int) -> list[Part]:
    parts = []
    for prefix in _prefixes(tensors, least=least):
        inside = under(tensors, prefix)
        try:
            parts.append(Part(prefix, inside, rename([*inside], rules), needed))
        except WeightsError:  # two names become one: these are none of the source's
            if not prefix and least:
                continue
            parts.append(Part(prefix, inside, rename([*inside], ()), needed))
    return parts


def _prefixes(names: Collection[str], *, least: int) -> list[str]:
    """Whatever stands before a dot in so many names; nothing is the first."""
    counts: Counter[str] = Counter()
    for name in names:
        pieces = name.split(".", _DEEPEST)[:-1]
        counts.update(".".join(pieces[: count + 1]) + "." for count in range(len(pieces)))
    return ["", *(prefix for prefix, count in counts.items() if count >= max(least, 1))]


def _is_equal(one: Part, other: Part) -> bool:
    """Whether two parts are the same numbers by the same names: a network that a script has under two names."""
    if one.ours.keys() != other.ours.keys():
        return False
    return all(torch.equal(value, other.ours[name]) for name, value in one.ours.items())
