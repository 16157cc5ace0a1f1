from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pictaxa
from pictaxa.inspection.findings import Doubt, Finding
from pictaxa.reporting.review_page import write_review


def test_the_page_has_each_doubtful_label(tmp_path: Path, make_photos: Callable[..., Path]):
    """The most doubtful first, with its picture, names as they are, and what is needed to apply a decision."""
    data = make_photos(tmp_path / "photos", {"red": 2, "<b>": 2})
    inspection = pictaxa.inspect(data)
    rows = {name: row for row, name in enumerate(inspection.index.column("path"))}
    doubts = {rows["red/0.png"]: Doubt(0, 0.7, 0.2), rows["<b>/1.png"]: Doubt(1, 0.9, 0.1)}
    inspection.findings.append(Finding("label", "2 of 4", rows=tuple(doubts), doubts=doubts))
    page = write_review(inspection, tmp_path / "review.html", data=Path("my photos")).read_text(encoding="utf-8")
    read = json.loads(page.partition('id="review-data">')[2].partition("</script>")[0])
    assert "pictaxa inspect &#39;my photos&#39; --reviewed" in page
    assert [one["path"] for one in read["pictures"]] == ["<b>/1.png", "red/0.png"]
    assert read["classes"] == list(inspection.index.classes) and page.count("</script>") == 2
    first = read["pictures"][0]
    assert (
        first["image"].startswith("data:image/webp")
        and first["hash"] == inspection.index.column("hash")[rows["<b>/1.png"]]
    )
    assert read["classes"][first["given"]] == "<b>" and first["suggested"] == 1 and first["share"] == 0.9


def test_a_page_without_doubts(tmp_path: Path, make_photos: Callable[..., Path]):
    """It says so."""
    inspection = pictaxa.inspect(make_photos(tmp_path / "photos", {"red": 2, "green": 2}))
    assert "No label is doubted." in write_review(
        inspection, tmp_path / "review.html", data=Path("my photos")
    ).read_text(encoding="utf-8")
