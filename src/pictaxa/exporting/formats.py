"""The formats that a network is written in: each by the library that it belongs to.

A row of FORMATS says what the network's file is called and what writes it; inference/runtimes.py opens it again.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from ..config.exporting import Kind, Precision
from ..system.extras import need
from .network import ExportedNetwork

MAX_BATCH = 4096  # pictures at once, of a network that takes any number
TRACED = 2  # pictures of the example: one would be taken for a number that never changes
INPUT, VECTORS = "images", "vectors"  # names in the network


@dataclass(frozen=True)
class Order:
    """What is to be written.

    Args:
        network: on the CPU, in evaluation mode, float32.
        example: (N, C, size, size) float32 pictures.
        batch: how many pictures the network takes; None for any number.
        precision: of the file's numbers.
        calibration: float32 batches like the example, for int8.
        path: of the file.
    """

    network: ExportedNetwork
    example: torch.Tensor
    batch: int | None
    precision: Precision
    calibration: Sequence[np.ndarray]
    path: Path


@dataclass(frozen=True)
class Format:
    """One format."""

    file: str  # the network's
    packages: tuple[str, ...]  # that write it, as one imports them
    extra: str  # of pictaxa, which installs them
    precisions: tuple[Precision, ...]
    write: Callable[[Order], None]
    what: str  # in words


def write_network(kind: Kind, order: Order) -> None:
    """Write a network in a format.

    Args:
        kind: the format.
        order: the network, and how it is to be written.

    Raises:
        MissingExtraError: a library that writes the format is not installed.

    Example:
        write_network("onnx", order)
    """
    form = FORMATS[kind]
    for package in form.packages:
        need(package, extra=form.extra)
    with _quiet():
        form.write(order)


def _program(order: Order) -> torch.export.ExportedProgram:
    dimensions = None if order.batch is not None else ({0: torch.export.Dim("batch", min=1, max=MAX_BATCH)},)
    return torch.export.export(order.network, (order.example,), dynamic_shapes=dimensions, strict=False)


def _write_program(order: Order) -> None:
    if order.precision == "bf16":
        order.network.to(torch.bfloat16)
    torch.export.save(_program(order), order.path)


def _write_onnx(order: Order) -> None:
    if order.precision == "float32":
        _plain_onnx(order, order.path)
        return
    plain = order.path.with_name(f"plain-{order.path.name}")
    try:
        _plain_onnx(order, plain)
        if order.precision == "fp16":
            _halve_onnx(plain, order.path)
        else:
            _quantize_onnx(plain, order)
    finally:
        for file in order.path.parent.glob("plain-*"):
            file.unlink()


def _plain_onnx(order: Order, path: Path) -> None:
    dimensions = None if order.batch is not None else ({0: torch.export.Dim("batch", min=1, max=MAX_BATCH)},)
    program = torch.onnx.export(
        order.network, (order.example,), dynamo=True, dynamic_shapes=dimensions, input_names=[INPUT],
        output_names=[order.network.output, VECTORS], verbose=False,
    )  # fmt: skip
    assert program is not None
    program.save(path, external_data=False)


def _halve_onnx(plain: Path, path: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(plain), keep_io_types=True), path)


def _quantize_onnx(plain: Path, order: Order) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures:
        """What the quantizer takes its ranges from, a batch at a time."""

        def __init__(self) -> None:
            self.waiting = iter(order.calibration)

        def get_next(self) -> dict[str, np.ndarray] | None:
            """The next batch by the input's name; None behind the last."""
            pictures = next(self.waiting, None)
            return None if pictures is None else {INPUT: pictures}

    ready = plain.with_name(f"plain-ready-{plain.name}")
    quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready), str(order.path), Pictures(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip


def _write_openvino(order: Order) -> None:
    """Through ONNX, which OpenVINO reads itself: its `convert_model` would report to its makers that it was called."""
    import openvino

    plain = order.path.with_name("plain.onnx")
    try:
        _plain_onnx(order, plain)
        model = openvino.Core().read_model(plain)
    finally:
        plain.unlink(missing_ok=True)
    if order.precision == "int8":
        nncf = need("nncf", extra="openvino")
        data = nncf.Dataset(list(order.calibration))
        model = nncf.quantize(model, data, subset_size=len(order.calibration))
    openvino.save_model(model, order.path, compress_to_fp16=order.precision == "fp16")


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters log and warn of what they do themselves; an error still is one."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "nncf", "root")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


FORMATS: Mapping[Kind, Format] = MappingProxyType(
    {
        "onnx": Format(
            "network.onnx", ("onnx", "onnxscript", "onnxruntime"), "onnx", ("float32", "fp16", "int8"), _write_onnx,
            "ONNX, for ONNX Runtime and most other runtimes",
        ),
        "openvino": Format(
            "network.xml", ("onnx", "onnxscript", "openvino"), "openvino", ("float32", "fp16", "int8"), _write_openvino,
            "OpenVINO, for Intel's and other x86 processors",
        ),
        "program": Format(
            "network.pt2", ("torch",), "", ("float32", "bf16"), _write_program,
            "torch.export's program, for torch without this package",
        ),
    }
)  # fmt: skip
