"""Checks for settings: a condition holds, or a ConfigError says what to do."""

from __future__ import annotations

import math

from ..errors import ConfigError


def require(holds: bool, expected: str, *, found: object, fix: str) -> None:
    """ConfigError unless it holds."""
    if not holds:
        raise ConfigError(expected, found=str(found), fix=fix)


def require_within(
    setting: str,
    value: float | None,
    *,
    such_as: str,
    least: float = -math.inf,
    most: float = math.inf,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """ConfigError for a number out of its range, with the range and an example; None, nothing asked for, is fine.

    Args:
        setting: its name in Python, such as batch_size.
        value: what it is.
        such_as: a value that one would choose.
        least: the lower end of the range, which belongs to it.
        most: the upper end, which belongs to it.
        above: the lower end, where it does not belong to the range.
        below: the upper end, where it does not.

    Example:
        require_within("ema_decay", 1.0, least=0, below=1, such_as="0.99")
    """
    low = f"above {above:g}" if above is not None else f"{least:g} or more" if least > -math.inf else ""
    high = f"below {below:,}" if below is not None else f"{most:,} or less" if most < math.inf else ""
    span = f"{low}{' and ' if low and high else ''}{high}"
    if -math.inf < least and most < math.inf:
        span = f"from {least:g} to {most:g}"
    if value is not None and not math.isfinite(value):
        span = f"a finite number {span}".rstrip()
    fits = value is None or (
        math.isfinite(value)
        and least <= value <= most
        and (above is None or value > above)
        and (below is None or value < below)
    )
    require(fits, f"--{flag(setting)} {span}", found=value, fix=f"Use --{flag(setting)} {such_as}, for example.")


def flag(name: str) -> str:
    """A setting's name as its flag has it."""
    return name.replace("_", "-")
