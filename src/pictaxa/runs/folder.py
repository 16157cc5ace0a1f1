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
probe.npz                  a few squares with their logits, so that a loaded model can be checked
report/                    a self-contained page
"""

from __future__ import annotations

import csv
import json
import platform
import subprocess
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..augment.preprocess import Geometry
from ..errors import RunError
from ..images.decoding import decoding_of
from ..system.files import replacing, require_utf8, write_atomically
from .chosen import Chosen, read_chosen
from .format_1 import config_of_1, geometry_of_1, log_row_of_1

FORMAT = 2  # of the folder; a reader refuses a higher one. 1 had other words for settings and columns (format_1.py)

CONFIG = "config.json"
CLASSES = "classes.json"
PICTURES = "pictures.json"
LOG = "log.csv"
THREADS = "threads.json"
MODEL = "model.safetensors"
METRICS = "metrics.json"
PROBE = "probe.npz"

LOG_COLUMNS = (
    "epoch", "step", "seconds", "lr", "size", "train_loss", "train_accuracy", "val_loss", "val_accuracy",
    "pictures_per_second", "waiting_share",
)  # fmt: skip


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
        return self.path / "state"

    @property
    def backbone_path(self) -> Path:
        """Where the weights are that a training of the head alone started with."""
        older = self.state_path / "body.safetensors"  # of format 1
        return older if older.exists() else self.state_path / "backbone.safetensors"

    @property
    def best_head_path(self) -> Path:
        """Where a training of the head alone keeps its best."""
        return self.state_path / "best-head.safetensors"

    @property
    def has_results(self) -> bool:
        """Whether what the best weights say of the validation pictures is there."""
        return all((self.path / name).exists() for name in (self.predictions_path.name, METRICS, PROBE))

    @property
    def index_path(self) -> Path:
        """The Index as parquet."""
        return self.path / "index.parquet"

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
        return self.path / "predictions-val.parquet"

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self.existing(name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(
                f"JSON in {name}", found=f"{str(self.path / name)!r}: {error}", fix="Restore the file."
            ) from None

    def existing(self, name: str) -> Path:
        """The path of a file of the run folder that must be there; RunError with what to do where it is not."""
        path = self.path / name
        if not path.exists():
            fix = "Restore the file or train again."
            if name == MODEL:
                fix = f"The training is not finished. Continue with: pictaxa train --resume {self.path}"
            raise RunError(f"{name} in the run folder", found=f"none in {str(self.path)!r}", fix=fix)
        return path

    # -- reading -----------------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> dict[str, Any]:
        """What config.json holds: `asked`, `chosen`, `versions`. It is read once, as it does not change any more."""
        document: dict[str, Any] = config_of_1(self._json(CONFIG))
        return document

    @property
    def chosen(self) -> Chosen:
        """What the training decided before its first step."""
        return read_chosen(self.config, where=str(self.path / CONFIG))

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by index."""
        names = self._json(CLASSES)
        return tuple(names[str(label)] for label in range(len(names)))

    @property
    def geometry(self) -> Geometry:
        """How a file becomes the model's input."""
        try:
            document = geometry_of_1(self._json(PICTURES))
            return Geometry(**{**document, "decoding": decoding_of(document.get("decoding"))})
        except (TypeError, AttributeError) as error:
            raise RunError(
                f"square, channels, view, size, tta and decoding in {PICTURES}",
                found=str(error),
                fix="Restore the file.",
            ) from None

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the validation pictures."""
        document: dict[str, Any] = self._json(METRICS)
        return document

    def log_rows(self) -> list[dict[str, str]]:
        """The rows of log.csv."""
        with self.existing(LOG).open(newline="", encoding="utf-8") as file:
            return [log_row_of_1(row) for row in csv.DictReader(file)]

    def probe(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read a few pictures and what the best weights made of them.

        Returns:
            (n, S, S, C) uint8 squares, (n,) float32 aspects (width / height), (n, classes) float32 logits.

        Raises:
            RunError: the run has none.
        """
        with np.load(self.existing(PROBE), allow_pickle=False) as file:
            return file["squares"], file["aspects"], file["logits"]

    # -- writing -----------------------------------------------------------------------------------------------

    def write_config(self, asked: dict[str, Any], chosen: Chosen) -> None:
        """Keep what was asked for and what was chosen, with versions."""
        document = {"format": FORMAT, "asked": asked, "chosen": asdict(chosen)}
        self._write_json(CONFIG, {**document, "versions": _versions(), "git": _git_revision()})
        self.__dict__.pop("config", None)  # read before, if ever

    def write_classes(self, classes: tuple[str, ...]) -> None:
        """Keep the class names in their order."""
        self._write_json(CLASSES, {str(label): name for label, name in enumerate(classes)})

    def write_geometry(self, geometry: Geometry) -> None:
        """Keep how a file becomes the model's input."""
        self._write_json(PICTURES, asdict(geometry))

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Keep the metrics of the validation pictures."""
        self._write_json(METRICS, metrics)

    def write_log(self, rows: list[dict[str, Any]]) -> None:
        """Write the whole log: a row per epoch is little, and a resumed run drops rows that it will repeat.

        Args:
            rows: a dictionary with all LOG_COLUMNS for each epoch; None is a blank.
        """
        lines = [",".join(LOG_COLUMNS)]
        lines += [",".join(_cell(row[column]) for column in LOG_COLUMNS) for row in rows]
        write_atomically(self.log_path, "\n".join(lines) + "\n")

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
    document = run.config
    version = document.get("format") if isinstance(document, dict) else None
    if not isinstance(version, int):
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


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _versions() -> dict[str, str]:
    names = ("pictaxa", "torch", "numpy", "pillow", "safetensors")
    return {name: metadata.version(name) for name in names} | {"python": platform.python_version()}


def _git_revision() -> str | None:
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
