"""Settings that had other names, and what became of their values. A run of format 1 is read by them; a flag of that
time is answered with the new one.
"""

from __future__ import annotations

from typing import Any

RENAMED = {
    "rate": "lr",
    "curve": "lr_schedule",
    "warm_up": "warmup",
    "average": "ema_decay",
    "body_share": "backbone_lr_scale",
    "small_first": "progressive_resizing",
    "keep": "best_by",
    "input": "normalization",
    "flip_average": "tta",
    "save_seconds": "checkpoint_seconds",
    "epsilon": "eps",
    "clip_norm": "clip_grad_norm",
}
VALUES = {"tta": {"yes": "flip", "no": "none"}}  # of the new name: old value -> new one, where it is another


def renamed(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by their names of today, in groups or not."""
    found = {}
    for old, value in settings.items():
        name = RENAMED.get(old, old)
        if isinstance(value, dict):
            value = renamed(value)
        elif isinstance(value, str):
            value = VALUES.get(name, {}).get(value, value)
        found[name] = value
    return found
