"""Opens a network in the format of some runtime, as a function from inputs to answers.

Each runtime is an optional package of its own. What they are given and give is NumPy's, so that whoever has an exported
folder needs no torch for the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..config.exporting import Kind
from ..errors import RunError
from ..runs.exported import AGAIN
from ..system.extras import need
from .program_files import first_line, refuse_code

# (N, C, H, W) float32 in [0, 1] -> (N, classes) float32 answers, (N, width) float32 vectors
Network = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Runtime:
    """One way to run a network's file."""

    package: str  # as one imports it
    extra: str  # of pictaxa, which installs it; "": it comes with pictaxa
    open: Callable[[Path, int], Network]  # of the file and a number of threads


def open_network(kind: Kind, path: Path, *, threads: int) -> Network:
    """Open a network's file with its runtime.

    Args:
        kind: the file's format.
        path: of the file.
        threads: how many threads compute.

    Returns:
        A function of (N, C, H, W) float32 pictures in [0, 1] that gives (N, classes) float32 answers and (N, width)
        float32 vectors.

    Raises:
        MissingExtraError: the runtime is not installed.
        RunError: the runtime can't open the file.

    Example:
        network = open_network("onnx", Path("flowers/network.onnx"), threads=2)
        network(np.zeros((1, 3, 224, 224), dtype=np.float32))
    """
    runtime = RUNTIMES[kind]
    need(runtime.package, extra=runtime.extra)
    try:
        return runtime.open(path, threads)
    except RunError:
        raise
    except Exception as error:  # each runtime has its own kinds
        raise RunError(
            f"a network that {runtime.package} opens", found=f"{str(path)!r}: {first_line(error)}",
            fix=f"{AGAIN} If it was made with a newer {runtime.package}, update that.",
        ) from None  # fmt: skip


def _open_onnx(path: Path, threads: int) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; its warnings are about the graph, and not for the one who predicts
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    return lambda pictures: tuple(session.run(None, {images.name: pictures}))


def _open_openvino(path: Path, threads: int) -> Network:
    import openvino

    core = openvino.Core()
    # It would compute in bfloat16 on CPUs that have it, with other answers than were checked elsewhere.
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    request = compiled.create_infer_request()

    def run(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        said = request.infer([pictures])
        return np.array(said[0]), np.array(said[1])  # the next inference writes where these stood

    return run


def _open_program(path: Path, threads: int) -> Network:
    refuse_code(path)
    import torch

    module = torch.export.load(path).module()

    def run(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            answers, vectors = module(torch.from_numpy(pictures))
        return answers.numpy(), vectors.numpy()

    return run


RUNTIMES: Mapping[Kind, Runtime] = MappingProxyType(
    {
        "onnx": Runtime("onnxruntime", "onnx", _open_onnx),
        "openvino": Runtime("openvino", "openvino", _open_openvino),
        "program": Runtime("torch", "", _open_program),
    }
)
