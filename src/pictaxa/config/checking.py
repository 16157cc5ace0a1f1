"""How settings check themselves: what holds, or a ConfigError that says what to do."""

from __future__ import annotations

from ..errors import ConfigError


def require(holds: bool, expected: str, *, found: object, fix: str) -> None:
    """ConfigError unless it holds."""
    if not holds:
        raise ConfigError(expected, found=str(found), fix=fix)


def flag(name: str) -> str:
    """A setting's name as its flag has it."""
    return name.replace("_", "-")
