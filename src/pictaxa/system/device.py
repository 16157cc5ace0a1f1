"""The plan for this machine: device, precision, memory format and threads, each with its reason."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ..config.machine import MachineConfig
from ..errors import ConfigError
from .threads import ThreadWatch

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Plan:
    """How arithmetic is done; `reason` says why in one line."""

    device: torch.device
    precision: torch.dtype
    memory_format: torch.memory_format
    threads: int
    reason: str
    watch: ThreadWatch = field(repr=False, compare=False)  # takes fewer threads beside busy programs

    def autocast(self) -> torch.autocast:
        """The context in which training's forward pass runs; it changes nothing for float32."""
        enabled = self.precision is not torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    @property
    def described(self) -> dict[str, str | int]:
        """As written to config.json."""
        return {
            "device": str(self.device),
            "precision": str(self.precision).removeprefix("torch."),
            "memory_format": str(self.memory_format).removeprefix("torch."),
            "threads": self.threads,
            "torch": str(torch.__version__),
            "reason": self.reason,
        }


def choose_plan(config: MachineConfig) -> Plan:
    """Fill in what a config of the machine leaves open.

    Args:
        config: what is asked of the machine, "auto" where it is left to us.

    Returns:
        The Plan, with its reasons.

    Raises:
        ConfigError: this machine does not have the device.

    Example:
        plan = choose_plan(MachineConfig(device="cpu", threads=2))
    """
    device, device_reason = _device(config.device)
    precision, precision_reason = _precision(config.precision, device=device)
    if config.memory_format == "auto":
        # Metal's convolutions are written for contiguous pictures; the CPU's and CUDA's are faster with channels last.
        last = device.type in ("cpu", "cuda")
        format_reason = "faster convolutions" if last else "what Metal's convolutions expect"
    else:
        last = config.memory_format == "channels_last"
        format_reason = "as requested"
    memory_format = torch.channels_last if last else torch.contiguous_format
    threads = config.threads or usable_cores()
    name = str(precision).removeprefix("torch.")
    reason = (
        f"{device} ({device_reason}), {name} ({precision_reason}), "
        f"{'channels_last' if last else 'contiguous'} ({format_reason}), {threads} threads"
    )
    watch = ThreadWatch(threads, watched=config.threads is None and device.type == "cpu")
    return Plan(device, precision, memory_format, threads, reason, watch)


def differences(before: Mapping[str, Any], plan: Plan) -> list[str]:
    """Find what of a plan rounds otherwise than an earlier one, so that results differ in their last bits.

    Args:
        before: an earlier plan as `described`; what it lacks is not compared.
        plan: the one of now.

    Returns:
        A few words on each difference; none where both compute the same.

    Example:
        differences({"threads": 2}, choose_plan(MachineConfig(threads=1)))  # ["threads 1 instead of 2"]
    """
    names = ("device", "precision", "memory_format", "threads", "torch")
    now = plan.described
    others = (name for name in names if before.get(name, now[name]) != now[name])
    return [f"{name} {now[name]} instead of {before[name]}" for name in others]


def apply_plan(plan: Plan) -> None:
    """Set the number of threads, and keep freed memory for the next step."""
    plan.watch.begin()
    if plan.device.type == "cpu":
        keep_freed_memory()


def to_device(model: Model, plan: Plan) -> Model:
    """Move a model to the plan's device, its convolutions in the plan's memory format.

    Args:
        model: any; it is moved in place.
        plan: where to.

    Returns:
        The same model.
    """
    return lay_out(model.to(plan.device), plan.memory_format)


def lay_out(model: Model, memory_format: torch.memory_format) -> Model:
    """The model with its convolutions' weights in a memory format, which their results follow."""
    return model.to(memory_format=memory_format)  # type: ignore[call-overload]  # torch's stub lacks this form


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed the random numbers of the CPU and of this device, those of dropout for instance.

    torch.manual_seed does so for every kind of device, present or not, at 2 ms a call: a third of a small head's step.

    Args:
        seed: from 0.
        device: the one that computes.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Tell glibc not to hand large blocks back to the system.

    Each activation is a block of megabytes. By default glibc maps and unmaps every one, and the kernel clears its
    pages again and again: a tenth of a training step and more (docs/measured.md). Elsewhere this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    m_trim_threshold, m_mmap_max = -1, -4  # <malloc.h>
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no mallopt
        return
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)


def _device(asked: str) -> tuple[torch.device, str]:
    if asked == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda"), "GPU found"
        if torch.backends.mps.is_available():
            return torch.device("mps"), "Apple GPU found"
        return torch.device("cpu"), "no GPU found"
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise ConfigError("--device cpu, cuda, cuda:N or mps", found=repr(asked), fix="Choose one of these.") from None
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        names = ", ".join(name for name, present in there.items() if present)
        raise ConfigError("a device that this machine has", found=f"--device {asked}", fix=f"Use one of: {names}.")
    return device, "as requested"


def _precision(asked: str, *, device: torch.device) -> tuple[torch.dtype, str]:
    if asked == "float32":
        return torch.float32, "as requested"
    if asked == "bfloat16":
        return torch.bfloat16, "as requested"
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) >= (8, 0):
            return torch.bfloat16, "native on this GPU"
        return torch.float32, "this GPU has no native bfloat16"
    if device.type == "cpu":
        if cpu_has_bfloat16():
            return torch.bfloat16, "this CPU computes it natively"
        return torch.float32, "this CPU has no native bfloat16"
    return torch.float32, "the exact choice on this device"


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively (AVX512-BF16, AMX, or Arm's BF16)."""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(_cpu_flags())


def cpu_has_amx() -> bool:
    """Whether the CPU has Intel's matrix unit for bfloat16."""
    return "amx_bf16" in _cpu_flags()


@cache
def _cpu_flags() -> frozenset[str]:
    """What the kernel says that the CPU can do; nothing where it does not say."""
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return frozenset(line.split())
    except OSError:
        pass
    return frozenset()
