"""Optional packages, loaded when a command needs them."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import MissingExtraError


def need(package: str, *, extra: str) -> Any:
    """Import a package of an extra.

    Args:
        package: its name as one imports it.
        extra: the extra of pictaxa that brings it.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed; told with the command that does it.

    Example:
        h5py = need("h5py", extra="hdf5")
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingExtraError(
            f"the {package} library", found="none", fix=f"Install it: pip install 'pictaxa[{extra}]'."
        ) from None
