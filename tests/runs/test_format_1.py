from __future__ import annotations

import csv
import json
from pathlib import Path

from pictaxa.cli.main import main
from pictaxa.runs.folder import open_run
from pictaxa.runs.format_1 import config_of_1, geometry_of_1, log_row_of_1
from pictaxa.runs.log import LOG_COLUMNS
from pictaxa.runs.manifest import remove_manifest

Trained = tuple[Path, Path]


def as_format_1(run: Path) -> None:
    """The same run as the version before would have written it, without a list of its files."""
    remove_manifest(run)
    document = json.loads((run / "config.json").read_text())
    document["format"] = 1
    document["chosen"]["peak_rate"] = document["chosen"].pop("peak_lr")
    document["asked"]["schedule"]["rate"] = document["asked"]["schedule"].pop("lr")
    document["asked"]["pictures"]["flip_average"] = "auto"
    del document["asked"]["pictures"]["tta"]
    (run / "config.json").write_text(json.dumps(document))
    geometry = json.loads((run / "pictures.json").read_text())
    geometry["flip_average"] = geometry.pop("tta") == "flip"
    (run / "pictures.json").write_text(json.dumps(geometry))
    log = run / "log.csv"
    log.write_text(log.read_text().replace(",lr,", ",rate,", 1))


def test_a_run_of_format_1_says_the_same(trained: Trained, tmp_path: Path):
    """Judged, asked, reported on and relabelled, it gives the figures that it had."""
    _, run = trained
    before = open_run(run)
    metrics, geometry, chosen = before.metrics, before.geometry, before.chosen
    as_format_1(run)
    after = open_run(run)
    assert after.geometry == geometry and after.chosen == chosen
    assert [set(row) for row in after.log_rows()] == [set(LOG_COLUMNS)] * 3
    assert main(["evaluate", str(run), "--json", str(tmp_path / "figures.json")]) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["confusion"] == metrics["confusion"]
    assert main(["report", str(run)]) == 0
    assert main(["classes", str(run), "--rename", "red=rouge", "--out", str(tmp_path / "other")]) == 0
    other = json.loads((tmp_path / "other" / "config.json").read_text())
    assert other["format"] == 2 and "lr" in other["asked"]["schedule"] and "peak_lr" in other["chosen"]
    with (tmp_path / "other" / "log.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_what_is_not_of_format_1_stays():
    """A document of today, and what is no document at all."""
    today = {"format": 2, "asked": {"rate": 1}, "chosen": {"peak_rate": 1}}
    assert config_of_1(today) == today and config_of_1([]) == [] and config_of_1({"format": 1}) == {"format": 1}
    assert geometry_of_1({"tta": "flip"}) == {"tta": "flip"} and geometry_of_1(3) == 3
    assert geometry_of_1({"flip_average": False}) == {"tta": "none"}
    assert log_row_of_1({"lr": "1", "epoch": "2"}) == {"lr": "1", "epoch": "2"}
