from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pictaxa.data.cache import build_cache
from pictaxa.data.freshness import fresh_places, is_of_another
from pictaxa.data.generations import open_generation
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec


def test_records_of_files_as_they_are(tmp_path: Path, make_photos: Callable[..., Path]):
    """A file with another time has no record any more; one that this index doesn't ask for is another index's."""
    data = make_photos(tmp_path / "photos", {"a": 3, "b": 3})
    spec = CacheSpec(side=16, channels=3)
    build_cache(read_data(data), spec, root=tmp_path / "cache", threads=1)
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    records = open_generation(folder, square_bytes=spec.square_bytes).records
    index = read_data(data)
    assert sorted(fresh_places(index, records).tolist()) == [0, 1, 2, 3, 4, 5]

    changed = index.location(2)[0]
    os.utime(changed, (1, 1))
    index = read_data(data)
    places = fresh_places(index, records)
    assert places[2] == -1 and (np.delete(places, 2) >= 0).all()
    used = np.zeros(6, dtype=bool)
    used[places[:2]] = True  # as if the index had its first two rows alone
    others = is_of_another(index, records, used=used)
    assert others.sum() == 3 and not others[used].any()
