"""Says why a file's tensors are not a network's: how many names differ, the first of them, and what is likely meant."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping

import torch

from ..config.learning import Source
from ..errors import WeightsError
from ..models.catalogue import FIGURES
from ..models.zoo import create_model, find_entry
from .prefixes import Needed, Part, find_part
from .rules import listed

# A file's values as a share of an entry's parameters with 1,000 classes: without a head, and with a larger one.
_LEAST, _MOST = 0.55, 1.2
_MAX_TRIED = 8  # entries; each takes a tenth of a second to build
# How other libraries that are no source here begin their names.
_OTHERS = {
    "Hugging Face's transformers": ("embedder.embedder.", "resnet.embedder.", "encoder.stages."),
    "Hugging Face's ViT": ("vit.embeddings.", "embeddings.cls_token"),
}


def misfit(part: Part, tensors: Mapping[str, torch.Tensor], *, source: Source) -> WeightsError:
    """The error for a file whose best part is not a network's backbone.

    Args:
        part: the part with most of the network's tensors.
        tensors: all of the file's, by name.
        source: whose names they should have.

    Returns:
        The error, with the first few names and what is probably meant.
    """
    needed, model = part.needed, part.needed.model
    groups = {
        "missing": part.missing,
        "unused": part.unused,
        "misshapen": [
            f"{name} {tuple(part.ours[name].shape)} instead of {tuple(needed.own[name].shape)}"
            for name in part.misshapen
        ],
    }
    where = f" after {part.prefix!r}" if part.prefix else ""
    return WeightsError(
        f"weights that fit a {model.entry}, name by name",
        found=f"{part.fits} of {len(needed.backbone)} that fit{where}; {listed(groups)}",
        fix=_advice(part, tensors, source=source),
    )


def _advice(part: Part, tensors: Mapping[str, torch.Tensor], *, source: Source) -> str:
    meant = [*_entries(part, tensors, source=source)]
    if meant:
        return f"The names and shapes are those of {' or '.join(meant)}: use --model {meant[0]}."
    for library, words in _OTHERS.items():
        if any(name.startswith(words) or f".{words[0]}" in name for name in tensors):
            return f"The names are those of {library}, which is no source here: save the weights with another's names."
    if not part.fits:
        return "The file has another network, or another library's names: check --model and --source."
    return "Check the model's name, its options and the source of the weights."


def _entries(part: Part, tensors: Mapping[str, torch.Tensor], *, source: Source) -> Iterator[str]:
    """Entries whose backbone the file has, and nothing else; those with about as many parameters are tried."""
    count = sum(value.numel() for value in part.tensors.values())
    with FIGURES.open(encoding="utf-8", newline="") as file:
        shares = {row["name"]: count / int(row["parameters"]) for row in csv.DictReader(file)}
    near = [name for name in shares if _LEAST < shares[name] < _MOST and name != part.needed.model.entry]
    for name in sorted(near, key=lambda name: abs(shares[name] - 1))[:_MAX_TRIED]:
        with torch.device("meta"):
            needed = Needed(create_model(name, 1000))
        try:
            found = find_part(needed, tensors, find_entry(name).known_to(source).rules)
        except WeightsError:
            continue
        if found and found.rank == 3:
            yield name
