"""Arrays that a program holds, as pictures: which axis has the channels, and which number is white.

An array is (H, W), (H, W, C) or (C, H, W), with 1 (grey), 3 (RGB) or 4 channels (RGB and opacity). The last axis has
the channels where it can; where the first one could too, that is said. OpenCV's arrays are BGR, which nobody can see:
turn them before. The numbers are

    bool          False is black, True is white
    uint8         0 to 255
    uint16        0 to 65535, unless the run knows another range of such pictures (docs/data.md)
    float         0 to 1 where none is above 1; 0 to 255 where one is 8 or more, or above 1 and all are whole. What
                  fits neither, with a number between 1 and 8, below 0 or above 255, is refused. What was taken is said
                  where it may be wrong: of an array of nothing but 0 and 1, and where a call has arrays of both kinds.
                  A run that was trained on floats has their range itself.

Other whole numbers are refused, unless the run knows their range: nobody knows which of them is white.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from ..errors import DataError, SettingError
from .decoding import Decoding
from .numbers import Numbers

CHANNELS = (1, 3, 4)
BRIGHT = 8.0  # resampling takes numbers of 0 to 1 beyond 1, but not so far; a picture of 0 to 255 below it is black
SHAPES = "an array of shape (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels"


class ArrayReader:
    """Takes the arrays of one call.

    Args:
        decoding: of the run, which may know the range of other numbers than bytes.

    Example:
        reader = ArrayReader(PLAIN)
        reader.read(np.full((8, 8, 3), 0.5), name="array 0")  # Numbers, with white=1.0
    """

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._whites: set[float] = set()  # of the floats so far
        self.notes: list[str] = []  # what was taken where another reading is possible

    def read(self, array: np.ndarray, *, name: str) -> np.ndarray | Numbers:
        """Copy an array of one picture in the form that the decoder takes.

        Args:
            array: as the head of this file has it.
            name: for messages, such as "array 3".

        Returns:
            (H, W) or (H, W, C) uint8, or Numbers; a copy, so that the array may be filled anew at once.

        Raises:
            SettingError: its shape or type is not taken.
            DataError: its range can be understood in several ways, or in none.
        """
        kind = array.dtype.kind
        if kind not in "buif":
            _refuse(name, array, expected="an array of uint8, uint16, bool or float", fix="Convert it with .astype().")
        values = self._channels_last(array, name=name)
        if kind == "b":
            return values.astype(np.uint8) * np.uint8(255)
        if values.dtype == np.uint8:
            return values.copy()
        if values.dtype.byteorder not in "=|":
            values = values.astype(values.dtype.newbyteorder("="))
        colours, opacity = (values[..., :3], values[..., 3]) if values.shape[2:] == (4,) else (values, None)
        colours = (colours[..., 0] if colours.shape[2:] == (1,) else colours).copy()
        known = Numbers(colours)
        level = self._decoding.declared or self._decoding.level(known.kind)
        if level is not None:
            white, full = None, level.white
        elif kind == "f":
            white = full = self._white_of(values, name=name)
        elif values.dtype == np.uint16:
            white, full = None, 65535.0
        else:
            fix = "Give uint8 of 0 to 255: array.astype(np.uint8)."
            _refuse(name, array, expected="an array of uint8, uint16, bool or float", fix=fix)
        shown = None if opacity is None else np.clip(opacity.astype(np.float64) / full, 0, 1)
        return Numbers(colours, white=white, opacity=shown)

    def _channels_last(self, array: np.ndarray, *, name: str) -> np.ndarray:
        """(H, W) or (H, W, C) of any of the layouts."""
        if array.ndim not in (2, 3) or 0 in array.shape:
            fix = "Give each of its pictures by itself." if array.ndim > 3 else "Change its axes."
            _refuse(name, array, expected=SHAPES, fix=fix)
        if array.ndim == 2:
            return array
        first, last = array.shape[0] in CHANNELS, array.shape[2] in CHANNELS
        if not first and not last:
            fix = "Give several grey pictures as a list, list(array); a picture of other channels can't be taken."
            _refuse(name, array, expected=SHAPES, fix=fix)
        if first and last:
            self.notes.append(f"{name} of shape {array.shape} was taken as (H, W, C), not as (C, H, W)")
        return array if last else array.transpose(1, 2, 0)

    def _white_of(self, values: np.ndarray, *, name: str) -> float:
        """Which number is white: 1 or 255."""
        low, high = float(values.min()), float(values.max())
        span = f"{name} with values from {low:g} to {high:g}"
        if not (np.isfinite(low) and np.isfinite(high)):
            return 1.0  # the decoder tells it as it tells it of a file
        if low < 0 or high > 255:
            fix = (
                "Give the picture before any normalization, which the model does itself: uint8, or floats of 0 to 1 "
                "(np.clip cuts off what resampling left beyond)."
            )
            raise DataError("an array of floats from 0 to 1 or from 0 to 255", found=span, fix=fix)
        if high <= 1:
            own = 1.0
        elif high >= BRIGHT or not (values % 1).any():
            own = 255.0
        else:
            fix = "Clip it, np.clip(array, 0, 1), or give uint8 of 0 to 255, np.rint(array).astype(np.uint8)."
            raise DataError("an array of floats from 0 to 1 or from 0 to 255", found=f"{span}, which may be either",
                            fix=fix)  # fmt: skip
        if high == 0:  # black in either
            return own
        if high == 1 and not (values % 1).any():
            own = 255.0 if self._whites == {255.0} else 1.0
            self.notes.append(f"{name} of floats holds only 0 and 1; it was taken as 0 to {own:g}")
        elif self._whites and own not in self._whites:
            self.notes.append(f"{span} was taken as 0 to {own:g}, unlike those before it")
        self._whites.add(own)
        return own


def _refuse(name: str, array: np.ndarray, *, expected: str, fix: str) -> NoReturn:
    raise SettingError(expected, found=f"{name} of shape {array.shape} and type {array.dtype}", fix=fix)
