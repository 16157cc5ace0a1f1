from __future__ import annotations

import pytest
import torch

from pictaxa.config.machine import MachineConfig
from pictaxa.errors import ConfigError
from pictaxa.system.device import apply_plan, choose_plan, cpu_has_bfloat16, usable_cores


def test_the_plan_for_a_cpu_says_why():
    """channels_last, bfloat16 only where it is native, every core, and a reason for each in one line."""
    plan = choose_plan(MachineConfig(device="cpu"))
    assert plan.memory_format is torch.channels_last
    assert plan.precision is (torch.bfloat16 if cpu_has_bfloat16() else torch.float32)
    assert plan.threads == usable_cores()
    assert "native" in plan.reason and "channels_last" in plan.reason and "\n" not in plan.reason


def test_what_is_asked_for_is_done():
    """Precision, memory format and threads can be overridden, and autocast follows."""
    plan = choose_plan(MachineConfig(device="cpu", precision="bfloat16", memory_format="contiguous", threads=1))
    assert (plan.precision, plan.memory_format, plan.threads) == (torch.bfloat16, torch.contiguous_format, 1)
    with plan.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16
    plain = choose_plan(MachineConfig(device="cpu", precision="float32"))
    with plain.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


def test_the_number_of_threads_is_set():
    """apply_plan hands the number of threads to torch."""
    for threads in (2, 3, 1):
        apply_plan(choose_plan(MachineConfig(device="cpu", threads=threads)))
        assert torch.get_num_threads() == threads


@pytest.mark.parametrize("device", ["cuda:99", "warp drive", "mps" if not torch.backends.mps.is_available() else "xpu"])
def test_a_device_that_is_not_there(device: str):
    """One line that says which there are."""
    with pytest.raises(ConfigError, match="cpu"):
        choose_plan(MachineConfig(device=device))
