"""A predictor whose network is an exported one, and the choice between runtimes."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np

from ..config.exporting import Kind, RuntimeName
from ..config.machine import MachineConfig
from ..errors import ConfigError, RunError, as_word, printable
from ..runs.exported import AGAIN, FARTHEST, Export, exports_of, is_export, open_export
from ..runs.folder import Run, open_run
from ..system.device import Plan, choose_plan
from ..system.progress import say
from .answering import RAW, Answering
from .exported import open_answers
from .kept_model import COMPARED
from .loading import load
from .predictor import Predictor
from .runtimes import RUNTIMES

FASTER = 1.1  # times torch, for an exported network to be taken unasked


class ExportedPredictor(Predictor):
    """An exported folder, ready to predict: the same pictures and answers as those of its run.

    Args:
        export: the folder.
        plan: the number of threads; the network runs on the CPU.
        answering: how logits become answers, as for `Predictor`.

    Raises:
        RunError: a file is missing or changed, or the network does not say of the probe what it said.
        MissingExtraError: its runtime is not installed.

    Example:
        predictor = ExportedPredictor(open_export("flowers"), choose_plan(MachineConfig(device="cpu")))
    """

    def __init__(self, export: Export, plan: Plan, *, answering: Answering = RAW) -> None:
        self.export, self.plan, self.answering = export, plan, answering
        document = export.document
        self.classes, self.geometry = document.classes, document.geometry
        self._answers = open_answers(export, threads=plan.threads)
        squares, aspects, expected = (part[:COMPARED] for part in export.probe())
        said, _ = self._answers(squares, aspects)
        off, most = float(np.abs(said - expected).max()), FARTHEST[document.precision]
        if document.output == "probabilities" and not off <= most:
            raise RunError(
                "a network that says what it said when it was exported",
                found=f"probabilities that are off by {off:.3g} (at most {most:g}) in {str(export.path)!r}", fix=AGAIN,
            )  # fmt: skip

    def __repr__(self) -> str:
        kind = self.export.document.kind
        return printable(f"<ExportedPredictor {self.export.path}: {len(self.classes)} classes, {kind}>")

    def _outputs(self, squares: np.ndarray, aspects: np.ndarray, geometry: object) -> tuple[np.ndarray, np.ndarray]:
        """The run's logits but for a number that is the same for all classes, and the vectors."""
        said, vectors = self._answers(squares, aspects)
        if self.export.document.output == "logits":
            return said, vectors
        tiny = np.finfo(np.float32).tiny
        return np.log(np.maximum(said, tiny)) * np.float32(self.export.document.temperature), vectors


def load_with(path: str | Path, *, runtime: RuntimeName, device: str = "auto", answering: Answering = RAW) -> Predictor:
    """Load a run or an exported folder with a runtime.

    Args:
        path: folder of a trained run, or one that was exported.
        runtime: "torch"; "onnx", "openvino" or "program", which the run must have been exported to; or "auto": the
            fastest that is installed, of those that the run was exported to on this machine in float32, as the check
            after the export measured them, if faster than torch.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps"; exported networks run on the CPU.
        answering: how logits become answers.

    Returns:
        A Predictor.

    Raises:
        RunError: there is no such folder, it is damaged, or was not exported to the runtime.
        MissingExtraError: the runtime is not installed.
        ConfigError: there is no such runtime or device.

    Example:
        predictor = load_with("runs/photos-resnet18-1", runtime="onnx")
    """
    if runtime not in get_args(RuntimeName):
        raise ConfigError(
            f"--runtime {', '.join(get_args(RuntimeName))}", found=repr(runtime), fix="Use --runtime auto."
        )
    plan = choose_plan(MachineConfig(device="cpu" if is_export(path) else device))
    if is_export(path):
        export = open_export(path)
        if runtime not in ("auto", export.document.kind):
            raise ConfigError(
                f"--runtime {export.document.kind}, which the folder is for", found=runtime, fix="Leave --runtime out."
            )
        return ExportedPredictor(export, plan, answering=answering)
    run = open_run(path)
    exported = None if plan.device.type != "cpu" or runtime == "torch" else _exported(run, runtime)
    if exported is None:
        return load(path, device=device, answering=answering)
    return ExportedPredictor(exported, plan, answering=answering)


def _exported(run: Run, runtime: RuntimeName) -> Export | None:
    """What to load instead of the run's own weights; None for these."""
    known = exports_of(run)
    if runtime == "auto":
        chosen, times = _fastest(known)
        if chosen is not None:
            say(f"runtime   {chosen.document.kind}, {times:.1f} times as fast as torch by the check after its export")
        return chosen
    of_kind = [export for export in known if export.document.kind == runtime]
    exact = [export for export in of_kind if export.document.precision == "float32"]
    if not of_kind:
        raise RunError(
            f"the run as {runtime}", found=f"none in {str(run.path)!r} that is of its weights",
            fix=f"Export it: pictaxa export {as_word(run.path)} --format {runtime}.",
        )  # fmt: skip
    return (exact or of_kind)[0]


def _fastest(known: list[Export]) -> tuple[Export | None, float]:
    machine = machine_name()
    fastest, times = None, FASTER
    for export in known:
        document, checked = export.document, export.document.checked
        usable = document.precision == "float32" and document.output == "probabilities" and document.batch is None
        if checked is None or checked.machine != machine or not usable or not is_installed(document.kind):
            continue
        ratio = checked.pictures_per_second / max(checked.pictures_per_second_before, 1e-9)
        if ratio > times:
            fastest, times = export, ratio
    return fastest, times


def is_installed(kind: Kind) -> bool:
    """Whether the runtime of a format is installed."""
    return find_spec(RUNTIMES[kind].package) is not None


def machine_name() -> str:
    """What a speed was measured on: the processor as the system names it, and the machine's name."""
    return f"{platform.processor() or platform.machine()}, {platform.node()}"
