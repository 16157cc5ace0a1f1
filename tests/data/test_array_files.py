"""Files of arrays by name: what they hold, by whichever library they are read."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pictaxa.data.array_files import Arrays, open_arrays
from pictaxa.errors import DataError


def test_both_kinds_give_arrays_by_name(tmp_path: Path):
    """Of groups within groups by their whole path; a name that there is none of, and no file, are one error each."""
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.savez(tmp_path / "a.npz", x=pixels)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train/x"] = pixels
    for name, key in (("a.npz", "x"), ("a.h5", "train/x")):
        with open_arrays(tmp_path / name) as arrays:
            assert arrays.names == [key] and np.array_equal(arrays[key][()], pixels)
            with pytest.raises(DataError, match=name):
                arrays["y"]
    with pytest.raises(DataError, match="a file of arrays"):
        Arrays(tmp_path / "gone.npz")


def test_pickled_objects_are_not_read(tmp_path: Path):
    """An array of Python objects would run code when it is loaded."""
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with open_arrays(tmp_path / "a.npz") as arrays, pytest.raises(DataError, match="allow_pickle"):
        arrays["x"]
