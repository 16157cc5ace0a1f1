"""Pixel-wise augmentation: what is neither a geometric view nor a colour matrix, for whole batches on their device.

Pictures are (N, C, H, W) float32 in [0, 1], amounts (N,); each picture's result depends on nothing else in the batch.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

LEVELS = 256  # of brightness, where they are counted
NOISE_SEED = 0x6E6F  # of the one field of noise that pictures take their windows from
NOISE_MARGIN = 97  # pixels by which the field is larger than a picture


def auto_contrast(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Each channel stretched to the whole range."""
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp_min(1 / LEVELS), images)


def equalize(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Each channel with every brightness about as often: a pixel becomes the share of pixels that are not brighter."""
    count, channels, height, width = images.shape
    levels = (images * (LEVELS - 1)).round().long().reshape(count * channels, height * width)
    planes = torch.arange(count * channels, device=images.device)[:, None] * LEVELS
    often = torch.bincount((levels + planes).flatten(), minlength=count * channels * LEVELS).reshape(-1, LEVELS)
    upto = often.cumsum(dim=1)
    darkest = torch.gather(upto, 1, levels.amin(dim=1, keepdim=True))  # pixels of the darkest level stay black
    shares = (upto - darkest).float() / (height * width - darkest).clamp_min(1).float()
    even = torch.gather(shares.clamp_min_(0), 1, levels).reshape(images.shape)
    plain = (darkest == height * width).reshape(count, channels, 1, 1)
    return torch.where(plain, images, even)


def sharpen(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Distance from a smoothed picture times 1 + amount: blurred below 0, sharper above."""
    channels = images.shape[1]
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]], device=images.device) / 13  # as Pillow's SMOOTH
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    smooth = F.conv2d(padded, kernel.expand(channels, 1, 3, 3), groups=channels)
    factors = (1 + amounts)[:, None, None, None]
    return (smooth + (images - smooth) * factors).clamp_(0, 1)


def posterize(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Reduces brightness to fewer than eight bits, rounded to whole numbers of bits."""
    steps = 2.0 ** amounts.round()[:, None, None, None]
    return ((images * (LEVELS - 1)).round() / steps).floor() * steps / (LEVELS - 1)


def solarize(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Pixels brighter than 1 - amount turned to their negative."""
    return torch.where(images > 1 - amounts[:, None, None, None], 1 - images, images)


def add_noise(images: torch.Tensor, deviations: np.ndarray, places: np.ndarray) -> torch.Tensor:
    """Normal noise of (N,) standard deviations; (N, 2) places in [0, 1) say which window of one field each takes."""
    count, channels, height, width = images.shape
    source = torch.Generator().manual_seed(NOISE_SEED)
    field = torch.randn(channels, height + NOISE_MARGIN, width + NOISE_MARGIN, generator=source).to(images.device)
    for picture, deviation, (across, down) in zip(range(count), deviations, places, strict=True):
        top, left = int(down * NOISE_MARGIN), int(across * NOISE_MARGIN)
        images[picture].add_(field[:, top : top + height, left : left + width], alpha=float(deviation))
    return images.clamp_(0, 1)


def erase(images: torch.Tensor, rectangles: np.ndarray) -> None:
    """Fill (N, 4) rectangles of top, bottom, left, right, in parts of the side, with their picture's mean colour."""
    height, width = images.shape[2:]
    means = images.mean(dim=(2, 3))
    for picture, (top, bottom, left, right) in enumerate(rectangles.tolist()):
        rows = slice(round(top * height), round(bottom * height))
        columns = slice(round(left * width), round(right * width))
        images[picture, :, rows, columns] = means[picture, :, None, None]
