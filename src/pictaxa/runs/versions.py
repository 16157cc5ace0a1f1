"""What a run was made with."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata


def versions() -> dict[str, str]:
    """Versions of pictaxa, of Python and of what computes."""
    names = ("pictaxa", "torch", "numpy", "pillow", "safetensors")
    return {name: metadata.version(name) for name in names} | {"python": platform.python_version()}


def git_revision() -> str | None:
    """The commit that is checked out in the current folder, if any."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
