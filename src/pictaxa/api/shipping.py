"""Functions that ship a run: export."""

from __future__ import annotations

from pathlib import Path

from ..config.calls import says_what_it_takes
from ..config.exporting import Kind, Output, Precision
from ..exporting.export import ExportConfig, export_run
from ..inference.predictor import Predictor
from ..judge.asked import temperature_of
from ..runs.exported import Export
from ..runs.folder import open_run
from .given import Place, run_of


@says_what_it_takes
def export(
    run: Place | Predictor,
    out: Place | None = None,
    *,
    format: Kind = "onnx",
    quantize: Precision = "float32",
    batch: int | None = None,
    output: Output = "probabilities",
    allow_loss: float = 0.5,
    seed: int = 0,
) -> Export:
    """Write a run's network in the format of another runtime, as `pictaxa export` does.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        out: the folder to write; an exported one that is there is replaced. By default RUN/export/FORMAT.
        format: "onnx", "openvino" or "program" (torch.export's).
        quantize: "float32"; "int8" or "fp16" (onnx, openvino); "bf16" (program).
        batch: how many pictures the network takes at once; None for any number.
        output: "probabilities", calibrated; or "logits".
        allow_loss: points of validation accuracy that may be lost, from 0 to 100.
        seed: decides which pictures are compared.

    Returns:
        The exported folder: its `path`, and in its `document` what it is and how it compares with the run.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        RunError: the run is not finished or damaged, or the export answers otherwise; nothing is left then.
        MissingExtraError: a library of the format is not installed.
        ConfigError: a setting that there is not, or at `out` there is something else.

    Example:
        folder = pictaxa.export("runs/photos-efficientnet_lite0-1", format="onnx").path
    """
    config = ExportConfig(format, quantize=quantize, batch=batch, output=output, allow_loss=allow_loss / 100, seed=seed)
    path = run_of(run)
    temperature_of(open_run(path))  # judged now, if it has not been
    return export_run(path, config, out=None if out is None else Path(out))
