"""Every benchmark runs: for seconds, on small pictures; its figures mean nothing here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
Make = Callable[..., Path]

# The words of each, and what its output must hold; {data} is a folder of class folders, {split} one of train/ and val/.
RUNS = {
    "convolutions": ("--only pointwise --rounds 1 --layers 1", "1x1"),
    "data step": ("step --rows 20000", "20000 rows: the first step"),
    "data index": ("index --rows 4000", "4000 rows opened again"),
    "data alike": ("alike {data}", "photographs as they are"),
    "data labels": ("labels {data} --minutes 0.05 --folds 2", "labels flipped"),
    "encodings": ("--sets 3", "pictaxa"),
    "explaining areas": ("areas {run} --pictures 2 --methods grad-cam eigen-cam", "| from the middle |"),
    "explaining time": ("time {run} {data} --rounds 1", "explain 16 pictures"),
    "from_known speed": ("speed --rounds 1", "pictaxa's step"),
    "from_known cold": ("cold {split} --seeds 1", "median"),
    "from_known both": ("both {split} --minutes 0.2 --seeds 1 --only", "the head alone"),
    "from_known ablation": ("ablation {split} --steps 2 --seeds 1 --only", "as it is"),
    "inference": ("--only pictures", "alexnet_half"),
    "neighbours": ("{data} --rounds 1 --flags=--epochs=1", "beside an equal training"),
    "none_of_these compare": ("compare {run} {data} --pictures 20", "nearest neighbour, k = 1"),
    "none_of_these search": ("search --vectors 1000 --rounds 2", "ms for one picture"),
    "penalty": ("{data} --each 3 --wrong 0 --draws 1", "%"),
    "photographs": ("{split} --minutes 0.1 --seeds 1 --only start,accuracy --weights none", "one prediction"),
    "profiles": ("{data} --rounds 2 --count 6", "with a profile"),
    "recipes": ("{run}", "| recipe |"),
    "side_by_side": ("{split} --minutes 0.2 --seeds 1 --only", "pictaxa"),
    "train_step": ("--model lenet5 --size 32 --batch 8 --steps 1 --rounds 1", "the machine's plan"),
    "trust": ("{data} --splits 1 --weights {run}", "conformal"),
    "transfer head": ("head {split} --rounds 1 --backbone lenet5@32", "lenet5"),
    "transfer loading": ("loading --rounds 1", "resnet"),
}
ONLY = {"from_known both": "the head alone", "from_known ablation": "as it is", "side_by_side": "pictaxa-head"}


def test_every_benchmark_is_run():
    """Each script of the folder that can be run stands in the table."""
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert scripts == {name.partition(" ")[0] for name in RUNS}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_benchmark_runs(name: str, tmp_path: Path, make_photos: Make, tiny: tuple[str, ...]):
    """It ends well and prints its figure."""
    words, said = RUNS[name]
    counts = {"a": 30, "b": 30}
    data, run = make_photos(tmp_path / "data", counts), tmp_path / "run"
    places = {"{data}": data, "{split}": tmp_path / "split", "{run}": run}
    make_photos(tmp_path / "split" / "train", counts)
    make_photos(tmp_path / "split" / "val", {"a": 6, "b": 6}, first=100)
    if "{run}" in words:
        train = ["train", str(data), *tiny, "--epochs", "1", "--out", str(run)]
        subprocess.run([sys.executable, "-m", "pictaxa", *train, "--recipe", "mnist-simple-cnn"], check=True)
    command = [str(places.get(word, word)) for word in words.split()] + ([ONLY[name]] if name in ONLY else [])
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name.partition(' ')[0]}.py"), *command], capture_output=True, text=True,
        cwd=tmp_path, env={**os.environ, "PICTAXA_CACHE": str(tmp_path / "cache")}, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
