"""The model that a run keeps: built as its files say, and compared with what it said when it was trained."""

from __future__ import annotations

import numpy as np

from ..errors import ModelError, RunError
from ..models.contract import Classifier
from ..models.zoo import check_size, create_model, parse_options
from ..runs.folder import Run
from ..runs.typed import RESTORE

# How far logits may be from those that were kept, as a part of the largest of them. Processors differ in the order of
# sums: six networks were within 2.3e-6 of each other's logits, and of float64's, with other threads, layouts, batches
# and folding. GPUs multiply in TF32, with 10 bits. Refusing a run for nothing is worse than not seeing a small change.
SAME_KIND, OTHER_KIND = 1e-3, 5e-2
LEAST = 1e-5  # of logits near zero
COMPARED = 2  # squares of the probe: other weights show in any, and a large network takes a while for each


def model_of(run: Run) -> Classifier:
    """Build the model that a run's files describe, with fresh weights.

    Args:
        run: the run.

    Returns:
        The model, on the CPU.

    Raises:
        RunError: the model, its options or the size of its pictures are such as no training chooses.
        MissingExtraError: a model of timm, without the `timm` extra.

    Example:
        model = model_of(open_run("runs/photos-resnet18-1"))
    """
    chosen, geometry = run.chosen, run.geometry
    try:
        options = parse_options(chosen.model, chosen.model_options)
        check_size(chosen.model, geometry.size)
        if options.get("size", geometry.size) != geometry.size:
            raise ModelError(f"pictures of {options['size']} pixels", found=f"{geometry.size}", fix="")
        return create_model(chosen.model, len(run.classes), in_channels=geometry.channels, **options)
    except ModelError as error:
        found = f"{chosen.model} with {', '.join(chosen.model_options) or 'no options'} in {str(run.path)!r}"
        raise RunError(
            f"a model that can be built ({error.expected})", found=f"{found}: {error.found}", fix=RESTORE
        ) from None


def check_logits(logits: np.ndarray, kept: np.ndarray, *, run: Run, device: str) -> None:
    """Compare what a loaded model says of the run's probe with what it said when it was trained.

    Args:
        logits: (n, classes) float32, what it says now.
        kept: likewise, what it said.
        run: the run.
        device: the kind that computed now, such as "cpu".

    Raises:
        RunError: they differ by more than two machines do: these are other weights, or another way to the input.
    """
    then = str(run.chosen.machine.get("device", "")).partition(":")[0]
    part = SAME_KIND if then == device == "cpu" else OTHER_KIND
    most = part * float(np.abs(kept).max()) + LEAST
    off = float(np.abs(logits - kept).max())
    if off > most:
        raise RunError(
            "a model that says what it said when it was trained",
            found=f"logits that are off by {off:.3g} (at most {most:.2g} between machines) in {str(run.path)!r}",
            fix="Its weights, pictures.json, config.json or probe.npz have been changed: restore them from a backup, "
            "or train again.",
        )
