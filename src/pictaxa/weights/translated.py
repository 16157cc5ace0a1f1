"""A file's weights by our names, on their way into a model."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .rules import shortened

_MOST_NAMES = 8  # in a line; of more the first few


@dataclass
class Translated:
    """A file's weights by our names, adapted to a model step by step, with a record of the changes."""

    tensors: dict[str, torch.Tensor]
    dropped: dict[str, str] = field(default_factory=dict)  # names in the file -> why they are not used
    fresh: dict[str, str] = field(default_factory=dict)  # layers that keep their first weights -> why
    fitted: dict[str, str] = field(default_factory=dict)  # weights that were changed for this model -> how
    notes: list[str] = field(default_factory=list)  # what else to know
    unread: dict[str, str] = field(default_factory=dict)  # what of the file is no layer's -> whose it is

    def drop(self, path: str, reason: str) -> None:
        """Leave out the weights of a part.

        Args:
            path: of the part, by our names.
            reason: why, for `lines`.
        """
        for name in [name for name in self.tensors if name.startswith(f"{path}.")]:
            del self.tensors[name]
            self.dropped[name] = reason

    def lines(self) -> list[str]:
        """What became of the weights, a line for each reason."""
        lines = [f"weights   {len(self.tensors)} tensors"]
        became = (("new", self.fresh), ("dropped", {**self.dropped, **self.unread}), ("fitted", self.fitted))
        for word, names in became:
            for reason in dict.fromkeys(names.values()):
                which = [name for name in names if names[name] == reason]
                lines.append(
                    f"{word:9s} {shortened(which) if len(which) > _MOST_NAMES else ', '.join(which)}: {reason}"
                )
        return [*lines, *(f"note      {note}" for note in self.notes)]
