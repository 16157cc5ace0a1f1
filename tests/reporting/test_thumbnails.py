from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from pictaxa.data.fetching import Fetcher
from pictaxa.images.decoding import PLAIN
from pictaxa.reporting.thumbnails import thumbnail, thumbnails
from pictaxa.runs.folder import open_run
from pictaxa.runs.records import read_index


def test_thumbnails_fill_their_budget_in_order(tmp_path: Path, judged_run: Callable[..., Path]):
    """The first rows come first; one that can't be read is "", and one for which there is no room is left out."""
    index = read_index(open_run(judged_run(tmp_path, ["a", "b"], pictures=6)))
    (tmp_path / "photos" / "0" / "a-1.png").write_bytes(b"broken")
    with Fetcher(index) as fetcher:
        every = thumbnails(fetcher, list(range(12)), decoding=PLAIN, side=32)
        assert list(every) == list(range(12)) and every[1] == "" == thumbnail(fetcher, 1, decoding=PLAIN, side=32)
        room = len(every[3]) + len(every[0])
        assert list(thumbnails(fetcher, [3, 1, 0, 2], decoding=PLAIN, side=32, budget=room)) == [3, 1, 0]
    with Image.open(io.BytesIO(base64.b64decode(every[0].partition(",")[2]))) as image:
        assert image.format == "WEBP" and image.size == (32, 32)
