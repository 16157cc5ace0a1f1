from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import pictaxa
from pictaxa.cli.main import main
from pictaxa.config.by_name import with_words
from pictaxa.config.learning import OptimizerConfig
from pictaxa.config.training import TrainConfig
from pictaxa.data.batches import Batch, read_batches
from pictaxa.inference import features
from pictaxa.models.contract import Classifier
from pictaxa.models.fusing import fast_copy
from pictaxa.models.heads import HiddenHead
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import open_run
from pictaxa.runs.places import create_run
from pictaxa.training import fitting
from pictaxa.training.fitting import can_solve, head_problem
from pictaxa.training.job import Job
from pictaxa.training.learner import train_passes
from pictaxa.training.logistic import HeadProblem, standardise
from pictaxa.training.optimizer import make_optimizer
from pictaxa.training.setup import prepare, setup
from pictaxa.training.solve import SolvedHead, solve_head

Make = Callable[..., Path]
TINY = ("--size", "32", "--batch-size", "8", "--precision", "float32")


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def said_accuracy(said: str) -> float:
    """Of the solved head on the validation pictures, from what a training of more than the head says."""
    (line,) = (line for line in said.splitlines() if "before the rest is trained" in line)
    return float(line.split()[3].rstrip("%")) / 100


@pytest.mark.parametrize("tune", ["all", "head,all", "last:1"])
def test_more_than_the_head_begins_with_a_solved_one(
    data: Path, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tune: str
):
    """The head is solved for the training pictures, said, and then everything moves that is to be trained."""
    words = ["--weights", str(backbone), "--tune", tune, "--epochs", "1", "--policy", "none", "--lr", "0.001", *TINY]
    assert main(["train", str(data), *words, "--best-by", "last", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "solved on 64 pictures" in said and said_accuracy(said) > 0.8
    before, after = weights_of(backbone), weights_of(tmp_path / "run")
    moved = {name for name in before if not after[name].equal(before[name])}
    kernels = {name for name, value in before.items() if value.ndim == 4}
    *_, last, _ = create_model("resnet_lite", 4).blocks_in_order()
    trained = kernels if tune != "last:1" else {name for name in kernels if name.startswith(tuple(last))}
    assert moved & kernels == trained and trained


def test_head_all_is_all(data: Path, backbone: Path, tmp_path: Path):
    """Two words for one training: the weights are equal to the last bit."""
    words = ["--weights", str(backbone), "--epochs", "1", "--policy", "light", *TINY]
    for name, tune in (("one", "all"), ("two", "head,all")):
        assert main(["train", str(data), *words, "--tune", tune, "--out", str(tmp_path / name)]) == 0
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    assert all(two[name].equal(value) for name, value in one.items())


@pytest.mark.parametrize(("tune", "rate"), [("all", "0.1"), ("last:1", "30")])
def test_a_solved_head_is_kept_until_an_epoch_is_better(
    data: Path, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tune: str, rate: str
):
    """At a rate that spoils everything the run ends with the solved head and its figures, on the backbone as it was."""
    words = ["--weights", str(backbone), "--tune", tune, "--epochs", "1", "--policy", "light", *TINY]
    assert main(["train", str(data), *words, "--lr", rate, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "the solved head, before epoch 1" in said
    run = open_run(tmp_path / "run")
    assert run.metrics["accuracy"] == pytest.approx(said_accuracy(said), abs=0.001)
    (row,) = run.log_rows()
    assert float(row["val_accuracy"]) < run.metrics["accuracy"]
    before, after = weights_of(backbone), weights_of(tmp_path / "run")
    assert all(after[name].equal(value) for name, value in before.items() if not name.startswith("fc."))


def test_minutes_that_end_with_the_solved_head(
    data: Path, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """With too little time for the rest the head that was solved is kept, it is said, and can be reported."""
    words = ["--weights", str(backbone), "--minutes", "0.001", "--out", str(tmp_path / "run"), *TINY]
    assert main(["train", str(data), *words, "--policy", "none"]) == 0
    said = capsys.readouterr().out
    assert "no time was left to train the rest" in said and "the solved head, before epoch 1" in said
    assert open_run(tmp_path / "run").metrics["accuracy"] > 0.8
    assert main(["report", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("head", ["", "16"])
def test_the_head_alone_is_solved(
    data: Path, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str
):
    """--tune head: no epochs, an empty log, figures as prediction has them; the run can be reported and trained on."""
    words = ["--weights", str(backbone), "--tune", "head", "--head", head, "--out", str(tmp_path / "run"), *TINY]
    assert main(["train", str(data), *words]) == 0
    said = capsys.readouterr().out
    run = open_run(tmp_path / "run")
    assert "solved on 64 pictures" in said and f"validation accuracy {run.metrics['accuracy']:.1%}" in said
    assert run.log_rows() == [] and run.metrics["accuracy"] > 0.9
    squares, aspects, logits = run.probe()
    assert np.allclose(pictaxa.load(run.path).logits(squares, aspects), logits, atol=1e-4)
    assert main(["report", str(run.path)]) == 0
    words = ["--weights", str(run.path), "--epochs", "1", "--lr", "1e-9", "--ema-decay", "0", *TINY]
    assert main(["train", str(data), *words, "--out", str(tmp_path / "more"), "--best-by", "last"]) == 0
    before, after = weights_of(run.path), weights_of(tmp_path / "more")
    assert all(torch.allclose(after[name], value, atol=1e-4) for name, value in before.items())


@pytest.mark.parametrize(
    ("tune", "asked", "solves"),
    [("all", "auto", False), ("all", "yes", True), ("all", "no", False), ("head", "auto", True), ("head", "no", False)],
)
def test_when_a_head_is_solved(
    backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str],
    tune: str, asked: str, solves: bool,
):  # fmt: skip
    """Weights that know all of the classes keep their head, unless it alone is trained or it is asked for."""
    data = make_photos(tmp_path / "photos", {"a": 10, "b": 10})
    words = [
        "--weights",
        str(backbone),
        "--tune",
        tune,
        "--solve-head",
        asked,
        "--steps",
        "1",
        "--policy",
        "none",
        *TINY,
    ]
    assert main(["train", str(data), *words, "--out", str(tmp_path / "run")]) == 0
    assert ("solved on 16 pictures" in capsys.readouterr().out) == solves


@pytest.mark.parametrize(
    ("options", "solves"),
    [({}, True), ({"head": "16,dropout:0.5"}, True), ({"head": "outputs:5"}, True), ({"head": "outputs:5,8"}, True),
     ({"merged": "0,1,2,2"}, False)],
)  # fmt: skip
def test_which_heads_are_solved(options: dict[str, str], solves: bool):
    """Dense layers that end in the classes; not rows that are merged into classes."""
    assert can_solve(create_model("resnet_lite", 3, **options)) == solves


def test_a_backbone_that_gives_no_numbers_is_told(
    data: Path, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """NaN among the vectors is one line with how many pictures it is for."""

    def broken(backbone: Classifier, **how: object) -> Callable[[torch.Tensor], torch.Tensor]:
        """A backbone that gives NaN for the first picture of each batch."""
        copied = fast_copy(backbone, **how)

        def vectors(images: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = copied(images)
            found[0, 0] = np.nan
            return found

        return vectors

    monkeypatch.setattr(features, "fast_copy", broken)
    words = ["--weights", str(backbone), "--tune", "head", "--policy", "none", "--out", str(tmp_path / "run"), *TINY]
    assert main(["train", str(data), *words]) == 2
    said = capsys.readouterr().err
    assert "NaN or infinity for 2 of 64 pictures" in said and said.count("\n") == 1


@pytest.mark.parametrize("words", [("--tune", "head"), ("--steps", "2")], ids=["head", "all"])
@pytest.mark.parametrize("counts", [{"a": 2, "b": 2}, {"a": 2, "b": 40}], ids=["two", "two and forty"])
def test_as_few_pictures_as_there_can_be(
    tmp_path: Path,
    make_photos: Make,
    counts: dict[str, int],
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
):
    """A class of one picture to learn from: ImageNet's network is trained all the same, and says what it is worth."""
    data = make_photos(tmp_path / "photos", counts)
    same = ["train", str(data), "--size", "64", "--batch-size", "8", "--progressive-resizing", "0", *words]
    assert main([*same, "--out", str(tmp_path / "run")]) == 0
    assert "head      solved on" in capsys.readouterr().out
    assert open_run(tmp_path / "run").metrics["accuracy"] > 0.9


def test_pictures_of_one_colour(tmp_path: Path, make_photos: Make):
    """Black, white and grey ones give numbers like any, and are told apart from others."""
    data = make_photos(tmp_path / "photos", {"a": 12})
    (data / "plain").mkdir()
    for number in range(12):
        Image.new("RGB", (40, 30), (number * 23,) * 3).save(data / "plain" / f"{number}.png")
    assert main(["train", str(data), "--tune", "head", "--size", "64", "--out", str(tmp_path / "run")]) == 0
    assert open_run(tmp_path / "run").metrics["accuracy"] == 1


def near_copies(root: Path, draw: Callable[..., Image.Image]) -> Path:
    """Four classes of 20 pictures, each there twice: once with a pixel changed."""
    for kind, name in enumerate("wxyz"):
        (root / name).mkdir(parents=True)
        for number in range(10):
            image = draw(kind, number)
            image.save(root / name / f"{number}.png")
            image.putpixel((0, 0), (0, 0, 0))
            image.save(root / name / f"{number}-again.png")
    return root


def test_a_solved_head_is_the_same_after_ctrl_c(
    backbone: Path, tmp_path: Path, draw: Callable[..., Image.Image], monkeypatch: pytest.MonkeyPatch
):
    """Stopped while it looks at pictures, some nearly equal, and resumed: the unbroken head to the last bit."""
    data = near_copies(tmp_path / "photos", draw)
    words = ["train", str(data), "--weights", str(backbone), "--tune", "head", "--policy", "none", *TINY]

    def stop(*arguments: object, **named: object) -> Iterator[Batch]:
        first, *_ = read_batches(*arguments, **named)
        yield first
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(features, "read_batches", stop)
        assert main([*words, "--out", str(tmp_path / "cut")]) == 130
    assert main(["train", "--resume", str(tmp_path / "cut")]) == 0
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    cut, whole = weights_of(tmp_path / "cut"), weights_of(tmp_path / "whole")
    assert all(cut[name].equal(value) for name, value in whole.items())


@pytest.fixture
def decide(tmp_path: Path, backbone: Path, make_photos: Make) -> Callable[..., tuple[Job, Classifier]]:
    """A training of 40 pictures of one class and 10 of another, prepared: 32 and 8 of them to train on."""

    def make(**settings: object) -> tuple[Job, Classifier]:
        data = make_photos(tmp_path / "photos", {"x": 40, "y": 10})
        asked = {"weights": str(backbone), "policy": "none", "size": 32, "precision": "float32"} | settings
        return prepare(setup(with_words(TrainConfig(data=data), asked)), create_run(tmp_path / "run"))

    return make


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        ({}, None),
        ({"class_weights": "balanced"}, [40 / 2 / 32, 40 / 2 / 8]),
        ({"sampling": "balanced"}, [40 / 2 / 32, 40 / 2 / 8]),
        ({"sampling": "balanced", "class_weights": "balanced"}, [40 / 2 / 32, 40 / 2 / 8]),
    ],
)
def test_what_is_asked_of_training_is_asked_of_the_head(
    decide: Callable[..., tuple[Job, Classifier]], settings: dict[str, object], weights: list[float] | None
):
    """Balanced classes, of either kind, are weights in a solved head's loss; label smoothing and the seed are its."""
    job, model = decide(label_smoothing=0.3, seed=7, **settings)
    views = features.extract_features(job.feature_source, model, train_passes(job, job.train_rows))
    problem = head_problem(job, job.train_rows, views)
    assert np.bincount(problem.labels).tolist() == [32, 8] and problem.classes == 2
    assert (problem.label_smoothing, problem.seed) == (0.3, 7)
    found = problem.class_weights
    assert found is None if weights is None else np.allclose(found, weights)


@pytest.mark.parametrize("tune", ["all", "head"])
def test_balanced_classes_make_another_head(
    data: Path, backbone: Path, tmp_path: Path, tune: str, capsys: pytest.CaptureFixture[str]
):
    """Of few pictures of a class more are right, by --class-weights and by --sampling, which is the same for a head."""
    for number in range(4, 20):
        (data / "x" / f"{number}.png").unlink()
    words = ["train", str(data), "--weights", str(backbone), "--tune", tune, "--steps", "1", "--policy", "none", *TINY]
    ways = {"plain": (), "weights": ("--class-weights", "balanced"), "sampling": ("--sampling", "balanced")}
    for name, flags in ways.items():
        assert main([*words, *flags, "--lr", "1e-9", "--ema-decay", "0", "--out", str(tmp_path / name)]) == 0
    plain, weights, sampling = (weights_of(tmp_path / name)["fc.weight"] for name in ways)
    assert torch.allclose(weights, sampling, atol=1e-6) and not torch.allclose(plain, weights, atol=1e-3)


def test_the_pictures_that_there_is_time_for(
    decide: Callable[..., tuple[Job, Classifier]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """By minutes a slow backbone looks at so many of each class, a head alone at all; by epochs it always does."""
    monkeypatch.setattr(fitting, "MIN_PICTURES", 20)
    monkeypatch.setattr(fitting, "TIME_SHARE", 0.0)
    monkeypatch.setattr(fitting, "TRIED", 8)
    job, model = decide(minutes=1)
    rows = fitting._affordable_rows(job, model)
    assert np.bincount(job.index.labels[rows]).tolist() == [16, 4]
    assert list(rows) == sorted(set(rows)) and set(rows) <= set(job.train_rows)
    assert "solved on 20 of the 40 pictures to stay within the time limit" in capsys.readouterr().out
    monkeypatch.setattr(fitting, "TIME_SHARE", 0.25)
    assert np.array_equal(fitting._affordable_rows(job, model), job.train_rows)


@pytest.mark.parametrize("settings", [{"epochs": 1}, {"minutes": 1, "tune": "head"}])
def test_all_pictures_where_time_is_not_short(
    decide: Callable[..., tuple[Job, Classifier]], monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
):
    """By epochs, or with nothing else to train, the head learns from all of them."""
    monkeypatch.setattr(fitting, "MIN_PICTURES", 20)
    monkeypatch.setattr(fitting, "TIME_SHARE", 0.0)
    job, model = decide(**settings)
    assert np.array_equal(fitting._affordable_rows(job, model), job.train_rows)


def clouds(*, classes: int = 3, width: int = 12, each: int = 40, spread: float = 1.0) -> HeadProblem:
    """Vectors of some classes, a noisy cloud each, at scales that differ from number to number."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    centres = random.normal(size=(classes, width))
    vectors = centres[labels] + spread * random.normal(size=(len(labels), width))
    vectors = (vectors * np.linspace(0.5, 4, width) + 2).astype(np.float32)
    return HeadProblem([vectors], labels, classes, np.arange(len(labels)), label_smoothing=0.1)


def rings() -> HeadProblem:
    """Vectors of two classes, one around the other: no linear head tells them apart."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % 2
    angles, radius = random.uniform(0, 2 * np.pi, 240), 1 + 2 * labels + 0.2 * random.normal(size=240)
    vectors = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1).astype(np.float32)
    return HeadProblem([vectors], labels, 2, np.arange(240))


def hidden(problem: HeadProblem, words: str) -> HiddenHead:
    """A fresh head with hidden layers for a problem's vectors."""
    torch.manual_seed(0)
    model = create_model("resnet_lite", problem.classes, head=words)
    head = model.get_submodule(model.main_head())
    first = next(place for place, layer in enumerate(head) if isinstance(layer, torch.nn.Linear))
    head[first] = torch.nn.Linear(problem.width, head[first].out_features)
    return head.eval()


def logits_of(head: torch.nn.Module, problem: HeadProblem) -> np.ndarray:
    with torch.no_grad():
        return head.eval()(torch.from_numpy(problem.views[0])).numpy()


@pytest.mark.parametrize("words", ["6", "40", "64,dropout:0.5", "dropout:0.2,9,6,7,dropout:0.3"])
def test_hidden_layers_begin_as_the_linear_head(words: str, monkeypatch: pytest.MonkeyPatch):
    """Where each is twice as wide as there are classes, the logits before training are the solved linear head's."""
    monkeypatch.setattr(fitting, "MAX_EPOCHS", 0)
    problem = clouds()
    solved = solve_head(problem)
    head = fitting._train_hidden(hidden(problem, words), problem, solved)
    wanted = solved.logits(problem.views[0])
    assert np.abs(logits_of(head, problem) - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("rate", [1e-3, 3.0, 1e30])
def test_hidden_layers_are_never_worse_than_the_linear_head(rate: float, monkeypatch: pytest.MonkeyPatch):
    """Of pictures held out, by loss, at a rate that learns and at rates that spoil everything."""
    monkeypatch.setattr(fitting, "LR", rate)
    problem = clouds(spread=2.0)
    scaled = fitting._Scaled(problem, *standardise(problem.views))
    held = np.arange(0, len(problem.labels), 5)
    learn = np.setdiff1d(np.arange(len(problem.labels)), held)
    head, seen = hidden(problem, "32"), solve_head(problem.part(learn))
    fitting._begin_linear(head, seen, scaled)
    linear = scaled.loss(seen.logits(problem.views[0][held]), held)
    epochs, loss = fitting._best_epoch(head, scaled, learn=learn, held=held)
    assert loss <= linear * (1 + 1e-5) and (epochs == 0) == (rate > 1)


def test_training_that_brings_nothing_leaves_the_linear_head(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """No epoch is better on held-out pictures: the head with hidden layers says what the linear one does."""
    monkeypatch.setattr(fitting, "LR", 30.0)
    problem = clouds()
    solved = solve_head(problem)
    head = fitting._train_hidden(hidden(problem, "24"), problem, solved)
    said = capsys.readouterr().out
    assert "trained for 0 epochs" in said and "narrower" not in said  # but for rounding it is the linear one
    wanted = solved.logits(problem.views[0])
    assert np.abs(logits_of(head, problem) - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_hidden_layers_learn_what_no_line_tells_apart(capsys: pytest.CaptureFixture[str]):
    """A class around another: the linear head guesses, the hidden layers don't; both end with vectors as they come."""
    problem = rings()
    solved = solve_head(problem)
    head = fitting._train_hidden(hidden(problem, "64"), problem, solved)
    right = [(logits.argmax(axis=1) == problem.labels).mean() for logits in
             (solved.logits(problem.views[0]), logits_of(head, problem))]  # fmt: skip
    assert right[0] < 0.65 and right[1] > 0.95
    assert "trained for 0 epochs" not in capsys.readouterr().out


def test_hidden_layers_too_narrow_for_the_linear_head_say_so(capsys: pytest.CaptureFixture[str]):
    """Two units can't carry six classes: a note has both losses where the linear head is better."""
    problem = clouds(classes=6, spread=0.3)
    fitting._train_hidden(hidden(problem, "2"), problem, solve_head(problem))
    assert "narrower than twice the number of classes do worse" in capsys.readouterr().out


def test_hidden_layers_weigh_classes():
    """With class weights in their loss the pictures of a heavy class are right more often."""
    problem = clouds(classes=2, spread=4.0)
    right = []
    for weights in ([1.0, 1.0], [0.1, 1.9]):
        weighed = replace(problem, class_weights=np.array(weights, np.float32))
        head = hidden(problem, "16")
        scaled = fitting._Scaled(weighed, *standardise(problem.views))
        optimizer = make_optimizer(head, OptimizerConfig(optimizer="adamw", weight_decay=0.0))
        for epoch in range(10):
            fitting._train_epoch(head, optimizer, scaled, np.arange(80), epoch=epoch)
        with torch.no_grad():
            said = head(scaled.vectors(np.arange(80))).argmax(dim=1).numpy()
        right.append([(said[problem.labels == label] == label).mean() for label in (0, 1)])
    assert right[1][1] > right[0][1] and right[1][0] < right[0][0]


def test_hidden_layers_are_the_same_again():
    """Twice from one seed: equal to the last bit."""
    problem = clouds(spread=2.0)
    heads = [fitting._train_hidden(hidden(problem, "16,dropout:0.3"), problem, solve_head(problem)) for _ in range(2)]
    assert np.array_equal(*[logits_of(head, problem) for head in heads])


def test_a_lone_picture_of_each_class_trains_no_hidden_layers(capsys: pytest.CaptureFixture[str]):
    """With nothing to hold out the head stays the linear one."""
    problem = clouds(each=1)
    solved: SolvedHead = solve_head(problem)
    head = fitting._train_hidden(hidden(problem, "16"), problem, solved)
    assert "trained for 0 epochs" in capsys.readouterr().out
    assert np.allclose(logits_of(head, problem), solved.logits(problem.views[0]), atol=1e-4)
