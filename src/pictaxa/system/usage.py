"""How much of the processor this process and all others use, as the system counts it.

Linux tells it for each core in /proc/stat, macOS by host_statistics, Windows by GetSystemTimes. All count from the
start of the system on, so the use between two moments is a difference.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """Counts at one moment, each in seconds since some other moment; only differences mean something."""

    clock: float  # of time that passes
    busy: float  # processor time of all programs, on the cores that this process may use
    own: float  # processor time of this process, all its threads together
    niced: float = 0.0  # of the busy time, that of programs which are niced while this process isn't

    def others_since(self, before: Usage, *, niced: bool = True) -> float:
        """Cores that other programs kept busy between two moments, on average; 0 where counts contradict each other.

        Args:
            before: an earlier moment.
            niced: whether those count that leave the processor to whoever else wants it.

        Returns:
            A number from 0 on: 1.0 is one core all the time.

        Example:
            Usage(12.0, busy=8.0, own=5.0).others_since(Usage(10.0, busy=5.0, own=4.0))  # 1.0
        """
        passed = self.clock - before.clock
        if passed <= 0:
            return 0.0
        others = (self.busy - before.busy) - (self.own - before.own)
        return max(0.0, others if niced else others - (self.niced - before.niced)) / passed


def read_usage() -> Usage | None:
    """The counts now; None where the system does not tell them.

    Example:
        before = read_usage()
        ...
        after = read_usage()
        if before and after: print(after.others_since(before))
    """
    try:
        counts = _busy_seconds()
    except (OSError, ValueError, AttributeError):  # no such file or function, or one that looks different
        return None
    if counts is None:
        return None
    busy, niced = counts
    return Usage(time.monotonic(), busy, time.process_time(), niced)


def busy_ticks(text: str, *, cores: Collection[int]) -> tuple[int, int]:
    """Ticks that the kernel has counted as busy, from the text of /proc/stat.

    Time that the hypervisor gave to other guests doesn't count: fewer threads would not bring it back.

    Args:
        text: of the file; a line for each core, "cpu0 user nice system idle iowait irq softirq steal ...", and before
            them one for all.
        cores: whose lines count. Where one of them has none, as in containers that number their own cores anew, all do.

    Returns:
        All that were busy, and those of them that niced programs had; hundredths of seconds on nearly every system.

    Raises:
        ValueError: the text is something else.

    Example:
        busy_ticks("cpu 9 5 1 70 0 0 0 0", cores={0})  # (15, 5)
    """
    lines = {name: counts for name, *counts in map(str.split, text.splitlines()) if name.startswith("cpu")}
    names = [f"cpu{core}" for core in cores]
    if not all(name in lines for name in names):
        names = ["cpu"]
    busy = niced = 0
    for name in names:
        if len(lines.get(name, ())) < 7:
            raise ValueError(f"no counts of {name}")
        user, nice, system, _idle, _iowait, irq, softirq = map(int, lines[name][:7])
        busy += user + nice + system + irq + softirq
        niced += nice
    return busy, niced


def _busy_seconds() -> tuple[float, float] | None:
    """Processor time of all programs and of niced ones, where they are told apart; None on systems not known here."""
    if sys.platform.startswith("linux"):
        text = Path("/proc/stat").read_text(encoding="ascii")
        busy, niced = busy_ticks(text, cores=os.sched_getaffinity(0))
        second = os.sysconf("SC_CLK_TCK")
        return busy / second, 0.0 if os.nice(0) > 0 else niced / second  # its own time may be among them
    if sys.platform == "darwin":
        return _busy_on_macos()
    if sys.platform == "win32":
        return _busy_on_windows()
    return None


def _busy_on_macos() -> tuple[float, float] | None:
    library = ctypes.CDLL("/usr/lib/libSystem.dylib")
    cpu_load_info, ticks, count = 3, (ctypes.c_uint32 * 4)(), ctypes.c_uint32(4)  # <mach/host_info.h>
    if library.host_statistics(library.mach_host_self(), cpu_load_info, ticks, ctypes.byref(count)) != 0:
        return None
    user, system, _idle, nice = ticks
    return (user + system + nice) / 100, 0.0 if os.nice(0) > 0 else nice / 100  # ticks of any Mac are hundredths


def _busy_on_windows() -> tuple[float, float] | None:
    idle, kernel, user = (ctypes.c_uint64() for _ in range(3))  # each a FILETIME, which is one of these in two halves
    function = ctypes.WinDLL("kernel32").GetSystemTimes  # type: ignore[attr-defined,unused-ignore]  # Windows' own
    if not function(*map(ctypes.byref, (idle, kernel, user))):
        return None
    return (kernel.value - idle.value + user.value) / 1e7, 0.0  # the kernel's time holds the idle one
