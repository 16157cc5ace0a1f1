"""The arguments of the commands that ship a run: export."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from ..config.exporting import Kind, Precision


@dataclass(frozen=True)
class ExportArguments:
    """Write a run's network in the format of another runtime, with normalization, calibration and softmax in it, into
    one folder with the class names, a model card and, for ONNX, a program that needs neither pictaxa nor torch. What is
    written is opened with its own runtime and compared with the run; where it answers differently nothing is left.
    """

    run: Path
    """Run folder."""
    _: KW_ONLY
    format: Kind = "onnx"
    """onnx: for ONNX Runtime and most other runtimes (pip install 'pictaxa[onnx]'); openvino: for x86 processors (pip
    install 'pictaxa[openvino]'); program: torch.export's, for torch without pictaxa."""
    out: Path | None = None
    """Folder to write; an exported one that is there is replaced. Default: RUN/export/FORMAT."""
    quantize: Precision = "float32"
    """Precision of the network's numbers. int8 is calibrated on training pictures and takes a quarter of the space
    (onnx, openvino with nncf); fp16 half of it (onnx, openvino); bf16 likewise (program)."""
    batch: str = "dynamic"
    """Pictures that the network takes at once: dynamic for any number, or a number."""
    logits: bool = False
    """Leave out calibration and softmax: the network gives logits."""
    allow_loss: float = 0.5
    """Points of validation accuracy that may be lost; more is refused."""
    seed: int = 0
    """Random seed of which pictures are compared."""
    json: Path | None = None
    """Also write the folder's description, with all figures of the comparison, to this file."""

    @property
    def pictures_at_once(self) -> int | None:
        """The batch as a number, None for any; ConfigError for what is neither."""
        from ..errors import ConfigError

        if self.batch == "dynamic":
            return None
        if self.batch.isdecimal() and self.batch.isascii() and 1 <= int(self.batch) <= 4096:
            return int(self.batch)
        raise ConfigError("--batch dynamic, or a number from 1 to 4096", found=repr(self.batch), fix="Use dynamic.")
