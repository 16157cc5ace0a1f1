"""Small pictures of an index for a page, as many as fit into a number of bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from PIL import Image

from ..data.fetching import Fetcher
from ..errors import PictureError
from ..images.decode import decode
from ..images.decoding import Decoding
from ..system.pool import results_ahead
from ..system.progress import CountProgress

QUALITY, METHOD = 62, 2  # of WebP: small, and fast to write
THREADS, AHEAD = 4, 16  # that decode, and pictures decoded before they are asked for


def thumbnails(
    fetcher: Fetcher, rows: Sequence[int], *, decoding: Decoding, side: int, budget: int | None = None
) -> dict[int, str]:
    """Make small pictures of rows until they fill a budget, those that come first before the others.

    Args:
        fetcher: reads the pictures.
        rows: of its index, the most important first.
        decoding: how they are decoded.
        side: their longer side, pixels.
        budget: characters that all may take together in a page; None for no limit.

    Returns:
        What stands in a page for each row that there is room for; "" where its picture can't be read.
    """
    found: dict[int, str] = {}
    spent = 0

    def make(row: int) -> str:
        return _thumbnail(fetcher, row, decoding=decoding, side=side)

    made = results_ahead(make, rows, threads=THREADS, ahead=AHEAD, name="thumbnails")
    with CountProgress("pictures", total=len(rows)) as progress:
        for row, text in zip(rows, made, strict=False):
            spent += len(text)
            if budget is not None and spent > budget:
                break
            found[int(row)] = text
            progress.count()
    made.close()
    return found


def thumbnail(fetcher: Fetcher, row: int, *, decoding: Decoding, side: int) -> str:
    """A row's picture as the address of an <img>; "" when it can't be read, which a page says."""
    return _thumbnail(fetcher, row, decoding=decoding, side=side)


def _thumbnail(fetcher: Fetcher, row: int, *, decoding: Decoding, side: int) -> str:
    try:
        picture = decode(fetcher.fetch(row), name=fetcher.name(row), decoding=decoding, least_side=side)
    except PictureError:
        return ""
    return webp_address(picture, side=side)


def webp_address(picture: Image.Image, *, side: int) -> str:
    """A picture, made small, as the address of an <img>.

    Args:
        picture: any; it stays as it is.
        side: the longer side of what is shown, pixels.

    Returns:
        A data: address.
    """
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=METHOD)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
