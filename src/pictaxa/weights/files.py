"""Weights to files and back: safetensors only, so loading never runs code."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import RunError
from ..system.files import replacing


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, *, notes: dict[str, str] | None = None) -> None:
    """Write tensors in one step, as `replacing` does: a reader sees the old or the new file, never half of one.

    Args:
        tensors: the tensors by name, on any device.
        path: the safetensors file, replaced if there is one.
        notes: text to keep beside the tensors (`read_notes`).

    Raises:
        OSError: the disk is full, or the place can't be written; an older file is still there.

    Example:
        save_tensors(model.state_dict(), Path("model.safetensors"), notes={"model": "resnet18"})
    """
    contiguous = {name: value.detach().contiguous().cpu() for name, value in tensors.items()}
    try:
        with replacing(path) as partial:
            partial.touch()
            mode = partial.stat().st_mode
            save_file(contiguous, partial, metadata=notes)
            partial.chmod(mode)  # safetensors lets only the owner read, but a model may be served by another user
    except (SafetensorError, OSError) as error:
        raise _as_os_error(error, path) from None


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read all tensors of a safetensors file.

    Args:
        path: the file.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        RunError: the file is missing, cut short, or no safetensors.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from None


def read_notes(path: Path) -> dict[str, str]:
    """Read the text that `save_tensors` kept beside the tensors.

    Args:
        path: the safetensors file.

    Returns:
        The notes by name; empty where there are none.

    Raises:
        RunError: the file is missing, cut short, or no safetensors.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from None


def load_model_weights(model: nn.Module, path: Path) -> None:
    """Fill a model from a file that has exactly its tensors.

    Args:
        model: the model; filled in place.
        path: the safetensors file, as `save_tensors(model.state_dict(), path)` writes it.

    Raises:
        RunError: the file is missing or damaged, or has other tensors: those missing, unknown or misshapen are named.
    """
    tensors = load_tensors(path)
    own = model.state_dict()
    missing = sorted(own.keys() - tensors.keys())
    unused = sorted(tensors.keys() - own.keys())
    misshapen = [name for name in own.keys() & tensors.keys() if own[name].shape != tensors[name].shape]
    for kind, names in (("without", missing), ("with unknown", unused), ("with misshapen", misshapen)):
        if names:
            raise RunError(
                "weights of this model",
                found=f"{str(path)!r} {kind} {', '.join(names[:5])} ({len(names)} in all)",
                fix="Restore the file or train again.",
            )
    model.load_state_dict(tensors)


def _as_os_error(error: Exception, path: Path) -> Exception:
    """What safetensors says of the system's refusals, as Python says it."""
    told = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(told[1]), os.strerror(int(told[1])), str(path)) if told else error


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(
        "a whole safetensors file",
        found=f"{str(path)!r}: {error}",
        fix="Restore it from a backup, or download or create it again.",
    )
