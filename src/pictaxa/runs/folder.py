"""The run folder: the only interface after training, and the only place that knows its file names.

config.json                what was asked for, what was chosen, package versions, git revision if any
classes.json               index -> class name, the one and only order
pictures.json              Geometry: how a file becomes the model's input
index.parquet              every picture: split, label, size, hash, problem
log.csv                    a row per epoch
threads.json               where their number changed: from which step on how many threads computed
model.safetensors          the best weights
state/                     what resuming needs; written by training/checkpoint.py, the last two kept
predictions-val.parquet    the best weights' probabilities for the validation pictures
metrics.json               what they are worth
probe.npz                  a few squares with their logits, with which every loaded model is compared
manifest.json              size and SHA-256 of the files above, once the run is finished (manifest.py)
report/                    a self-contained page

Nothing is believed because of its name: every file is compared with the manifest, where there is one, and what it
holds is checked (typed.py, contents.py) before anybody gets it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..augment.preprocess import Geometry
from ..errors import RunError, as_word
from ..images.decoding import AS_EARLIER
from ..metrics import Metrics
from ..system.files import replacing, require_utf8, write_atomically
from .chosen import Chosen, read_chosen
from .classes import check_same_classes, read_classes
from .contents import read_arrays
from .format_1 import config_of_1, geometry_of_1
from .log import log_text, read_log
from .manifest import check_file, read_manifest
from .names import (
    CLASSES,
    CONFIG,
    INDEX,
    LISTED,
    LOG,
    MANIFEST,
    METRICS,
    MODEL,
    PICTURES,
    PREDICTIONS,
    PROBE,
    RESULTS,
    STATE,
    THREADS,
)  # fmt: skip
from .typed import RESTORE, damaged, read_json, typed
from .versions import git_revision, versions

MAX_FOLDS = 1_000
MAX_SIDE = 16_384  # of squares and the model's input, pixels
FORMAT = 2  # of the folder; a reader refuses a higher one. 1 had other words for settings and columns (format_1.py)


@dataclass(frozen=True)
class Run:
    """A run folder that exists and is of a format that this version reads."""

    path: Path

    # -- the files ---------------------------------------------------------------------------------------------

    @property
    def model_path(self) -> Path:
        """Where the best weights are."""
        return self.path / MODEL

    @property
    def state_path(self) -> Path:
        """The folder of saved states."""
        return self.path / STATE

    @property
    def backbone_path(self) -> Path:
        """Where the weights are that a training of the head alone started with."""
        older = self.state_path / "body.safetensors"  # of format 1
        return older if older.exists() else self.state_path / "backbone.safetensors"

    @property
    def best_head_path(self) -> Path:
        """Where a training of the head alone keeps its best."""
        return self.state_path / "best-head.safetensors"

    @cached_property
    def folds(self) -> tuple[Path, ...]:
        """The folders of its trainings, of a run of several folds, which has no model of its own; else none."""
        asked = self.config.get("asked")
        count = asked.get("folds") if isinstance(asked, dict) else None
        if count is None:
            return ()
        if type(count) is not int or not 2 <= count <= MAX_FOLDS:
            raise damaged(self.path / CONFIG, f"2 to {MAX_FOLDS} folds in {CONFIG}", repr(count))
        return tuple(self.path / f"fold-{number}" for number in range(1, count + 1))

    @property
    def is_finished(self) -> bool:
        """Whether its training has come to its end, and what it judged is still there."""
        results = (PREDICTIONS, METRICS) if self.folds else (MODEL, PREDICTIONS, METRICS, PROBE)
        return all((self.path / name).exists() for name in (MANIFEST, *results))

    @property
    def has_results(self) -> bool:
        """Whether what the best weights say of the validation pictures is there."""
        return all((self.path / name).exists() for name in (self.predictions_path.name, METRICS, PROBE))

    @property
    def index_path(self) -> Path:
        """The Index as parquet."""
        return self.path / INDEX

    @property
    def log_path(self) -> Path:
        """The rows per epoch."""
        return self.path / LOG

    @property
    def report_path(self) -> Path:
        """The report's folder."""
        return self.path / "report"

    @property
    def predictions_path(self) -> Path:
        """Where the predictions for the validation pictures are."""
        return self.path / PREDICTIONS

    def existing(self, name: str) -> Path:
        """The path of a file that must be there, and be what the manifest says; RunError with what to do if it isn't.

        Whatever is read of a run is asked for here.
        """
        path = self.path / name
        if path.exists() and not path.is_file():
            raise RunError(f"a file {name}", found=f"a folder or device at {str(path)!r}", fix=RESTORE)
        if name in (MODEL, PROBE) and not path.exists() and self.folds:
            raise RunError(
                "a run with one model", found=f"the {len(self.folds)} folds in {str(self.path)!r}, each with its own",
                fix=f"Give one of them, such as {as_word(self.folds[0])}.",
            )  # fmt: skip
        if not path.exists():
            again = f"pictaxa train --resume {as_word(self.path)}"
            fix = f"Restore it from a backup, or make it again with: {again}" if name in RESULTS else RESTORE
            if name == MODEL and not (self.path / MANIFEST).exists():
                fix = f"The training is not finished. Continue with: {again}"
            raise RunError(f"{name} in the run folder", found=f"none in {str(self.path)!r}", fix=fix)
        check_file(self.path, name)
        return path

    def states(self, pattern: str) -> set[Path]:
        """The saved states that are there or should be, by a pattern of their names."""
        listed = (self.path / name for name in read_manifest(self.path) or {})
        there = self.state_path.glob(f"{pattern}.safetensors")
        return {*there, *(path for path in listed if path.match(f"{STATE}/{pattern}.safetensors"))}

    def check_files(self) -> None:
        """Check all files but the states before a training goes on; RunError for one that is changed, or missing where
        the run is finished, unless it can be made again.
        """
        for name in LISTED:
            if (self.path / name).exists() or (name not in RESULTS and name in (read_manifest(self.path) or {})):
                self.existing(name)

    def existing_state(self, path: Path) -> Path:
        """The same for a file in the folder of saved states, by its path."""
        return self.existing(path.relative_to(self.path).as_posix())

    # -- reading -----------------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> dict[str, Any]:
        """What config.json holds: `asked`, `chosen`, `versions`. It is read once, as it does not change any more."""
        document = config_of_1(read_json(self.existing(CONFIG)))
        return typed(document, dict[str, Any], path=self.path / CONFIG, expected=f"a format number in {CONFIG}")

    @property
    def chosen(self) -> Chosen:
        """What the training decided before its first step."""
        return read_chosen(self.config, where=str(self.path / CONFIG))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names by index; those of the metrics, where there are some, are the same. They are read once."""
        names = read_classes(self.existing(CLASSES))
        if (self.path / METRICS).exists():
            judged = tuple(figures["name"] for figures in self.metrics["classes"])
            check_same_classes(names, judged, path=self.path / CLASSES, other=METRICS)
        return names

    @property
    def geometry(self) -> Geometry:
        """How a file becomes the model's input."""
        path = self.existing(PICTURES)
        expected = f"square, channels, view, size, tta and decoding in {PICTURES}"
        document = typed(geometry_of_1(read_json(path)), dict[str, Any], path=path, expected=expected)
        if document.get("decoding") is None:  # of runs that say nothing about it
            document["decoding"] = asdict(AS_EARLIER) | {"levels": None}
        geometry: Geometry = typed(document, Geometry, path=path, expected=expected)
        if geometry.channels not in (1, 3):
            raise damaged(path, f"1 or 3 channels in {PICTURES}", str(geometry.channels))
        if not (1 <= geometry.square <= MAX_SIDE and 1 <= geometry.size <= MAX_SIDE):
            raise damaged(path, f"sides of 1 to {MAX_SIDE} pixels in {PICTURES}", f"{geometry.square}, {geometry.size}")
        return geometry

    @property
    def metrics(self) -> Metrics:
        """The metrics of the validation pictures."""
        path = self.existing(METRICS)
        document: Metrics = typed(read_json(path), Metrics, path=path)
        return document

    def log_rows(self) -> list[dict[str, str]]:
        """The rows of log.csv, in their order; a blank is what was not validated."""
        return read_log(self.existing(LOG))

    @property
    def has_probe(self) -> bool:
        """Whether there is something to compare a loaded model with; only a run of another version may lack it."""
        return (self.path / PROBE).exists() or (self.path / MANIFEST).exists()

    def probe(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read a few pictures and what the best weights made of them.

        Returns:
            (n, S, S, C) uint8 squares, (n,) float32 aspects (width / height), (n, classes) float32 logits.

        Raises:
            RunError: the run has none, or one that doesn't fit its classes and geometry.
        """
        path, geometry = self.existing(PROBE), self.geometry
        arrays = read_arrays(path, {"squares": np.uint8, "aspects": np.float32, "logits": np.float32})
        squares, aspects, logits = arrays["squares"], arrays["aspects"], arrays["logits"]
        count = len(logits) if logits.ndim else 0
        shapes = (count, geometry.square, geometry.square, geometry.channels), (count,), (count, len(self.classes))
        found = squares.shape, aspects.shape, logits.shape
        if found != shapes or not count or (aspects <= 0).any():
            raise damaged(path, f"squares, aspects and logits of shapes {shapes} in {PROBE}", f"{found}")
        return squares, aspects, logits

    # -- writing -----------------------------------------------------------------------------------------------

    def write_config(self, asked: dict[str, Any], chosen: Chosen) -> None:
        """Keep what was asked for and what was chosen, with versions."""
        document = {"format": FORMAT, "asked": asked, "chosen": asdict(chosen)}
        self._write_json(CONFIG, {**document, "versions": versions(), "git": git_revision()})
        self.__dict__.pop("config", None)  # read before, if ever

    def write_classes(self, classes: tuple[str, ...]) -> None:
        """Keep the class names in their order."""
        self._write_json(CLASSES, {str(label): name for label, name in enumerate(classes)})
        self.__dict__.pop("classes", None)

    def write_geometry(self, geometry: Geometry) -> None:
        """Keep how a file becomes the model's input."""
        self._write_json(PICTURES, asdict(geometry))

    def write_metrics(self, metrics: Metrics) -> None:
        """Keep the metrics of the validation pictures."""
        self._write_json(METRICS, metrics)

    def write_log(self, rows: list[dict[str, Any]]) -> None:
        """Write the whole log: a row per epoch is little, and a resumed run drops rows that it will repeat.

        Args:
            rows: a dictionary with all LOG_COLUMNS for each epoch; None is a blank.
        """
        write_atomically(self.log_path, log_text(rows))

    def write_threads(self, changes: list[list[int]]) -> None:
        """Keep how many threads computed which steps, as sums are rounded otherwise by another number.

        Args:
            changes: [step, threads] for the first step, counted from 0, and each that other threads computed than the
                one before it.
        """
        self._write_json(THREADS, [{"step": step, "threads": threads} for step, threads in changes])

    def write_probe(self, squares: np.ndarray, aspects: np.ndarray, *, logits: np.ndarray) -> None:
        """Keep a few pictures with their logits, so that whoever loads the model can check it.

        Args:
            squares: (n, S, S, C) uint8.
            aspects: (n,) float32, width / height of each picture.
            logits: (n, classes) float32, what the best weights make of them.
        """
        with replacing(self.path / PROBE) as partial:
            np.savez(partial, squares=squares, aspects=aspects, logits=logits)

    def _write_json(self, name: str, document: Any) -> None:
        write_atomically(self.path / name, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def open_run(path: str | Path) -> Run:
    """Open a run folder.

    Args:
        path: the folder that pictaxa train has made.

    Returns:
        The Run; nothing but its config.json is read.

    Raises:
        RunError: there is no run at the path, its config.json is damaged, or its format is newer than this version.

    Example:
        classes = open_run("runs/photos-resnet18-1").classes
    """
    path = Path(path)
    if not path.is_dir() or not (path / CONFIG).exists():
        found = f"none of its files in {str(path)!r}" if path.is_dir() else f"no folder at {str(path)!r}"
        raise RunError(f"a run folder (with {CONFIG})", found=found, fix="Give a folder written by pictaxa train.")
    require_utf8(path, RunError)
    run = Run(path)
    version = run.config.get("format")
    if type(version) is not int or version < 1:
        raise RunError(
            f"a format number in {CONFIG}", found=f"{version!r}", fix="Give a folder written by pictaxa train."
        )
    if version > FORMAT:
        raise RunError(
            f"a run of format {FORMAT} or older", found=f"format {version} in {str(path)!r}", fix="Update pictaxa."
        )
    return run


def run_of(weights: Path) -> Path:
    """The run folder whose best weights a file is, or the path as it is."""
    run = Run(weights.parent)
    return run.path if weights == run.model_path and (run.path / CONFIG).exists() else weights


def weights_file(path: Path) -> Path:
    """Find the file of weights that a path means: a run folder's best ones, else the path itself.

    Args:
        path: a run folder, or a file of weights.

    Returns:
        The file.

    Raises:
        RunError: the folder has no weights, as its training has not ended.
    """
    return Run(path).existing(MODEL) if path.is_dir() else path
