"""Random numbers without hidden state: each is a function of (seed, epoch, row, index of the draw)."""

from __future__ import annotations

import numpy as np

# The finaliser and increment of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
# generators"): two xor-shift-multiply rounds that turn a counter into independent-looking bits.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(bits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def uniforms(rows: np.ndarray, count: int, *, seed: int, epoch: int) -> np.ndarray:
    """(N,) rows -> (N, count) float64 in [0, 1): the same row draws the same in whatever batch it stands."""
    with np.errstate(over="ignore"):
        key = _mix(np.array([seed], dtype=np.uint64) + _GOLDEN)
        key = _mix(key ^ (np.array([epoch], dtype=np.uint64) + _GOLDEN))
        per_row = _mix(key ^ (rows.astype(np.uint64) * _GOLDEN))  # (N,)
        counters = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
        bits = _mix(per_row[:, None] + counters[None, :])  # (N, count)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
