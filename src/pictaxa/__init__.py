"""pictaxa: a folder of pictures in, a classifier out that its owner can trust, explain and ship."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api.data import embed as embed
    from .api.data import inspect as inspect
    from .api.data import plan as plan
    from .api.data import preview as preview
    from .api.data import preview_batch as preview_batch
    from .api.data import probe as probe
    from .api.explaining import check_explanations as check_explanations
    from .api.explaining import explain as explain
    from .api.explaining import nearest as nearest
    from .api.explaining import picture_map as picture_map
    from .api.models import load_weights as load_weights
    from .api.models import look as look
    from .api.runs import compare as compare
    from .api.runs import curves as curves
    from .api.runs import evaluate as evaluate
    from .api.runs import load as load
    from .api.runs import predict as predict
    from .api.runs import report as report
    from .api.runs import train as train
    from .api.shipping import export as export
    from .errors import CacheError as CacheError
    from .errors import ConfigError as ConfigError
    from .errors import DataError as DataError
    from .errors import FetchError as FetchError
    from .errors import MachineError as MachineError
    from .errors import MissingExtraError as MissingExtraError
    from .errors import ModelError as ModelError
    from .errors import PictaxaError as PictaxaError
    from .errors import PictureError as PictureError
    from .errors import RunError as RunError
    from .errors import SettingError as SettingError
    from .errors import TrainingError as TrainingError
    from .errors import UsageError as UsageError
    from .errors import WeightsError as WeightsError
    from .models.zoo import create_model as create_model
    from .training.interrupts import Interrupted as Interrupted

__version__ = "0.1.0"

_ERRORS = (
    "CacheError", "ConfigError", "DataError", "FetchError", "MachineError", "MissingExtraError", "ModelError",
    "PictaxaError", "PictureError", "RunError", "SettingError", "TrainingError", "UsageError", "WeightsError",
)  # fmt: skip
_FUNCTIONS = {
    "pictaxa.api.runs": ("train", "evaluate", "load", "predict", "report", "curves", "compare"),
    "pictaxa.api.data": ("inspect", "preview", "preview_batch", "probe", "plan", "embed"),
    "pictaxa.api.shipping": ("export",),
    "pictaxa.api.explaining": ("explain", "check_explanations", "nearest", "picture_map"),
    "pictaxa.api.models": ("look", "load_weights"),
}
# Public names and where they live; each is imported when it is first asked for, so that importing pictaxa is instant.
_PUBLIC = {
    **{name: module for module, names in _FUNCTIONS.items() for name in names},
    "create_model": "pictaxa.models.zoo",
    "Interrupted": "pictaxa.training.interrupts",
    **dict.fromkeys(_ERRORS, "pictaxa.errors"),
}

__all__ = [*_PUBLIC]


if not TYPE_CHECKING:  # type checkers know the names above, and no other

    def __getattr__(name: str) -> Any:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'pictaxa' has no attribute {name!r}")
        return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
