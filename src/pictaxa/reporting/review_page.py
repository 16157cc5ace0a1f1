"""Doubtful labels as one self-contained page, on which they are decided one by one; it saves a file to apply."""

from __future__ import annotations

from pathlib import Path

from ..data.fetching import Fetcher
from ..errors import as_word, printable
from ..inspection.inspect import Inspection
from ..inspection.review import FORMAT, KIND, doubted
from ..system.files import writing
from ..system.language import shown
from .pages import as_data, render
from .thumbnails import thumbnails

SIDE, BYTES = 240, 8_000_000  # of a picture, pixels, and of all pictures together


def write_review(inspection: Inspection, path: Path, *, data: Path) -> Path:
    """Write a page of the labels that an inspection doubts, the most doubtful first.

    Args:
        inspection: what was found, with a run or folds.
        path: the .html file to write.
        data: what was inspected, for the command that applies a review.

    Returns:
        The path.

    Raises:
        ConfigError: it can't be written.

    Example:
        write_review(pictaxa.inspect("photos", run="runs/photos-resnet18-1"), Path("review.html"), data=Path("photos"))
    """
    index = inspection.index
    doubts = doubted(inspection.findings)
    with Fetcher(index) as fetcher:
        images = thumbnails(fetcher, list(doubts), decoding=inspection.cache.decoding, side=SIDE, budget=BYTES)
    hashes, labels = index.column("hash"), index.labels
    pictures = [
        {
            # The name as it is identifies the picture; what is shown of it is another thing.
            "path": index.name(row), "name": printable(index.name(row)), "hash": hashes[row], "given": int(labels[row]),
            "suggested": doubt.label, "share": round(doubt.share, 4), "own": round(doubt.own_share, 4),
            "image": images.get(row),
        }
        for row, doubt in doubts.items()
    ]  # fmt: skip
    words = {
        "lost": shown("can't be shown"), "unshown": shown("no room for its picture on this page"),
        "title": shown("{0} of {1}: labelled {2} ({3}), the model says {4} ({5})"), "keep": shown("It is {0}"),
        "change": shown("It is {0}"), "other": shown("It is another class"), "out": shown("Leave the picture out"),
        "undecided": shown("Not decided"), "decided": shown("{0} of {1} decided"),
    }  # fmt: skip
    document = {
        "kind": KIND, "format": FORMAT, "classes": list(index.classes),
        "shown": [printable(name) for name in index.classes], "words": words, "pictures": pictures,
    }  # fmt: skip
    page = render(
        "review.html",
        {
            "name": index.root.name,
            "count": len(pictures),
            "root": str(index.root),
            "word": as_word(data),
            "data": as_data(document),
        },
        styles=("review.css",),
        scripts=("review.js",),
    )
    with writing(path, flag="--review"):
        path.write_text(page, encoding="utf-8")
    return path
