"""Files of arrays by name, .npz and HDF5: opened so that nothing in them is run, and nothing outside them is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, MissingExtraError, PictaxaError
from ..limits import BOMB_BYTES, BOMB_PART
from ..system.extras import need

NPZ_SUFFIXES, HDF5_SUFFIXES = (".npz",), (".h5", ".hdf5", ".hdf")


class Arrays:
    """A file's arrays by name, each with a length and reading by rows; nothing in it is run."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.is_zip = file.suffix.lower() in NPZ_SUFFIXES
        self.loaded: dict[str, Any] = {}
        try:
            if self.is_zip:
                self.inner: Any = np.load(file, allow_pickle=False)
                self.names = list(self.inner.files)
            else:
                self.inner = need("h5py", extra="hdf5").File(file, "r")
                self.names = _datasets(self.inner, self.inner)
        except MissingExtraError:
            raise
        except Exception as error:  # damaged files make their libraries raise many types
            raise self.damaged(error) from None

    def damaged(self, error: Exception) -> DataError:
        """The error for a file that can't be read."""
        return DataError(
            "a file of arrays", found=f"{self.file.name!r}: {str(error)[:160]}", fix="Download or write it again."
        )

    def __getitem__(self, name: str) -> Any:
        """A numpy array, or an HDF5 data set that is read by its rows."""
        if name not in self.loaded:
            try:
                self._check_size(name)
                self.loaded[name] = self._unpacked(name) if self.is_zip else self.inner[name]
            except Exception as error:  # as above
                raise self.damaged(error) from None
        return self.loaded[name]

    def _unpacked(self, name: str) -> np.ndarray:
        """An array of a zip file, whose checksum is told only to who asks for more than the array."""
        with self.inner.zip.open(f"{name}.npy") as stream:
            array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
            if stream.read(1):
                raise ValueError(f"{name!r} is longer than it says")
        return array

    def _check_size(self, name: str) -> None:
        if self.is_zip:
            member = self.inner.zip.getinfo(f"{name}.npy")
            memory, stored = member.file_size, member.compress_size
        else:
            array = self.inner[name]
            memory, stored = array.nbytes, array.id.get_storage_size()
        if memory > max(BOMB_BYTES, BOMB_PART * stored):
            raise ValueError(f"{name!r} would take {memory:,} bytes")

    def close(self) -> None:
        """Let the file go."""
        self.inner.close()


def _datasets(file: Any, group: Any, prefix: str = "") -> list[str]:
    """Names of the arrays that lie in the file itself: links to other files are not followed."""
    h5py, names = need("h5py", extra="hdf5"), []
    for key in group:
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            continue
        item = group[key]
        if isinstance(item, h5py.Dataset) and item.external is None and not item.is_virtual:
            names.append(f"{prefix}{key}")
        elif isinstance(item, h5py.Group) and prefix.count("/") < 8:
            names += _datasets(file, item, f"{prefix}{key}/")
    return names


@contextmanager
def open_arrays(file: Path) -> Iterator[Arrays]:
    """A file's arrays, closed at the end."""
    arrays = Arrays(file)
    try:
        yield arrays
    except PictaxaError:
        raise
    except Exception as error:  # HDF5's data sets are read when they are asked for
        raise arrays.damaged(error) from None
    finally:
        arrays.close()
