"""Brightness, contrast, saturation, hue and channel noise: one 3x4 matrix per picture.

A matrix maps (r, g, b, 1) to (r, g, b), each in [0, 1]. Several changes are one matrix product on the host; pixels
are touched once.
"""

from __future__ import annotations

import numpy as np
import torch

# Luma weights of ITU-R BT.601, as Pillow's and torchvision's grey conversions use.
LUMA = np.array([0.299, 0.587, 0.114])

# RGB to YIQ (NTSC): turning the IQ plane changes the hue and leaves the brightness.
_RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ)


def identity(count: int) -> np.ndarray:
    """(count, 4, 4) float64 identities."""
    return np.tile(np.eye(4), (count, 1, 1))


def _linear(parts: np.ndarray) -> np.ndarray:
    """(N, 3, 3) colour mixes -> (N, 4, 4)."""
    matrix = identity(len(parts))
    matrix[:, :3, :3] = parts
    return matrix


def brightness(factors: np.ndarray) -> np.ndarray:
    """(N,) factors -> (N, 4, 4): every channel times the factor."""
    return _linear(factors[:, None, None] * np.eye(3))


def contrast(factors: np.ndarray) -> np.ndarray:
    """(N,) factors -> (N, 4, 4): distance from middle grey times the factor."""
    matrix = brightness(factors)
    matrix[:, :3, 3] = 0.5 * (1.0 - factors[:, None])
    return matrix


def saturation(factors: np.ndarray) -> np.ndarray:
    """(N,) factors -> (N, 4, 4): distance from the pixel's own grey times the factor."""
    grey = np.tile(LUMA, (3, 1))
    return _linear(factors[:, None, None] * np.eye(3) + (1.0 - factors[:, None, None]) * grey)


def hue(turns: np.ndarray) -> np.ndarray:
    """(N,) turns of the colour circle (0.5: to the opposite colour) -> (N, 4, 4)."""
    angle = 2 * np.pi * turns
    turn = np.tile(np.eye(3), (len(turns), 1, 1))
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 1, 2], turn[:, 2, 1] = -np.sin(angle), np.sin(angle)
    return _linear(_YIQ_TO_RGB @ turn @ _RGB_TO_YIQ)


def channel_noise(offsets: np.ndarray) -> np.ndarray:
    """(N, 3) offsets -> (N, 4, 4): added to each channel of the whole picture."""
    matrix = identity(len(offsets))
    matrix[:, :3, 3] = offsets
    return matrix


def recolour(images: torch.Tensor, matrices: np.ndarray) -> torch.Tensor:
    """Apply (N, 4, 4) colour matrices to (N, 3, H, W) float32 in [0, 1], clipped to [0, 1] again.

    Grey pictures (N, 1, H, W) take what the matrix does to grey.
    """
    count, channels = images.shape[:2]
    if channels == 1:
        mix = np.einsum("k,nkj,j->n", LUMA, matrices[:, :3, :3], np.ones(3))[:, None, None]
        offset = (matrices[:, :3, 3] @ LUMA)[:, None]
    else:
        mix, offset = matrices[:, :3, :3], matrices[:, :3, 3]
    weights = torch.from_numpy(np.ascontiguousarray(mix, dtype=np.float32)).to(images.device)
    bias = torch.from_numpy(np.ascontiguousarray(offset, dtype=np.float32)).to(images.device)
    planes = images.flatten(2)  # (N, C, H, W) -> (N, C, H * W)
    mixed = torch.baddbmm(bias[:, :, None], weights, planes)
    return mixed.clamp_(0.0, 1.0).reshape(count, channels, *images.shape[2:])
