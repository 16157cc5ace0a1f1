"""Optional packages, loaded when a command needs them."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import MissingExtraError


def need(package: str, *, extra: str) -> Any:
    """The package, imported; MissingExtraError says which of pictaxa's extras brings it."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingExtraError(
            f"the {package} library", found="none", fix=f"Install it: pip install 'pictaxa[{extra}]'."
        ) from None
