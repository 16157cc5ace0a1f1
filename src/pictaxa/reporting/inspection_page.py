"""The findings of an inspection, as one self-contained HTML page with the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data.fetching import Fetcher
from ..images.decoding import Decoding
from ..inspection.findings import KINDS, Finding
from ..inspection.inspect import Inspection
from ..system.files import writing
from .page import split_counts
from .pages import render
from .thumbnails import thumbnail

SHOWN = 24  # pictures of a finding
SIDE = 200  # of a picture, pixels
SHOWN_SETS, SHOWN_MEMBERS = 12, 6


def write_inspection(inspection: Inspection, path: Path) -> Path:
    """Write what an inspection found as one self-contained page.

    Args:
        inspection: what was found, with the pictures' index.
        path: the .html file to write.

    Returns:
        The path.

    Raises:
        ConfigError: it can't be written.
    """
    with Fetcher(inspection.index) as fetcher:
        parts = [_part(fetcher, finding, inspection.cache.decoding) for finding in inspection.findings]
    page = render(
        "inspection.html",
        {
            "name": inspection.index.root.name,
            "root": str(inspection.index.root),
            "index": inspection.index,
            "parts": parts,
            "splits": split_counts(inspection.index),
        },
    )
    with writing(path, flag="--html"):
        path.write_text(page, encoding="utf-8")
    return path


def _part(fetcher: Fetcher, finding: Finding, decoding: Decoding) -> dict[str, Any]:
    def shown(row: int) -> dict[str, str | None]:
        return _shown(fetcher, finding, row, decoding=decoding)

    sets = [[shown(row) for row in rows[:SHOWN_MEMBERS]] for rows in finding.sets[:SHOWN_SETS]]
    single = [] if finding.sets else [shown(row) for row in finding.rows[:SHOWN]]
    return {
        "name": finding.kind,
        "kind": KINDS[finding.kind],
        "count": len(finding.rows) or "",
        "text": finding.text,
        "sets": sets,
        "more_sets": len(finding.sets) - len(sets),
        "single": single,
        "more": len(finding.rows) - len(single) if not finding.sets else 0,
    }


def _shown(fetcher: Fetcher, finding: Finding, row: int, *, decoding: Decoding) -> dict[str, str | None]:
    """A picture on the page; without an image when it can't be read."""
    index = fetcher.index
    label = index.table.column("label")[row].as_py()
    return {
        "path": index.name(row),
        "label": index.classes[label] if label >= 0 else "",
        "split": index.table.column("split")[row].as_py(),
        "note": finding.notes.get(row, ""),
        "image": thumbnail(fetcher, row, decoding=decoding, side=SIDE),
    }
