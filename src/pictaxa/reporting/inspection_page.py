"""What an inspection found, as one self-contained HTML page with the pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.fetching import Fetcher
from ..errors import ConfigError, PictureError
from ..inspection.findings import KINDS, Finding
from ..inspection.inspect import Inspection
from ..pictures import decode
from . import figures
from .page import template

SHOWN = 24  # pictures of a finding
SHOWN_SETS, SHOWN_MEMBERS = 12, 6
THUMBNAIL = 180  # pixels


@dataclass(frozen=True)
class Shown:
    """A picture on the page."""

    path: str
    label: str
    split: str
    note: str
    image: str | None  # JPEG in base64


def write_inspection(inspection: Inspection, path: Path) -> Path:
    """Write the page; its path. ConfigError when it can't be written."""
    with Fetcher(inspection.index) as fetcher:
        parts = [_part(fetcher, finding) for finding in inspection.findings]
    page = template("inspection.html").render(
        name=inspection.index.root.name, root=str(inspection.index.root), index=inspection.index, parts=parts
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError("a place to write", found=f"{str(path)!r}: {error.strerror}", fix="Change --html.") from None
    return path


def _part(fetcher: Fetcher, finding: Finding) -> dict[str, Any]:
    sets = [[_shown(fetcher, finding, row) for row in rows[:SHOWN_MEMBERS]] for rows in finding.sets[:SHOWN_SETS]]
    single = [] if finding.sets else [_shown(fetcher, finding, row) for row in finding.rows[:SHOWN]]
    return {
        "kind": KINDS[finding.kind],
        "text": finding.text,
        "sets": sets,
        "more_sets": len(finding.sets) - len(sets),
        "single": single,
        "more": len(finding.rows) - len(single) if not finding.sets else 0,
    }


def _shown(fetcher: Fetcher, finding: Finding, row: int) -> Shown:
    index, image = fetcher.index, None
    try:
        picture = decode(fetcher.fetch(row), name=fetcher.name(row))
        image = base64.b64encode(figures.jpeg_bytes(picture, side=THUMBNAIL)).decode()
    except PictureError:
        pass  # the page says so
    label = index.table.column("label")[row].as_py()
    return Shown(
        path=index.name(row),
        label=index.classes[label] if label >= 0 else "no label",
        split=index.table.column("split")[row].as_py(),
        note=finding.notes.get(row, ""),
        image=image,
    )
