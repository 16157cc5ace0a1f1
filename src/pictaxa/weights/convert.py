"""`pictaxa weights convert`: converts a checkpoint of another library to a self-describing safetensors file."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from ..config.learning import Normalization, Source
from ..errors import ConfigError, WeightsError
from ..models.heads import parse_groups
from ..models.zoo import create_model, parse_options
from ..system.files import writing
from .files import save_tensors
from .loading import load, translate


def convert(
    file: Path,
    out: Path,
    *,
    model: str,
    source: Source,
    normalization: Normalization | None,
    channels: int,
    model_options: tuple[str, ...],
    classes: Path | None,
    prefix: str = "",
) -> list[str]:
    """Write another library's checkpoint as safetensors with our names, and metadata that describes it.

    Args:
        file: the checkpoint.
        out: the file to write; it ends in .safetensors.
        model: the entry that the weights are of, a name of the zoo.
        source: whose names and axes the checkpoint has; it is never guessed.
        normalization: what the weights expect of their pictures; only a Keras file needs it.
        channels: 3 for RGB, 1 for grey.
        model_options: the entry's own options, such as ("dropout=0.3",).
        classes: a JSON file with the names of the classes (see `read_class_names`); None where they have none.
        prefix: with which the names of the intended network begin, where a file has several (`teacher.`).

    Returns:
        What became of the weights, in lines.

    Raises:
        ConfigError: `out` has another suffix or can't be written, `classes` can't be read, `source` or `normalization`
            is unknown, or a Keras file comes without a normalization.
        WeightsError: the checkpoint is missing, damaged, does not fit the entry, or lacks the head that is asked for.
        ModelError: the entry or an option is unknown.
        MissingExtraError: a Keras file, without the `keras` extra.

    Example:
        convert(
            Path("resnet50.pth"), Path("resnet50.safetensors"), model="resnet50", source="torchvision",
            normalization=None, channels=3, model_options=(), classes=None,
        )
    """
    if out.suffix != ".safetensors":
        raise ConfigError("--out FILE.safetensors", found=str(out), fix="End the file's name in .safetensors.")
    options = parse_options(model, model_options)
    groups = parse_groups(options["merged"]) if options.get("merged") else ()
    with torch.device("meta"):
        plan = create_model(model, max(groups) + 1 if groups else 1000, in_channels=channels, **options)
    weights = translate(plan, file, source=source, normalization=normalization, prefix=prefix)
    heads = [path for path in plan.head_layers() if path.partition(".")[0] not in plan.auxiliary]
    if not heads:
        raise WeightsError(
            "a model whose last layer is linear", found=f"{model}, whose head is built differently",
            fix="Use another --model.",
        )  # fmt: skip
    head = weights.tensors.get(f"{heads[0]}.weight")
    dropped = "; ".join(dict.fromkeys(weights.dropped.values()))
    if head is None and options.get("head"):
        raise WeightsError(
            f"the layers of head={options['head']}", found=dropped or "none",
            fix="Give the hidden layers of the file, or leave head out to convert only its backbone.",
        )  # fmt: skip
    if head is None and classes is not None:
        raise WeightsError(
            f"a head for the classes of {str(classes)!r}",
            found=dropped or "the file has no head", fix="Leave --classes out to convert only the backbone.",
        )  # fmt: skip
    rows = 0 if head is None else len(head)
    if groups and rows != len(groups):
        raise WeightsError(
            f"a head with the {len(groups)} rows of merged={options['merged']}", found=f"{rows} rows",
            fix="Give the class of each row of the file's head, counted from 0, or leave merged out.",
        )  # fmt: skip
    count = max(groups) + 1 if groups else rows
    names = None if classes is None else read_class_names(classes, count)
    entry = create_model(model, count, in_channels=channels, **options)
    load(entry, weights)
    notes = {"model": model, "model_options": json.dumps(model_options), "channels": str(channels), "source": source}
    if names is not None:
        notes["classes"] = json.dumps(names, ensure_ascii=False)
    with writing(out, flag="--out"):
        save_tensors(entry.state_dict(), out, notes=notes)
    return [*weights.lines(), f"model     {model}, {count} classes, {channels} channels", f"written   {out}"]


def read_class_names(file: Path, count: int) -> list[str]:
    """Read the names of classes, in the order of a head's outputs.

    Args:
        file: a JSON file with {"name": index}, as Keras' generators give it, or with a list of names.
        count: number of classes.

    Returns:
        A name for each output.

    Raises:
        ConfigError: the file can't be read, or is not JSON.
        WeightsError: it does not have a name for each class from 0 on.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            "a JSON file of classes", found=f"{str(file)!r}: {error}", fix="Give another file with --classes."
        ) from None
    if isinstance(document, list) and all(isinstance(name, str) for name in document):
        document = {name: index for index, name in enumerate(document)}
    if not isinstance(document, dict) or sorted(document.values(), key=str) != sorted(range(count), key=str):
        raise WeightsError(
            f"a name for each class from 0 to {count - 1}", found=f"{str(file)!r} with {str(document)[:80]}",
            fix="Write {\"name\": index, ...} with each index once.",
        )  # fmt: skip
    return sorted((str(name) for name in document), key=lambda name: document[name])
