"""The words of exporting and of runtimes, for those who take them from people."""

from __future__ import annotations

from typing import Literal

Kind = Literal["onnx", "openvino", "program"]  # formats
Precision = Literal["float32", "fp16", "bf16", "int8"]  # of a network's numbers
Output = Literal["probabilities", "logits"]
RuntimeName = Literal["auto", "torch", "onnx", "openvino", "program"]
