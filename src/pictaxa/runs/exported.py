"""An exported folder: a network in the format of some runtime, and everything else that its answers need.

export.json      what the folder is: the format, the classes, how a file becomes the input, the check's figures, the
                 licence, and size and SHA-256 of every other file
network.*        the network, with normalization, calibration and softmax in it
probe.npz        a few squares and the probabilities that the run gives them
judgement.json   what the run's validation pictures say of its probabilities, as the run has it
vectors.npz      likewise, by which a picture is told that is like none of the training pictures; not beside int8, whose
                 vectors are others
predict.py       the same answers without pictaxa, where the format has such a program
MODEL_CARD.md    the run's own figures, for people
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..augment.preprocess import Geometry
from ..config.exporting import Kind, Output, Precision
from ..errors import RunError
from ..system.files import write_atomically
from .contents import read_arrays
from .derived import changed_since
from .folder import Run
from .manifest import Listed, listed_as
from .names import PROBE
from .typed import damaged, read_json, typed

EXPORT = "export.json"
EXPORTS = "export"  # in a run's folder: one in each of its formats
CARD = "MODEL_CARD.md"
PROGRAM = "predict.py"
FORMAT = 1  # of the folder; a reader refuses a higher one
AGAIN = "Export the run again: pictaxa export RUN."

# How far probabilities may be from the run's. Float32 differs in the order of sums; half precision has 11 or 8 bits of
# a number, and what int8 loses is counted in pictures instead.
FARTHEST: dict[Precision, float] = {"float32": 1e-3, "fp16": 2e-2, "bf16": 1e-1, "int8": 1.0}


@dataclass(frozen=True)
class Checked:
    """What an exported network said, opened with its own runtime, beside the run."""

    pictures: int  # of the validation set, besides the probe
    largest_difference: float  # of probabilities, over these pictures and the probe
    agreement: float  # the share of pictures with the same most probable class
    right_before: int  # of `pictures`, by the run
    right_after: int  # by the export
    p_value: float  # McNemar's exact test, whether they differ
    worse_classes: dict[str, float]  # class: the share of its pictures that it loses, where it loses any
    megabytes: float  # of the network
    megabytes_before: float  # of the run's weights
    pictures_per_second: float  # on the machine of the export, of ready inputs
    pictures_per_second_before: float  # by torch, as `pictaxa predict` computes
    machine: str


@dataclass(frozen=True)
class ExportDocument:
    """export.json."""

    format: int
    kind: Kind
    network: str  # name of the file that a runtime opens
    output: Output
    precision: Precision
    batch: int | None  # pictures that the network takes at once; None: any number
    model: str  # of the zoo
    model_options: tuple[str, ...]
    classes: tuple[str, ...]
    geometry: Geometry
    temperature: float  # of the softmax in the network
    run: str  # name of the run's folder
    weights: str  # where the run's weights began, and their licence, in words
    made_from: dict[str, str]  # SHA-256 of the run's files that are in the network
    checked: Checked | None
    versions: dict[str, str]
    files: dict[str, Listed]


@dataclass(frozen=True)
class Export:
    """An exported folder that is of a format that this version reads."""

    path: Path
    document: ExportDocument

    def file(self, name: str) -> Path:
        """The path of one of its files, compared with the list.

        Args:
            name: such as network.onnx.

        Returns:
            The path.

        Raises:
            RunError: the file is not there, not in the list, or not what was written.
        """
        path = self.path / name
        if name not in self.document.files:
            raise RunError(f"{name} among the files of {EXPORT}", found=f"none in {str(self.path)!r}", fix=AGAIN)
        if not path.is_file():
            raise RunError(f"{name} in the exported folder", found=f"none in {str(self.path)!r}", fix=AGAIN)
        if listed_as(path) != self.document.files[name]:
            raise RunError(f"{name} as it was exported", found=f"a changed file at {str(path)!r}", fix=AGAIN)
        return path

    def network(self) -> Path:
        """The network's file; files beside it that belong to it are compared too."""
        name = self.document.network
        stem = name.partition(".")[0]
        for other in self.document.files:
            if other.partition(".")[0] == stem:
                self.file(other)
        return self.path / name

    def probe(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, S, S, C) uint8 squares, (n,) float32 aspects, and (n, classes) float32 answers that are expected."""
        path, geometry = self.file(PROBE), self.document.geometry
        arrays = read_arrays(path, {"squares": np.uint8, "aspects": np.float32, "answers": np.float32})
        squares, aspects, answers = arrays["squares"], arrays["aspects"], arrays["answers"]
        count = len(answers) if answers.ndim else 0
        shape = (count, geometry.square, geometry.square, geometry.channels)
        if not count or squares.shape != shape or aspects.shape != (count,) or (aspects <= 0).any():
            raise damaged(path, f"squares of shape {shape} in {PROBE}", f"{squares.shape}", fix=AGAIN)
        return squares, aspects, answers


def is_export(path: str | Path) -> bool:
    """Whether a folder says of itself that it is exported.

    Args:
        path: any.

    Returns:
        True where it has an export.json.
    """
    return (Path(path) / EXPORT).is_file()


def open_export(path: str | Path) -> Export:
    """Open an exported folder.

    Args:
        path: the folder that `pictaxa export` has made.

    Returns:
        The Export; of its files only export.json is read.

    Raises:
        RunError: there is none at the path, its export.json is damaged, or its format is newer than this version.

    Example:
        open_export("runs/photos-resnet18-1/onnx").document.classes
    """
    folder = Path(path)
    if not is_export(folder):
        found = f"none in {str(folder)!r}" if folder.is_dir() else f"no folder at {str(folder)!r}"
        raise RunError(f"an exported folder (with {EXPORT})", found=found, fix=AGAIN)
    file = folder / EXPORT
    raw = read_json(file, fix=AGAIN)
    version = raw.get("format") if isinstance(raw, dict) else None
    if type(version) is not int or version < 1:
        raise damaged(file, f"a format number in {EXPORT}", repr(version), fix=AGAIN)
    if version > FORMAT:
        raise RunError(
            f"an exported folder of format {FORMAT} or older", found=f"format {version} in {str(folder)!r}",
            fix="Update pictaxa.",
        )  # fmt: skip
    document: ExportDocument = typed(raw, ExportDocument, path=file, fix=AGAIN)
    if not document.classes or not document.temperature > 0 or (document.batch is not None and document.batch < 1):
        raise damaged(file, f"classes, a temperature above 0 and a batch of 1 or more in {EXPORT}", "others", fix=AGAIN)
    if Path(document.network).name != document.network:
        raise damaged(file, f"a file's name for the network in {EXPORT}", repr(document.network), fix=AGAIN)
    return Export(folder, document)


def exports_of(run: Run) -> list[Export]:
    """What a run was exported to, in its own folder; of these only what is of its weights as they are now.

    Args:
        run: the run.

    Returns:
        The exported folders that can be read, in the order of their names.

    Example:
        exports_of(open_run("runs/photos-resnet18-1"))
    """
    found = []
    for folder in sorted((run.path / EXPORTS).glob("*")):
        if is_export(folder) and not folder.name.startswith("."):
            try:
                export = open_export(folder)
            except RunError:  # of a newer version, or damaged: whoever asks for it by its name is told
                continue
            if not changed_since(run, export.document.made_from):
                found.append(export)
    return found


def write_export(folder: Path, document: Mapping[str, Any]) -> Export:
    """Write export.json, last of all files, with the list of the others.

    Args:
        folder: of the export, with all its other files.
        document: what ExportDocument has but `format` and `files`.

    Returns:
        The Export.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != EXPORT)
    files = {name: listed_as(folder / name) for name in names}
    whole = ExportDocument(format=FORMAT, files=files, **document)
    write_atomically(folder / EXPORT, json.dumps(asdict(whole), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return Export(folder, whole)
