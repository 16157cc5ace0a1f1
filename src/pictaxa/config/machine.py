"""Settings of the machine: device, precision, threads, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .checking import require_within


@dataclass(frozen=True, kw_only=True)
class MachineConfig:
    """machine"""

    device: str = "auto"
    """cpu, cuda, cuda:1 or mps; auto: the fastest one available."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of training; auto: bfloat16 if the device supports it natively."""
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    """Memory format of tensors."""
    threads: int | None = None
    """CPU threads. Default: all cores that this process may use, and fewer while other programs keep them busy."""
    checkpoint_seconds: float = 30.0
    """Seconds between checkpoints, from which an interrupted run can be resumed."""
    tensorboard: Path | None = None
    """Also write the curves, figures and pictures for TensorBoard, in a folder of this one named like the run."""
    mlflow: str = ""
    """Also write them to this MLflow tracking server, such as http://localhost:5000."""

    def __post_init__(self) -> None:
        require_within("threads", self.threads, least=1, such_as="2")
        require_within("checkpoint_seconds", self.checkpoint_seconds, least=0, such_as="30")
