"""Files of torch and numpy as names and tensors, without running anything in them.

Pickles are read by torch's reader that knows tensors and nothing else, and nothing is unpacked that is much larger than
the model it is for.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import WeightsError, one_line
from .files import load_tensors


def refusal(path: Path, expected: str, *, found: str, fix: str = "Fetch or save the file again.") -> WeightsError:
    """The error for a file that can't be read."""
    return WeightsError(expected, found=f"{str(path)!r}: {one_line(found)}", fix=fix)


def check_zip(path: Path, *, most_bytes: int) -> None:
    """WeightsError when an archive would unpack to more than `most_bytes`."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise refusal(path, "a whole archive", found=str(error)) from None
    if size > most_bytes:
        raise refusal(
            path,
            f"at most {most_bytes // 2**20:,} MiB of weights for this model",
            found=f"{size // 2**20:,} MiB when unpacked",
            fix="Check the model's name; don't use the file if it comes from somebody you don't know.",
        )


# Under which name a training script puts the weights beside its optimizer and counters.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "ema_state_dict")
# What data-parallel training and the compiler put before every name.
_PREFIXES = ("module.", "_orig_mod.")


def read_torch(path: Path, *, most_values: int) -> dict[str, torch.Tensor]:
    """A `.safetensors` file, or a `.pth` file through torch's reader that knows tensors and nothing else."""
    if path.suffix.lower() == ".safetensors":
        return _without_prefixes(load_tensors(path))
    zipped = zipfile.is_zipfile(path)
    if zipped:
        check_zip(path, most_bytes=8 * most_values)
    try:
        document = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # pickle, zip and torch have dozens of their own
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise refusal(
            path,
            "a file of tensors",
            found=f"code that would run ({code[1]})" if code else str(error)[:200],
            fix="Nothing was run. Save the weights alone: torch.save(model.state_dict(), FILE)."
            if code
            else "Fetch or save the file again.",
        ) from None
    return _without_prefixes(_unwrapped(path, document))


def _unwrapped(path: Path, document: Any) -> dict[str, torch.Tensor]:
    for candidate in (document, *(document.get(key) for key in _WRAPPERS if isinstance(document, dict))):
        if isinstance(candidate, dict) and candidate:
            tensors = {str(name): value for name, value in candidate.items() if isinstance(value, torch.Tensor)}
            if len(tensors) == len(candidate):
                return tensors
    keys = ", ".join(map(str, document)) if isinstance(document, dict) else type(document).__name__
    raise refusal(
        path,
        "tensors by name, or a dictionary with them as " + " or ".join(_WRAPPERS[:3]),
        found=keys[:200],
        fix="Save the weights alone: torch.save(model.state_dict(), FILE).",
    )


def _without_prefixes(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def read_npz(path: Path, *, most_values: int) -> dict[str, np.ndarray]:
    """A `.npz` file's arrays; WeightsError for pickled objects in it."""
    check_zip(path, most_bytes=8 * most_values)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise refusal(path, "a file of arrays", found=str(error)[:200]) from None
