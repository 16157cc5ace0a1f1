from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.torch import load_file

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import ConfigError, RunError
from pictaxa.inference.loading import load
from pictaxa.judge.compare import compare_runs
from pictaxa.judge.comparison import Comparison, comparison_lines
from pictaxa.judge.cost import Cost, costs_of
from pictaxa.judge.judging import judgement_of
from pictaxa.runs.folder import open_run
from pictaxa.runs.names import TEST_LOOKS
from pictaxa.runs.records import read_predictions

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> tuple[Path, Path, Path]:
    """A data set with a test split, and two runs on it that differ in their length: (data, one, other)."""
    folder = tmp_path_factory.mktemp("compare")
    data = make_photos(folder / "photos" / "train", {"red": 15, "green": 15, "blue": 15}).parent
    make_photos(data / "test", {"red": 3, "green": 3, "blue": 3}, first=50)
    words = ["--model", "lenet5", "--size", "28", "--batch-size", "8", "--precision", "float32", "--policy", "light"]
    words += ["--cache", str(folder / "cache"), "--lr", "0.02", "--threads", "1"]
    for name, epochs in (("one", "1"), ("other", "4")):
        assert main(["train", str(data), *words, "--epochs", epochs, "--out", str(folder / name)]) == 0
    return data, folder / "one", folder / "other"


def test_two_runs_by_their_kept_predictions(
    runs: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The counts are those of the kept predictions; JSON lists each picture on which the two differ."""
    _, one, other = runs
    said = [read_predictions(open_run(path)) for path in (one, other)]
    first, second = (part.predicted == part.labels for part in said)
    words = ["compare", str(one), str(other), "--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.svg")]
    assert main([*words, "--grid", str(tmp_path / "a.png")]) == 0
    told = capsys.readouterr().out
    assert "compared  9 pictures: the validation pictures of these runs" in told
    assert "McNemar's exact test; interval: Newcombe's interval for paired proportions" in told
    document = json.loads((tmp_path / "a.json").read_text())
    (pair,) = document["pairs"]
    assert pair["only_first"] == (first & ~second).sum() and pair["only_second"] == (second & ~first).sum()
    assert pair["difference"] == pytest.approx(float(second.mean() - first.mean()))
    differ = said[0].predicted != said[1].predicted
    assert differ.any() and len(document["differ"]) == differ.sum()
    assert f"{differ.sum()} of 9 pictures are taken for different classes" in told
    weights = load_file(one / "model.safetensors")
    parameters = sum(value.numel() for name, value in weights.items() if name.endswith(("weight", "bias")))
    assert document["runs"][0]["parameters"] == parameters and document["runs"][0]["pictures_per_second"] > 0
    assert "<svg" in (tmp_path / "a.svg").read_text() and "epochs 4" in (tmp_path / "a.svg").read_text()
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.width > 200


def test_the_order_of_classes_and_pictures_does_not_matter(runs: tuple[Path, Path, Path], tmp_path: Path):
    """Against a copy of a run whose table of predictions is turned round nothing differs."""
    _, one, _ = runs
    copy = tmp_path / "copy"
    shutil.copytree(one, copy)
    (copy / "manifest.json").unlink()
    table = pq.read_table(copy / "predictions-val.parquet")
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), copy / "predictions-val.parquet")
    comparison = compare_runs([one, copy])
    assert not comparison.differ.any() and comparison.pairs[0].p_value == 1.0
    np.testing.assert_array_equal(comparison.runs[0].probabilities, comparison.runs[1].probabilities)


def test_three_runs_on_other_pictures(runs: tuple[Path, Path, Path], tmp_path: Path, make_photos: Make):
    """All judge the same new pictures; p-values are corrected by Holm's method; one run alone is compared with none."""
    _, one, other = runs
    copy = tmp_path / "copy"
    shutil.copytree(other, copy)
    new = make_photos(tmp_path / "new", {"red": 4, "green": 4, "blue": 2}, first=200)
    comparison = pictaxa.compare([one, load(other), str(copy)], new)
    assert isinstance(comparison, Comparison) and len(comparison.paths) == 10
    assert [(pair.first, pair.second) for pair in comparison.pairs] == [(0, 1), (0, 2), (1, 2)]
    same = comparison.pairs[2]
    assert same.difference == 0 and same.p_value == same.p_holm == 1.0
    assert all(pair.p_holm >= pair.p_value for pair in comparison.pairs)
    assert any("Holm's" in line for line in comparison_lines(comparison))
    with pytest.raises(ConfigError, match="2 to 20 runs; found 1"):
        pictaxa.compare([one])
    with pytest.raises(ConfigError, match="twice"):
        compare_runs([one, one])


def test_what_was_seen_or_is_for_testing_is_told(runs: tuple[Path, Path, Path], tmp_path: Path):
    """Pictures of the training say so; test pictures are looked at only where --split says it, and are counted."""
    data, one, other = runs
    with pytest.raises(ConfigError, match="--split"):
        compare_runs([one, other], data)
    notes = compare_runs([one, other], data, split="train").notes
    assert sum("are known to" in note for note in notes) == 2
    assert not (one / TEST_LOOKS).exists()
    comparison = compare_runs([one, other], data, split="test")
    assert len(comparison.paths) == 9 and sum("look 1 at these" in note for note in comparison.notes) == 2
    assert (one / TEST_LOOKS).exists() and (other / TEST_LOOKS).exists()
    assert main(["compare", str(one), str(other), "--split", "test"]) == 2


def test_runs_of_other_pictures_or_classes_are_refused(
    runs: tuple[Path, Path, Path], tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]
):
    """The line says how they differ, and what to do."""
    data, one, _ = runs
    words = [*tiny, "--epochs", "1"]
    assert main(["train", str(data), *words, "--fold", "2/3", "--out", str(tmp_path / "others")]) == 0
    with pytest.raises(RunError, match=r"9 and 15: \d+ only of .*/one', such as '.*--on DATA"):
        compare_runs([one, tmp_path / "others"])
    photos = make_photos(tmp_path / "photos", {"red": 6, "gold": 6})
    assert main(["train", str(photos), *words, "--out", str(tmp_path / "classes")]) == 0
    with pytest.raises(RunError, match=r"'blue', 'green' only in .*; 'gold' only in .*classes --rename|'gold'"):
        compare_runs([one, tmp_path / "classes"])


def test_the_costs_of_folds_add_up(runs: tuple[Path, Path, Path], tmp_path: Path, tiny: tuple[str, ...]):
    """Two folds cost twice as much as one, and are judged by all pictures; their judgement is of all of them too."""
    data, one, _ = runs
    path = tmp_path / "folds"
    assert main(["train", str(data), *tiny, "--epochs", "1", "--folds", "2", "--out", str(path)]) == 0
    single, both = costs_of([load(one), load(path)])
    assert isinstance(single, Cost) and both.parameters == 2 * single.parameters
    assert both.multiply_adds == 2 * single.multiply_adds and both.megabytes == pytest.approx(2 * single.megabytes)
    judgement = judgement_of(path)
    assert judgement.pictures == 45 and not judgement.chose_epoch
